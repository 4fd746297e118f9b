import { parseArgs } from 'node:util';
import { playStory } from '@countersign/example-stage';
import { cedar, opa } from './engines.js';
import { tellStory } from './story.js';
import { startWorld } from './world.js';

// In process, or by a server that holds policies/authz.rego: --opa http://127.0.0.1:8181
const { values } = parseArgs({ options: { opa: { type: 'string' } } });
await playStory(async (terminal) => {
  const engines = { opa: await opa(values.opa), cedar: await cedar() };
  const world = await startWorld(engines.opa);
  await tellStory(engines, world, terminal).finally(() => world.stop());
});
