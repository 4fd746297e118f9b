import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import { checkPolicies } from '../../src/lint/check.js';
import { reviewerQuery } from '../query.js';

const ANY = '(principal, action, resource)';
const end = Date.parse('2027-01-31T00:00:00Z');

afterEach(() => void vi.useRealTimers());

async function engineAt(time: number, policies: string) {
  vi.useFakeTimers({ toFake: ['Date'], now: time });
  const engine = await cedarFromText({ policies });
  return { engine, decide: () => engine.decide(reviewerQuery()) };
}

describe('a permit with @expires', () => {
  it('permits until its moment and never after, also from the memo', async () => {
    const { engine, decide } = await engineAt(end - 1, `@expires("2027-01-31T00:00:00Z") permit${ANY};`);
    expect(decide()).toMatchObject({ decision: 'allow', policies: ['policies.cedar#0'] });
    expect(decide().decision).toBe('allow');
    vi.setSystemTime(end);
    expect(decide()).toMatchObject({ decision: 'deny', cause: 'policy', policies: [] });
    expect(decide().explain().decision).toBe('deny');
    const [listed] = await engine.decideMany(reviewerQuery(), [reviewerQuery().resource]);
    expect(listed?.decision).toBe('deny');
  });

  it('leaves what others permit, and what they ask for', async () => {
    const both = `@expires("2027-01-31T00:00:00Z") permit${ANY}; @approval("managers") permit${ANY} when { true };`;
    const { decide } = await engineAt(end - 1, both);
    expect(decide()).not.toHaveProperty('approval');
    vi.setSystemTime(end);
    expect(decide()).toMatchObject({
      decision: 'allow',
      policies: ['policies.cedar#1'],
      approval: { quorums: [{ groups: ['managers'], count: 1 }] },
    });
  });

  it.each([
    [`@expires("soon") permit${ANY};`, '@expires must be a moment in UTC'],
    [`@expires permit${ANY};`, '@expires must be a moment in UTC'],
    ...['2027-13-01T00:00:00Z', '2027-02-31T00:00:00Z', '2027-04-30T24:00:00Z', '2027-01-31T00:00:00.000Z'].map(
      (text) => [`@expires("${text}") permit${ANY};`, '@expires must be a moment in UTC'],
    ),
    [`@expires("2027-01-31T00:00:00Z") forbid${ANY};`, 'a forbid does not expire'],
    ...['expire', 'expiry', 'Expires', 'exipres', 'expries', 'xpires', 'expres'].map((name) => [
      `@${name}("2027-01-31T00:00:00Z") permit${ANY};`,
      `@${name} is not known. Did you mean 'expires'?`,
    ]),
  ])('stops the start if it is wrong: %s', async (policies, problem) => {
    await expect(cedarFromText({ policies })).rejects.toThrow(problem);
  });

  it('lets other annotations stand beside it', async () => {
    const policies = `@id("a") @description("b") @note("c") @note_owner("d") @expires("2027-01-31T00:00:00Z") permit${ANY};`;
    await expect(cedarFromText({ policies })).resolves.toHaveProperty('decide');
  });

  it('is reported once it is over, and makes no other permit redundant', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'countersign-expiry-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const own = '(principal == Agent::"a", action, resource)';
    const text = `@expires("2027-01-31T00:00:00Z") permit${own}; @approval("m") permit${own};`;
    await writeFile(join(folder, 'policies.cedar'), text);
    const codes = async () => (await checkPolicies(folder)).findings.map(({ code }) => code);
    vi.useFakeTimers({ toFake: ['Date'], now: end - 1 });
    expect(await codes()).toEqual(['no-schema']);
    vi.setSystemTime(end);
    expect(await codes()).toEqual(['expired', 'no-schema']);
  });
});
