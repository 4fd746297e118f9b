import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../../src/cedar/from-source.js';
import type { Resource } from '../../../src/engine.js';
import { REPO_SCHEMA, reviewerQuery } from '../../query.js';

const { context } = reviewerQuery();

const ENTITIES: readonly Resource[] = [
  { type: 'Role', id: 'reviewer', parents: [{ type: 'Role', id: 'engineer' }] },
  { type: 'Role', id: 'engineer', parents: [{ type: 'Role', id: 'staff' }] },
  { type: 'User', id: 'user_123', parents: [{ type: 'Group', id: 'payments' }] },
];

function namedBy(role: string): string {
  return `permit(principal is Agent, action, resource) when { [Role::"${role}"].contains(Role::"reviewer") || Role::"${role}" in Role::"staff" };`;
}

describe.each([
  ['with a schema', REPO_SCHEMA],
  ['without a schema', undefined],
])('known entities, %s', (_title, schema) => {
  async function decides(policies: string, change = {}): Promise<string> {
    const engine = await cedarFromText({ policies, entities: ENTITIES, ...(schema && { schema }) });
    return engine.decide(reviewerQuery(change)).decision;
  }

  it('apply to roles of roles in scopes and conditions', async () => {
    for (const role of ['reviewer', 'engineer', 'staff']) {
      expect(await decides(`permit(principal in Role::"${role}", action, resource);`)).toBe('allow');
      expect(await decides(`permit(principal, action, resource) when { principal in Role::"${role}" };`)).toBe('allow');
    }
    expect(await decides('permit(principal in Role::"other", action, resource);')).toBe('deny');
    expect(
      await decides('permit(principal in Role::"staff", action, resource);', {
        principal: { id: 'a', roles: ['other'], capabilities: [] },
      }),
    ).toBe('deny');
  });

  it('apply to the groups of a user', async () => {
    const policies =
      'permit(principal, action, resource) when { context has onBehalfOf && context.onBehalfOf in Group::"payments" };';
    expect(await decides(policies)).toBe('allow');
    expect(await decides(policies, { context: { ...context, onBehalfOf: 'user_456' } })).toBe('deny');
  });

  it('apply to an entity that only a policy names', async () => {
    expect(await decides(namedBy('engineer'))).toBe('allow');
    if (schema === undefined) expect(await decides(namedBy('intern'))).toBe('deny');
  });
});

const user = (id: string): { type: string; id: string } => ({ type: 'User', id });
const paper = (attributes: Readonly<Record<string, unknown>>): Resource => ({ type: 'Paper', id: 'p', attributes });

describe('known entities that an attribute names', () => {
  const schema = `entity Paper = { author?: User, readers?: Set<User>, review?: { by?: User } };
action "paper.read" appliesTo { principal: [Agent], resource: [Paper, Desk], context: AgentContext };
entity Desk = { paper?: Paper };`;
  const entities: readonly Resource[] = [
    { type: 'User', id: 'mallory', parents: [{ type: 'Group', id: 'banned' }] },
    { type: 'Group', id: 'banned', parents: [{ type: 'Group', id: 'watched' }] },
    { type: 'Paper', id: 'known', attributes: { author: user('mallory') } },
  ];

  it.each<[string, string, Resource]>([
    [
      'of a resource',
      'resource is Paper && resource has author && resource.author in Group::"banned"',
      paper({ author: user('mallory') }),
    ],
    [
      'through several groups',
      'resource is Paper && resource has author && resource.author in Group::"watched"',
      paper({ author: user('mallory') }),
    ],
    [
      'in a record',
      'resource is Paper && resource has review.by && resource.review.by in Group::"banned"',
      paper({ review: { by: user('mallory') } }),
    ],
    [
      'of a known resource',
      'resource is Paper && resource has author && resource.author in Group::"banned"',
      { type: 'Paper', id: 'known' },
    ],
    [
      'of a known entity that an attribute names',
      'resource is Desk && resource has paper && resource.paper has author && resource.paper.author in Group::"banned"',
      { type: 'Desk', id: 'd', attributes: { paper: { type: 'Paper', id: 'known' } } },
    ],
  ])('are in their groups: %s [D15]', async (_title, condition, resource) => {
    const policies = `permit(principal, action, resource); @id("ban") forbid(principal, action, resource) when { ${condition} };`;
    const engine = await cedarFromText({ policies, schema, entities });
    const query = reviewerQuery({ action: 'paper.read', resource });
    expect(engine.decide(query)).toMatchObject({ decision: 'deny', cause: 'policy', policies: ['policies.cedar#ban'] });
    const other = paper({ author: user('alice'), readers: [user('mallory')], review: { by: user('alice') } });
    expect(engine.decide({ ...query, resource: other })).toMatchObject({ decision: 'allow' });
  });
});

