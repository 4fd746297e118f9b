import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { layOut } from '../../src/report/chain-layout.js';

const names = fc.constantFrom(...Array.from({ length: 20 }, (_, number) => `name-${number}`));
const member = (type: string) =>
  fc.record({ id: names, type: fc.constant(type), proof: fc.constantFrom('issuer', 'signature') });
const path = fc.record({
  members: fc
    .tuple(fc.array(member('user'), { maxLength: 1 }), fc.array(member('agent'), { minLength: 1, maxLength: 4 }))
    .map(([users, agents]) => [...users, ...agents]),
  action: names,
  allowed: fc.nat(9),
  denied: fc.nat(9),
});

it('every edge leads to the next column, columns are bounded, and drawn paths are counted', () => {
  fc.assert(
    fc.property(fc.array(path, { minLength: 1, maxLength: 60 }), (paths) => {
      const { columns, edges, drawn } = layOut(paths);
      expect(drawn).toBeGreaterThan(0);
      expect(drawn).toBeLessThanOrEqual(paths.length);
      for (const column of columns) {
        expect(column.length).toBeLessThanOrEqual(12);
        expect(column.map(({ row }) => row)).toEqual([...column.keys()]);
      }
      for (const { from, to } of edges) expect(to.column).toBe(from.column + 1);
      const acted = edges
        .filter(({ to }) => to.kind === 'action')
        .reduce((sum, edge) => sum + edge.allowed + edge.denied, 0);
      if (drawn === paths.length) {
        expect(acted).toBe(paths.reduce((sum, { allowed, denied }) => sum + allowed + denied, 0));
      }
    }),
    { numRuns: 60 },
  );
});

it('an agent that acts for itself is always in the column of the first agents', () => {
  const agent = { id: 'agent-a', type: 'agent', proof: 'signature' };
  const counts = { action: 'pr.create', allowed: 1, denied: 0 };
  const { columns } = layOut([
    { members: [{ id: 'user_1', type: 'user', proof: 'issuer' }, agent], ...counts },
    { members: [agent], ...counts },
  ]);
  expect(columns.map((column) => column.map(({ kind, name }) => `${kind} ${name}`))).toEqual([
    ['user user_1'],
    ['agent agent-a'],
    ['action pr.create'],
  ]);
});
