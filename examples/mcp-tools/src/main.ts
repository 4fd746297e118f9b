import { playStory } from '@countersign/example-stage';
import { tellStory } from './story.js';
import { startWorld } from './world.js';

await playStory(async (terminal) => {
  const world = await startWorld();
  await tellStory(world, terminal).finally(() => world.stop());
});
