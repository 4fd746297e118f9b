import { expect, it } from 'vitest';
import {
  type ApprovalRequirement,
  joinRequirements,
  readRequirement,
  requirementKey,
  requirementText,
} from '../src/index.js';
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

const strict: ApprovalRequirement = {
  quorums: [
    { groups: ['release-managers', 'directors'], count: 2 },
    { groups: ['security'], count: 1 },
  ],
  useWithinSeconds: 600,
  decideWithinSeconds: 86_400,
  reason: 'required',
  excluded: ['subject', 'owner'],
};

it('requirementKey differs when something else is demanded, and only then', () => {
  const same = {
    ...strict,
    quorums: [
      { groups: ['security'], count: 1 },
      { groups: ['directors', 'release-managers'], count: 2 },
    ],
    excluded: ['owner', 'subject'],
  } as const;
  expect(requirementKey(same)).toBe(requirementKey(strict));
  const others: readonly Partial<ApprovalRequirement>[] = [
    { quorums: strict.quorums.slice(1) },
    { quorums: strict.quorums.map(({ groups }) => ({ groups, count: 1 })) },
    { useWithinSeconds: 601 },
    { decideWithinSeconds: 600 },
    { reason: 'optional' },
    { excluded: ['owner'] },
  ];
  expect(new Set([{}, ...others].map((change) => requirementKey({ ...strict, ...change }))).size).toBe(7);
});

it('requirementText says in one line what is demanded', () => {
  expect(requirementText(strict)).toBe(
    '2 of release-managers or directors and 1 of security, each with a reason, not the subject or the owner, decided within 86400 s, used within 600 s',
  );
  expect(requirementText(requirement)).toBe('1 of release-managers, decided within 86400 s, used within 600 s');
});
