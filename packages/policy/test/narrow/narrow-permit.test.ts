import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import type { PolicyQuery } from '../../src/engine.js';
import { type ApprovedCall, narrowPermit } from '../../src/narrow/narrow-permit.js';
import { loads } from '../cedar/text/loads.js';
import { reviewerQuery } from '../query.js';

const now = 1_800_000_000;
const agent = 'agent-code-reviewer-01';
const call: ApprovedCall = {
  agent,
  subject: { id: 'user_123', type: 'user' },
  hops: 1,
  possession: 'signature',
  action: 'pr.merge',
  resource: { type: 'Repo', id: 'acme/api' },
  policies: ['policies.cedar#merge'],
  requirement: {
    quorums: [{ groups: ['managers'], count: 1 }],
    useWithinSeconds: 600,
    decideWithinSeconds: 86_400,
    reason: 'optional',
    excluded: [],
  },
};
function demand(change: Partial<ApprovedCall['requirement']>): ApprovedCall['requirement'] {
  return { ...call.requirement, ...change };
}

const schema = `entity Repo in [Org] = { frozen: Bool }; entity Org in [Org]; entity Doc in [Org] = { secret: Bool };
action "write";
action "pr.create", "pr.merge" in [Action::"write"] appliesTo { principal: [Agent], resource: [Repo, Doc], context: AgentContext };`;

const merge = `@id("merge") @approval("managers") permit (
  principal in Role::"reviewer", action in [Action::"pr.merge", Action::"pr.create"], resource is Repo
)
when { context.scope.contains("pr:write:draft") && (context.possession == "signature" || context.proof == "issuer") } // all of these }
unless { resource.frozen };
`;

const strict = `@approval_count("2") @approval_excludes("subject, owner") @approval_reason("required") ${merge}`;
const asStrict: Partial<ApprovedCall['requirement']> = {
  quorums: [{ groups: ['managers'], count: 2 }],
  reason: 'required',
  excluded: ['owner', 'subject'],
};

async function narrow(policies: string, change: Partial<ApprovedCall> = {}, at = now) {
  const before = await cedarFromText({ policies, schema });
  return narrowPermit({ ...call, ...change }, before.policies, { id: 'narrow', expiresAt: at + 60, now: at });
}

/** What the policies say before and after the narrowed permit is added. */
async function decisions(policies: string, queries: readonly PolicyQuery[], change: Partial<ApprovedCall> = {}) {
  const narrowed = await narrow(policies, change, Math.floor(Date.now() / 1000));
  if (!narrowed.ok) throw new Error(narrowed.problem);
  const [before, after] = await Promise.all(
    [policies, { 'a.cedar': policies, 'b.cedar': narrowed.value.text }].map(
      async (source) => await cedarFromText({ policies: source, schema }),
    ),
  );
  const answer = (engine: typeof before, query: PolicyQuery): string => {
    const { decision, approval } = engine?.decide(query) ?? {};
    return approval === undefined ? String(decision) : 'ask';
  };
  return queries.map((query) => `${answer(before, query)} ${answer(after, query)}`);
}

const repo = { type: 'Repo', id: 'acme/api', attributes: { frozen: false } };

function query(change: Partial<PolicyQuery> = {}, context: Partial<PolicyQuery['context']> = {}): PolicyQuery {
  const usual = reviewerQuery({ action: 'pr.merge', resource: repo });
  return { ...usual, ...change, context: { ...usual.context, ...context } };
}

