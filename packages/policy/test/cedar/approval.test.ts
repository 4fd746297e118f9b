import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import { explanationText } from '../../src/explain/explanation-text.js';
import { reviewerQuery } from '../query.js';

const ANY = '(principal, action, resource)';
const managers = { groups: ['managers'], count: 1 };
const security = { groups: ['security'], count: 2 };

async function decide(policies: string) {
  const engine = await cedarFromText({ policies });
  return { engine, decision: engine.decide(reviewerQuery()) };
}

describe('a permit with @approval', () => {
  it('allows only together with consent', async () => {
    const { engine, decision } = await decide(`@approval("managers") permit${ANY};`);
    expect(engine.asksApproval).toBe(true);
    expect(decision).toMatchObject({ decision: 'allow', cause: 'policy', approval: { quorums: [managers] } });
    // From the memo, too.
    expect(engine.decide(reviewerQuery()).approval).toEqual(decision.approval);
  });

  it('asks nothing if a permit without it applies, too', async () => {
    const { engine, decision } = await decide(`@approval("managers") permit${ANY}; permit${ANY} when { true };`);
    expect(engine.asksApproval).toBe(true);
    expect(decision).toMatchObject({ decision: 'allow', policies: ['policies.cedar#0', 'policies.cedar#1'] });
    expect(decision).not.toHaveProperty('approval');
  });

  it('asks if the permit without it does not apply', async () => {
    const { decision } = await decide(`@approval("managers") permit${ANY}; permit${ANY} when { false };`);
    expect(decision.approval?.quorums).toEqual([managers]);
  });

  it('never overrides a forbid', async () => {
    const { decision } = await decide(`@approval("managers") permit${ANY}; forbid${ANY};`);
    expect(decision).toMatchObject({ decision: 'deny', cause: 'policy' });
    expect(decision).not.toHaveProperty('approval');
  });

  it('demands all that several permits demand', async () => {
    const both = `@approval("managers") permit${ANY};
      @approval("security") @approval_count("2") @approval_use_within("1m") permit${ANY} when { true };`;
    const { decision } = await decide(both);
    expect(decision.approval).toMatchObject({ quorums: [managers, security], useWithinSeconds: 60 });
  });

  it('is an error, which names the cause, if more apply together than one approval can answer', async () => {
    const teams = (count: number, annotation = '') =>
      Array.from({ length: count }, (_, index) => `${annotation} @approval("team-${index}") permit${ANY};`).join('\n');
    expect((await decide(teams(8))).decision).toMatchObject({ decision: 'allow', cause: 'policy' });
    const { engine, decision } = await decide(teams(9));
    const error = {
      decision: 'deny',
      cause: 'error',
      policies: Array.from({ length: 9 }, (_, index) => `policies.cedar#${index}`),
      errors: ['permits with 9 different @approval apply together, and an approval answers at most 8'],
    };
    expect(decision).toMatchObject(error);
    expect(decision).not.toHaveProperty('approval');
    // From the memo, too.
    expect(engine.decide(reviewerQuery())).toMatchObject(error);
    const expired = `${teams(8)} @expires("2020-01-01T00:00:00Z") @approval("former") permit${ANY};`;
    expect((await decide(expired)).decision).toMatchObject({ decision: 'allow', cause: 'policy' });
  });

  it('stops the start if it is misspelt', async () => {
    await expect(cedarFromText({ policies: `\n@aproval("managers") permit${ANY};` })).rejects.toThrow(
      "policies.cedar:2: @aproval is not known. Did you mean 'approval'?",
    );
  });

  it('is explained', async () => {
    const { decision } = await decide(
      `@approval("managers") @approval_excludes("owner") @approval_reason("required") permit${ANY};`,
    );
    const text = explanationText(decision.explain());
    expect(text).toMatch(/^Allowed with approval: /);
    expect(text).toContain('  1 of managers\n');
    expect(text).toContain('decided within 86400 s, used within 600 s, each with a reason, not the owner');
  });
});

it('an engine whose policies ask for none says so', async () => {
  const { engine } = await decide(`permit${ANY};`);
  expect(engine.asksApproval).toBe(false);
});
