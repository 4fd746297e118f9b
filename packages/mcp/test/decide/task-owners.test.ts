import { expect, it } from 'vitest';
import { TaskOwners } from '../../src/decide/task-owners.js';
import { world } from '../world.js';

async function begun(max: number) {
  const { guard } = await world('http://127.0.0.1:9');
  const owners = new TaskOwners(max);
  const [alice, mallory] = ['alice', 'mallory'].map((agent) => guard.local({ agent }));
  const begin = (caller: typeof alice, ...taskIds: readonly string[]): void => {
    for (const taskId of taskIds) owners.note(caller!, { task: { taskId } }, 'tool');
  };
  const owned = (caller: typeof alice, ...taskIds: readonly string[]): readonly string[] =>
    taskIds.filter((taskId) => owners.owns(caller!, taskId));
  return { alice, mallory, begin, owned };
}

it('An agent that begins many tasks loses its own, and no task of another [E11]', async () => {
  const { alice, mallory, begin, owned } = await begun(4);
  begin(alice, 'a1', 'a2');
  const ids = Array.from({ length: 100 }, (_, at) => `m${at}`);
  begin(mallory, ...ids);
  expect(owned(alice, 'a1', 'a2')).toEqual(['a1', 'a2']);
  expect(owned(mallory, ...ids)).toEqual(['m98', 'm99']);
  begin(alice, 'a3');
  expect(owned(alice, 'a1', 'a2', 'a3')).toEqual(['a2', 'a3']);
});

it('A task that two agents were told of is nobody’s, and takes one place', async () => {
  const { alice, mallory, begin, owned } = await begun(2);
  begin(alice, 't');
  begin(mallory, 't', 'm1', 'm2');
  expect([...owned(alice, 't'), ...owned(mallory, 't', 'm1', 'm2')]).toEqual(['m2']);
});
