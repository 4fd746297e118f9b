import type { Resource } from '../../../src/engine.js';
import { describe, expect, it, vi } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import type { CedarRequest } from '../../../src/cedar/request/request.js';
import { LivePolicies } from '../../../src/cedar/evaluate/live-policies.js';
import { readPolicySet } from '../../../src/cedar/load/read-policy-set.js';

async function start(
  policies: string,
  schema?: string,
  cedar = freshCedar(),
  entities?: readonly Resource[],
): Promise<LivePolicies> {
  const texts = {
    ...(entities && { entities }),
    policies: { 'p.cedar': policies },
    ...(schema === undefined ? {} : { schema: { 's.cedarschema': schema } }),
  };
  const reading = await readPolicySet(cedar, texts, 'entity Agent;');
  if (!reading.ok) throw new Error(reading.problems.join());
  return await LivePolicies.start(reading.set, cedar);
}

const REQUEST: CedarRequest = {
  principal: { type: 'Agent', id: 'a' },
  action: { type: 'Action', id: 'x' },
  resource: { type: 'Repo', id: 'r' },
  context: {},
  entities: [],
};
/** The input guard would refuse it: Cedar throws on it. */
const THROWING: CedarRequest = { ...REQUEST, context: { a: '\ud800' } };

describe('an instance that threw [D4]', () => {
  it('denies the request and is replaced for the next one [D4]', async () => {
    const live = await start('permit(principal, action, resource) when { context has a || true };');
    expect(live.evaluate(THROWING)).toMatchObject({
      ok: false,
      policies: [],
      errors: [{ recorded: expect.stringContaining('threw') }],
    });
    expect(live.evaluate(REQUEST)).toEqual({ ok: true, decision: 'allow', policies: ['p.cedar#0'] });
  });

  it('is replaced with the schema in place [D4]', async () => {
    const schema =
      'entity Repo; action x appliesTo { principal: [Agent], resource: [Repo], context: AgentContext }; type AgentContext = {};';
    const live = await start('permit(principal, action, resource);', schema);
    expect(live.evaluate(THROWING).ok).toBe(false);
    expect(live.evaluate(REQUEST)).toMatchObject({ ok: true, decision: 'allow' });
    expect(live.evaluate({ ...REQUEST, action: { type: 'Action', id: 'y' } }).ok).toBe(false);
  });

  it('is replaced when it no longer works [D4]', async () => {
    const cedar = freshCedar();
    const live = await start('permit(principal, action, resource);', undefined, cedar);
    const kill = (): unknown => cedar.statefulIsAuthorized({ ...THROWING, preparsedPolicySetId: 'subset0' });
    for (let round = 0; round < 1_600; round++) expect(kill).toThrow();
    expect(live.evaluate(REQUEST).ok).toBe(false);
    expect(live.evaluate(REQUEST)).toMatchObject({ ok: true, decision: 'allow' });
  });
});

it('a cached evaluation is not used for a resource with other tags [D13]', async () => {
  const schema = `entity Repo tags Long; type AgentContext = {};
    action "x" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;
  const live = await start('permit(principal, action, resource);', schema);
  expect(live.evaluate(tagged('r', 1))).toMatchObject({ ok: true, decision: 'allow' });
  expect(live.evaluate(tagged('s', 1))).toMatchObject({ ok: true, decision: 'allow' });
  // Invalid by the schema.
  expect(live.evaluate(tagged('t', 'one'))).toMatchObject({ ok: false });
});

it.each([
  ['single resources', (at: number) => `permit(principal, action, resource == Repo::"r${at}");`],
  ['groups of resources', (at: number) => `permit(principal, action, resource in Org::"o${at}");`],
  ['types of resources', (at: number) => `permit(principal, action, resource is T${at});`],
  ['single agents', (at: number) => `permit(principal == Agent::"p${at}", action, resource);`],
  ['single actions', (at: number) => `permit(principal, action == Action::"a${at}", resource);`],
])('policies about %s do not make the others be parsed again for each', async (what, ofOne) => {
  const cedar = freshCedar();
  const general = Array.from(
    { length: 100 },
    (_, at) => `forbid(principal, action, resource) when { context.n == ${at} };`,
  );
  const others = Array.from({ length: 50 }, (_, at) => ofOne(at));
  const live = await start([...general, ...others].join('\n'), undefined, cedar);
  const preparse = vi.spyOn(cedar, 'preparsePolicySet');
  for (let at = 0; at < 50; at++) {
    const resource = { type: what.startsWith('types') ? `T${at}` : 'Repo', id: `r${at}` };
    const parents = [{ type: 'Org', id: `o${at}` }];
    const request = {
      ...REQUEST,
      principal: { type: 'Agent', id: `p${at}` },
      action: { type: 'Action', id: `a${at}` },
      resource,
      context: { n: 1_000 },
      entities: [{ uid: resource, attrs: {}, parents }],
    };
    expect(live.evaluate(request)).toEqual({ ok: true, decision: 'allow', policies: [`p.cedar#${100 + at}`] });
  }
  const parsed = JSON.stringify(preparse.mock.calls);
  expect(parsed.match(/forbid/g)).toHaveLength(100);
  expect(parsed.match(/permit/g)).toHaveLength(50);
});

/** Folders in each other. */
function chain(at: number): readonly Resource[] {
  return Array.from({ length: 200 }, (_, level) => ({
    type: 'Folder',
    id: `${at}.${level}`,
    parents: level === 199 ? [] : [{ type: 'Folder', id: `${at}.${level + 1}` }],
  }));
}

it('a question that reaches more entities than Cedar evaluates in a moment is an error [I2]', async () => {
  const known = [0, 1, 2, 3, 4, 5].flatMap(chain);
  const live = await start('permit(principal, action, resource in Folder::"0.199");', undefined, freshCedar(), known);
  const filed = (chains: number) => {
    const parents = Array.from({ length: chains }, (_, at) => ({ type: 'Folder', id: `${at}.0` }));
    return live.evaluate({ ...REQUEST, entities: [{ uid: REQUEST.resource, attrs: {}, parents }] });
  };
  expect(filed(5)).toMatchObject({ ok: true, decision: 'allow' });
  expect(filed(6)).toMatchObject({ ok: false });
});

function tagged(id: string, t: number | string): CedarRequest {
  const resource = { type: 'Repo', id };
  return { ...REQUEST, resource, entities: [{ uid: resource, attrs: {}, parents: [], tags: { t } }] };
}
