import { expect, it } from 'vitest';
import { joinRequirements, readRequirement } from '../src/index.js';
import { requirement } from './world.js';

it('readRequirement refuses what policy cannot demand', () => {
  expect(readRequirement(requirement)).toEqual({ ok: true, value: requirement });
  for (const change of [{ useWithinSeconds: 0 }, { reason: 'maybe' }, { excluded: ['friends'] }, { more: 1 }]) {
    expect(readRequirement({ ...requirement, ...change })).toMatchObject({ ok: false });
  }
});

it('joinRequirements demands every quorum and the strictest of the rest', () => {
  const few = {
    quorums: [{ groups: ['security'], count: 2 }, ...requirement.quorums],
    useWithinSeconds: 60,
    decideWithinSeconds: 100_000,
    reason: 'required',
    excluded: ['owner'],
  } as const;
  expect(joinRequirements(requirement, few)).toEqual({
    quorums: [
      { groups: ['release-managers'], count: 1 },
      { groups: ['security'], count: 2 },
    ],
    useWithinSeconds: 60,
    decideWithinSeconds: 86_400,
    reason: 'required',
    excluded: ['owner'],
  });
  expect(joinRequirements(few)).toBe(few);
});
