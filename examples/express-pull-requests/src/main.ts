import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { playStory } from '@countersign/example-stage';
import { tellStory } from './story.js';
import { startWorld } from './world.js';

// Change a policy and play again, or play with policies of your own: --policies FOLDER.
const { values } = parseArgs({
  options: { policies: { type: 'string', default: fileURLToPath(new URL('../policies', import.meta.url)) } },
});
const folder = await mkdtemp(join(tmpdir(), 'countersign-example-'));
try {
  await playStory(async (terminal) => {
    const world = await startWorld({ policiesFolder: values.policies, folder });
    await tellStory(world, terminal).finally(() => world.stop());
  });
} finally {
  await rm(folder, { recursive: true });
}
