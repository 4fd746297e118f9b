import { expect, it, onTestFinished } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import { DRAFTS, reviewerQuery } from '../query.js';

const FORBID = 'forbid(principal, action, resource);';
/** Takes many turns of the event loop to load. */
const MANY = Array.from(
  { length: 4_000 },
  (_each, n) => `@id("m${n}") permit(principal == Agent::"${n}", action, resource);`,
);

/** Calls a function in each turn of the event loop until the test is over. */
function eachTurn(look: () => void): void {
  let next = setImmediate(function turn() {
    look();
    next = setImmediate(turn);
  });
  onTestFinished(() => clearImmediate(next));
}

it('the old policies decide until replace() resolves, in many turns of the event loop [D13]', async () => {
  const engine = await cedarFromText({ policies: DRAFTS });
  const before = engine.policySet;
  const meanwhile: string[] = [];
  eachTurn(() => meanwhile.push(`${engine.policySet} ${engine.decide(reviewerQuery()).decision}`));
  expect(await engine.replace({ policies: [...MANY, FORBID].join('\n') })).toEqual({ ok: true });
  expect(meanwhile.length).toBeGreaterThan(3);
  expect(new Set(meanwhile)).toEqual(new Set([`${before} allow`]));
  expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'deny', policySet: engine.policySet });
  expect(engine.policySet).not.toBe(before);
});

it('two calls of replace() take effect in their order, also if the first takes longer or fails [D13]', async () => {
  const engine = await cedarFromText({ policies: DRAFTS });
  const ended: string[] = [];
  const replace = async (name: string, policies: string): Promise<void> => {
    const { ok } = await engine.replace({ policies });
    ended.push(`${name} ${ok}`);
  };
  await Promise.all([
    replace('long', [...MANY, FORBID].join('\n')),
    replace('wrong', 'permit('),
    replace('last', DRAFTS),
  ]);
  expect(ended).toEqual(['long true', 'wrong false', 'last true']);
  expect(engine.policies.map(({ id }) => id)).toEqual(['policies.cedar#drafts']);
  expect(engine.decide(reviewerQuery()).decision).toBe('allow');
});

it.each([
  ['does not parse', 'permit('],
  ['has the id of another', '@id("m0") permit(principal, action, resource);'],
  ['reads the history', 'permit(principal, action, resource) when { context.via == [] };'],
  ['bounds whom it asks', '@approval("a") permit(principal, action, resource) when { context.depth < 2 };'],
  ['hides an error', 'permit(principal, action, resource) when { context.depth < 2 && resource.open };'],
])('nothing changes when the last of many policies %s [D6]', async (_title, last) => {
  const engine = await cedarFromText({ policies: DRAFTS });
  const state = (): unknown => {
    const { policySet, policies, scopeVocabulary } = engine;
    return { policySet, policies, scopeVocabulary, decision: engine.decide(reviewerQuery()).decision };
  };
  const before = state();
  const answer = await engine.replace({ policies: [...MANY, last].join('\n') });
  expect(answer).toEqual({ ok: false, problem: expect.stringMatching(/^policies\.cedar:4001: /) });
  expect(state()).toEqual(before);
});

it('replace() loads the source as it was when it was called', async () => {
  const engine = await cedarFromText({ policies: DRAFTS });
  const source = { policies: { 'a.cedar': FORBID } };
  const first = engine.replace({ policies: MANY.join('\n') });
  const second = engine.replace(source);
  source.policies['a.cedar'] = 'permit(principal, action, resource);';
  expect(await Promise.all([first, second])).toEqual([{ ok: true }, { ok: true }]);
  expect(engine.policies.map(({ text }) => text)).toEqual([FORBID]);
});

it('replace() rejects no source that is not text', async () => {
  const engine = await cedarFromText({ policies: DRAFTS });
  for (const policies of [null, 1, [1], { a: 1 }] as unknown as string[]) {
    expect(await engine.replace({ policies })).toMatchObject({ ok: false });
  }
  expect(engine.decide(reviewerQuery()).decision).toBe('allow');
});