describe('a narrowed permit', () => {
  it('is text that a person can read, with all conditions of the permit that asked', async () => {
    const narrowed = await narrow(merge);
    expect(narrowed.ok && narrowed.value.text).toBe(`@expires("2027-01-15T08:01:00Z")
@id("narrow")
permit (
  principal == Agent::"agent-code-reviewer-01",
  action == Action::"pr.merge",
  resource == Repo::"acme/api"
)
when
{
  (context has onBehalfOf) &&
  (context.onBehalfOf == User::"user_123") &&
  (context.possession == "signature")
}
when
{
  (principal in Role::"reviewer") &&
  (action in [Action::"pr.merge", Action::"pr.create"]) &&
  (resource is Repo)
}
when
{
  context.scope.contains("pr:write:draft") &&
  ((context.possession == "signature") || (context.proof == "issuer"))
}
unless { resource.frozen }
when { context.depth <= 1 };
`);
  });

  it('asks nobody for what people approved, and permits nothing that needed no approval [C11]', async () => {
    expect(
      await decisions(merge, [
        query(),
        query({}, { scope: [] }),
        query({}, { scope: ['repo:read'] }),
        query({}, { possession: 'dpop', proof: 'signature' }),
        query({ resource: { ...repo, attributes: { frozen: true } } }),
        query({ principal: { id: agent, roles: [], capabilities: [] } }),
        query({ principal: { id: 'agent-b', roles: ['reviewer'], capabilities: [] } }),
        query({ action: 'pr.create' }),
        query({ resource: { ...repo, id: 'acme/web' } }),
        query({}, { onBehalfOf: 'user_456' }),
        query({}, { depth: 2, via: ['agent-between'] }),
        query({}, { depth: 0 }),
      ]),
    ).toEqual([
      'ask allow',
      'deny deny',
      'deny deny',
      'deny deny',
      'deny deny',
      'deny deny',
      'ask ask',
      'ask ask',
      'ask ask',
      'ask ask',
      'ask ask',
      'ask allow',
    ]);
  });

  it('still asks about requests by proofs that people cannot approve [C11]', async () => {
    const any = '@id("merge") @approval("managers") permit (principal, action, resource);';
    const proofs = (['signature', 'dpop', 'bearer', 'mtls', 'web-bot-auth', 'local'] as const).map((possession) =>
      query({}, { possession }),
    );
    const [ask, allow] = ['ask ask', 'ask allow'];
    expect(await decisions(any, proofs)).toEqual([allow, ask, ask, ask, ask, ask]);
    expect(await decisions(any, proofs, { possession: 'local' })).toEqual([ask, ask, ask, ask, ask, allow]);
  });

  it('still asks where another permit asks, too [C11]', async () => {
    const policies = `${merge}
      @id("bearer") @approval("security") permit (principal, action, resource is Repo in Org::"acme")
        when { context.possession == "bearer" } unless { context.scope.contains("a:b") };
      @id("far") @approval("security") permit (principal in Role::"intern", action, resource)
        when { context.proof == "issuer" };
      @id("docs") @approval("security") permit (principal, action, resource is Doc) when { resource.secret };
      @id("others") @approval("security") permit (principal == Agent::"agent-b", action, resource);
      @id("over") @expires("2020-01-01T00:00:00Z") @approval("security") permit (principal, action, resource);`;
    const narrowed = await narrow(policies);
    expect(narrowed).toMatchObject({
      value: { exceptFor: ['policies.cedar#bearer', 'policies.cedar#far'] },
    });
    const intern = { id: agent, roles: ['reviewer', 'intern'], capabilities: [] };
    const parents = [{ type: 'Org', id: 'acme' }];
    expect(
      await decisions(policies, [
        query(),
        query({ resource: { ...repo, parents } }, { possession: 'bearer' }),
        query({ principal: intern }),
        query({ principal: intern }, { proof: 'signature' }),
      ]),
    ).toEqual(['ask allow', 'ask ask', 'ask ask', 'ask allow']);
  });

  it('loads without a schema, too, as more hops hide no error of the conditions', async () => {
    const before = await cedarFromText({ policies: merge });
    const narrowed = narrowPermit(call, before.policies, { id: 'narrow', expiresAt: now + 60, now });
    const text = narrowed.ok ? narrowed.value.text : narrowed.problem;
    expect(await loads(`${merge}${text}`, '')).toBe('loaded');
  });

  it.each<[string, string, Partial<ApprovedCall>, string]>([
    [
      'the permit that asked is gone',
      merge,
      { policies: ['policies.cedar#other'] },
      "no permit 'policies.cedar#other' asks",
    ],
    ['it asks no more', merge.replace('@approval("managers")', ''), {}, "no permit 'policies.cedar#merge' asks"],
    ['no permit asked', merge, { policies: [] }, "no permit '' asks"],
    ...(
      [
        ['people of another group', { quorums: [{ groups: ['staff'], count: 1 }] }],
        ['people of more groups', { quorums: [{ groups: ['managers', 'staff'], count: 1 }] }],
        ['fewer people', { quorums: [{ groups: ['managers'], count: 1 }] }],
        ['people of whom none was excluded', { excluded: [] }],
        ['people who gave no reason', { reason: 'optional' }],
      ] as const
    ).map(([who, change]): [string, string, Partial<ApprovedCall>, string] => [
      `it was approved by ${who} [C11]`,
      strict,
      { requirement: demand({ ...asStrict, ...change }) },
      'count for nothing; required by policies.cedar#merge: 2 of managers',
    ]),
    ['it has expired', `@expires("2027-01-15T08:00:00Z")${merge}`, {}, 'a policy that asked has expired'],
    [
      'another permit asks about all of it',
      `${merge} @id("all") @approval("security") permit (principal, action == Action::"pr.merge", resource);`,
      {},
      'policies.cedar#all asks about all of it, too',
    ],
    ['no policy can name the resource', merge, { resource: { type: 'Not a type', id: 'x' } }, 'Cedar cannot write it'],
    [
      'the conditions are too deep for one policy',
      merge.replace('unless { resource.frozen }', `when { ${'context.proof == "x" && '.repeat(58)} true }`),
      {},
      'too deep for one policy',
    ],
  ])('is not written if %s', async (_why, policies, change, problem) => {
    const narrowed = await narrow(policies, change);
    expect(narrowed.ok ? narrowed.value.text : narrowed.problem).toContain(problem);
  });

  it('is written if people were asked as the permits ask, in whatever order they are named', async () => {
    expect(await narrow(strict, { requirement: demand(asStrict) })).toMatchObject({ ok: true });
  });

  it('says whose approvals count for nothing, and what the permits demand together [C11]', async () => {
    const two = `${strict} @id("two") @approval("security") permit (principal, action, resource) when { context.proof == "issuer" };`;
    const policies = ['policies.cedar#merge', 'policies.cedar#two'];
    expect(await narrow(two, { policies, requirement: demand(asStrict) })).toEqual({
      ok: false,
      problem:
        'approvals by 2 of managers, each with a reason, not the owner or the subject, decided within 86400 s, used within 600 s count for nothing; required by policies.cedar#merge, policies.cedar#two: 2 of managers and 1 of security, each with a reason, not the subject or the owner, decided within 86400 s, used within 600 s',
    });
  });

  it('ends with the permit that asked, and holds all that asked together', async () => {
    const two = `@expires("2027-01-15T08:00:30Z")${merge} @id("two") @approval("security") permit (principal, action, resource) when { context.request.method == "POST" };`;
    const both = await narrow(two, {
      policies: ['policies.cedar#two', 'policies.cedar#merge'],
      requirement: demand({
        quorums: ['managers', 'security'].map((group) => ({ groups: [group], count: 1 })),
      }),
    });
    expect(both.ok && both.value.text).toMatch(
      /^@expires\("2027-01-15T08:00:30Z"\)[\s\S]*"POST"[\s\S]*resource\.frozen/,
    );
  });

  it.each<[string, Partial<ApprovedCall>, string]>([
    [
      'itself',
      { subject: { id: agent, type: 'agent' }, hops: 0 },
      '(!(context has onBehalfOf)) && (!(context has onBehalfOfAgent))',
    ],
    ['another agent', { subject: { id: 'agent-a', type: 'agent' } }, 'context.onBehalfOfAgent == Agent::"agent-a"'],
    [
      'a user with a name that would be more',
      { subject: { id: 'x"); permit(', type: 'user' } },
      String.raw`User::"x\"); permit("`,
    ],
    ['a user with a hidden character', { subject: { id: 'a\u202eb', type: 'user' } }, String.raw`User::"a\u{202e}b"`],
  ])('is for an agent that acts for %s', async (_whom, change, expected) => {
    const narrowed = await narrow(merge, change);
    expect(narrowed.ok && narrowed.value.text.replace(/\s+/g, ' ')).toContain(expected);
  });
});
