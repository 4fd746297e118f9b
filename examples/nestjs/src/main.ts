import 'reflect-metadata';
import { playStory } from '@countersign/example-stage';
import { tellStory } from './story.js';
import { startWorlds } from './world.js';

await playStory(async (terminal) => {
  const worlds = await startWorlds();
  try {
    await tellStory(worlds, terminal);
  } finally {
    for (const world of worlds) await world.stop();
  }
});
