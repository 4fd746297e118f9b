import { playStory } from '@countersign/example-stage';
import { tellStory } from './story.js';
import { startWorld } from './world.js';

await playStory(async (terminal) => {
  terminal.line('A new Redis is used once it is older than any clock that is ahead: six seconds.');
  const world = await startWorld();
  if (world === undefined) throw new Error('redis-server is missing: apt install redis-server');
  await tellStory(world, terminal).finally(() => world.stop());
});
