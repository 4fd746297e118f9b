import { playStory } from '@countersign/example-stage';
import { tellStory } from './story.js';
import { startWorld } from './world.js';

const [programs = ''] = process.argv.slice(2);

await playStory(async (terminal) => {
  terminal.line('SPIRE starts, and its agent learns of two workloads: some seconds.');
  const world = await startWorld(programs);
  if (world === undefined) {
    throw new Error('spire-server and spire-agent are missing. Put them into the PATH, or name their folder.');
  }
  await tellStory(world, terminal).finally(() => world.stop());
});