describe('request entities that form a cycle with known entities deny [M5]', () => {
  const known: readonly Resource[] = [
    { type: 'Folder', id: 'f', parents: [{ type: 'Folder', id: 'g' }] },
    { type: 'Folder', id: 'g', parents: [{ type: 'Folder', id: 'h' }] },
    { type: 'Role', id: 'reviewer', parents: [{ type: 'Agent', id: 'agent-code-reviewer-01' }] },
  ];
  const open = { type: 'Folder', id: 'x', parents: [{ type: 'Folder', id: 'f' }] };
  const closed = { type: 'Folder', id: 'h', parents: [{ type: 'Folder', id: 'f' }] };

  it.each(['permit(principal, action, resource);', 'permit(principal, action, resource in Folder::"g");'])(
    'as Cedar itself does, by %s',
    async (policies) => {
      const engine = await cedarFromText({ policies, entities: known.slice(0, 2) });
      expect(engine.decide(reviewerQuery({ resource: open }))).toMatchObject({ decision: 'allow' });
      expect(engine.decide(reviewerQuery({ resource: closed }))).toMatchObject({
        decision: 'deny',
        cause: 'error',
        errors: ['Folder::"h" is in itself, by its parents and the entities beside the policies'],
      });
    },
  );

  it('through the roles of the principal', async () => {
    const engine = await cedarFromText({ policies: 'permit(principal, action, resource);', entities: known });
    expect(engine.decide(reviewerQuery())).toMatchObject({ decision: 'deny', cause: 'error' });
  });
});

/** Roles, each in the next one. */
function chain(length: number): readonly Resource[] {
  return Array.from({ length }, (_, place) => ({
    type: 'Role',
    id: `r${place}`,
    parents: [{ type: 'Role', id: `r${place + 1}` }],
  }));
}

describe('invalid entities stop the start', () => {
  it('when one has too many ancestors, which takes Cedar seconds [M4]', async () => {
    const policies = 'permit(principal, action, resource);';
    await cedarFromText({ policies, entities: chain(256) });
    await expect(cedarFromText({ policies, entities: chain(257) })).rejects.toThrow(
      /: entity 0: Role::"r0" is in more than 256 others, directly or not\. Use fewer levels, or fewer parents\./,
    );
    const wide = Array.from({ length: 257 }, (_, place) => ({ type: 'Group', id: `g${place}` }));
    const user = { type: 'User', id: 'u', parents: wide };
    await expect(cedarFromText({ policies, entities: [user] })).rejects.toThrow(/entity 0: User::"u" is in more than/);
  });

  const faults: Record<string, [unknown, RegExp]> = {
    'an agent': [{ type: 'Agent', id: 'a' }, /entity 0: .*roles come with the agent/],
    'an action': [{ type: 'Action', id: 'a' }, /Action is no type of resource/],
    'one twice': [{ type: 'Role', id: 'a' }, /entity 1: .*stands there twice/],
    'its own parent': [{ type: 'Role', id: 'b', parents: [{ type: 'Role', id: 'b' }] }, /itself/],
    'an escape of Cedar': [{ type: 'Role', id: 'b', attributes: { __entity: 'x' } }, /reserved key/],
    'parents by another name': [
      { type: 'Role', id: 'b', parent: [] },
      /entity 0: .*'parent'. Did you mean 'parents'\?/,
    ],
    'attributes by another name': [{ type: 'Role', id: 'b', attrs: {} }, /'attrs'. Known members: .*attributes/],
    "a parent in Cedar's form": [{ type: 'Role', id: 'b', parents: [{ __entity: {} }] }, /of a parent '__entity'/],
    nothing: [null, /entity 0: /],
    'no type': [{ id: 'x' }, /entity 0: /],
    'parents that are no list': [{ type: 'Role', id: 'b', parents: {} }, /entity 0: /],
  };
  for (const [name, [entity, message]] of Object.entries(faults)) {
    it(name, async () => {
      const entities = (name === 'one twice' ? [entity, entity] : [entity]) as readonly Resource[];
      const source = { policies: 'permit(principal, action, resource);', entities };
      await expect(cedarFromText(source)).rejects.toThrow(message);
    });
  }

  it('when the schema does not allow them, or they form a cycle', async () => {
    const policies = 'permit(principal, action, resource);';
    const circle = [
      { type: 'Role', id: 'a', parents: [{ type: 'Role', id: 'b' }] },
      { type: 'Role', id: 'b', parents: [{ type: 'Role', id: 'a' }] },
    ];
    await expect(cedarFromText({ policies, entities: circle })).rejects.toThrow(/entities: /);
    const unknown = [{ type: 'Role', id: 'a', attributes: { level: 1 } }];
    await expect(cedarFromText({ policies, schema: REPO_SCHEMA, entities: unknown })).rejects.toThrow(/entities: /);
  });
});

it('a query with details of a known entity is denied', async () => {
  const engine = await cedarFromText({ policies: 'permit(principal, action, resource);', entities: ENTITIES });
  const resource = { type: 'Role', id: 'engineer' };
  expect(engine.decide(reviewerQuery({ resource })).decision).toBe('allow');
  expect(engine.decide(reviewerQuery({ resource: { ...resource, parents: [] } }))).toMatchObject({
    decision: 'deny',
    cause: 'error',
  });
});

it('known entities are part of the hash', async () => {
  const policies = 'permit(principal, action, resource);';
  const hashes = [[], ENTITIES, ENTITIES.slice(1)].map(
    async (entities) => (await cedarFromText({ policies, entities })).policySet,
  );
  expect(new Set([...(await Promise.all(hashes)), (await cedarFromText({ policies })).policySet]).size).toBe(3);
});
