import type { EntityJson } from '@cedar-policy/cedar-wasm/nodejs';
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import type { CedarRequest } from '../../../src/cedar/request/request.js';
import { LivePolicies } from '../../../src/cedar/evaluate/live-policies.js';
import type { PolicySet } from '../../../src/cedar/load/policy-set.js';
import { readPolicySet } from '../../../src/cedar/load/read-policy-set.js';
import { readSchema } from '../../../src/cedar/load/schema.js';
import type { Resource } from '../../../src/engine.js';
import { comparable, fullEvaluation } from './full-evaluation.js';

/** `pnpm differential` sets many. */
const RUNS = Number(process.env['COUNTERSIGN_DIFFERENTIAL_RUNS'] ?? 40);

const SCHEMA = `
entity Group in [Group]; entity Role in [Role]; entity Org in [Org];
entity User in [Group] = { level?: Long };
entity Agent in [Role] = { level?: Long } tags Long;
entity Person in [Group] = { boss?: Person };
entity Repo in [Org] = { owner?: Agent, keeper?: Person };
entity Color enum ["a", "b"];
type AgentContext = { k1?: Long, k2?: { n?: Long }, user?: User, tags?: Set<String>,
  details?: { types: Set<String>, actions?: Set<String> }, request?: { method: String, path?: String } };
action "g1"; action "g2" in [Action::"g1"];
action "x" in [Action::"g2"] appliesTo { principal: [Agent], resource: [Repo, Role, Color, Agent], context: AgentContext };
action "y" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
namespace N {
  entity Bot in [Team]; entity Team in [Team]; entity Box;
  action "group";
  action "nx" in [Action::"group"] appliesTo { principal: [Bot], resource: [Box], context: AgentContext };
}`;

const id = fc.constantFrom('a', 'a', 'a', 'a', 'b', 'b', 'c', 'd', 'd', '', '__proto__', 'q"uote', 'é');
const entity = (...types: string[]): fc.Arbitrary<{ type: string; id: string }> =>
  fc.record({ type: fc.constantFrom(...types), id });
const literal = (...types: string[]): fc.Arbitrary<string> =>
  entity(...types).map(({ type, id: name }) => `${type}::${JSON.stringify(name)}`);
const X = { type: 'Action', id: 'x' };
const Y = { type: 'Action', id: 'y' };
const NX = { type: 'N::Action', id: 'nx' };
const actionLiteral = fc.constantFrom(
  'Action::"x"',
  'Action::"y"',
  'Action::"g1"',
  'Action::"g2"',
  'N::Action::"nx"',
  'N::Action::"group"',
);

const scope = fc
  .tuple(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('principal', 'principal', 'principal is Agent', 'principal is N::Bot') },
      literal('Agent', 'N::Bot').map((it) => `principal == ${it}`),
      literal('Role', 'Agent', 'N::Team').map((it) => `principal in ${it}`),
      literal('Role').map((it) => `principal is Agent in ${it}`),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('action', 'action', 'action', 'action in []') },
      actionLiteral.map((it) => `action == ${it}`),
      actionLiteral.map((it) => `action in ${it}`),
      fc.array(actionLiteral, { maxLength: 3 }).map((list) => `action in [${list.join(', ')}]`),
    ),
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom('resource', 'resource', 'resource is Repo', 'resource is Role') },
      literal('Repo', 'Role', 'Color').map((it) => `resource == ${it}`),
      literal('Org', 'Repo').map((it) => `resource in ${it}`),
      literal('Org').map((it) => `resource is Repo in ${it}`),
    ),
  )
  .map((parts) => parts.join(', '));

/** Conditions that read different things. Some fail on some requests, some always. */
const condition = fc.oneof(
  fc.constantFrom(
    'context.k1 == 1',
    'context has k1',
    'context.k2.n > 0',
    'context has k2.n && context["k2"]["n"] == 1',
    'context.tags like "a*"',
    'context.tags == ["a", "b"]',
    'context.details.types == context.tags',
    'context == {k1: 1}',
    '{x: context}.x.k1 == 1',
    '(if context has k1 then context else {k1: 2}).k1 == 2',
    '[context].contains({k1: 1})',
    'context.k1 + 9223372036854775807 > 0',
    'context.request.method like "P*"',
    'context.user.level > 1',
    'context has user.level',
    'context has user && context.user has level',
    'principal has level && principal.level > 1',
    'principal.level == 1',
    'principal.hasTag("t")',
    'resource.owner == principal',
    'resource has owner && resource.owner.level == 1',
    'principal == resource',
    'resource is Repo',
    'resource is Repo in Org::"a"',
    'action == Action::"x"',
    'true',
    'ip("10.0.0.1").isIpv4()',
    '[resource, principal].contains(Repo::"a")',
    'Role::"a" in Role::"b"',
    'Role::"b" in [Role::"c", Role::"a"]',
    '!(context.k1 < 2)',
    '-context.k1 == -1',
    'ip(context.request.method).isIpv4()',
    '{a: principal}.a in Role::"c"',
  ),
  literal('Group', 'User').map((it) => `context.user in ${it}`),
  literal('User').map((it) => `context.user == ${it}`),
  literal('User').map((it) => `context has user && ${it} != context.user`),
  literal('Agent', 'User').map((it) => `context has user && (context.user == ${it} || context.user has level)`),
  id.map((it) => `context.tags.contains(${JSON.stringify(it)})`),
  id.map((it) => `context has tags && !context.tags.contains(${JSON.stringify(it)})`),
  id.map((it) => `context has tags && (context.tags.contains(${JSON.stringify(it)}) || context.tags.isEmpty())`),
  id.map((it) => `context.details.types.contains(${JSON.stringify(it)})`),
  id.map((it) => `context has details.actions && !context.details.actions.contains(${JSON.stringify(it)})`),
  id.map((it) => `context has details && context.details == {types: [${JSON.stringify(it)}]}`),
  id.map((it) => `context has details && context.details.types.containsAny([${JSON.stringify(it)}, "b"])`),
  literal('Group').map((it) => `resource has keeper && resource.keeper in ${it}`),
  literal('Group').map((it) => `resource has keeper && resource.keeper has boss && resource.keeper.boss in ${it}`),
  literal('Role').map((it) => `principal in ${it}`),
  literal('Org').map((it) => `resource in ${it}`),
  literal('Org').map((it) => `resource is Repo in ${it}`),
  literal('Repo', 'Role', 'Agent').map((it) => `resource == ${it}`),
  literal('Agent').map((it) => `principal == ${it}`),
  actionLiteral.map((it) => `action in ${it}`),
  actionLiteral.map((it) => `action == ${it}`),
);

/** Texts and patterns of few characters, so that they match often. A star in a pattern is a wildcard or is escaped. */
const character = fc.constantFrom('a', 'b', '/', '*', 'é', 'e\u0301', '𝒳', '\0', '\\');
const path = fc.string({ unit: character, maxLength: 6 });
const quoted = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('\0', '\\0')}"`;
const pattern = fc
  .array(
    fc.oneof(
      fc.constant('*'),
      character.map((each) => quoted(each).slice(1, -1).replace('*', '\\*')),
    ),
    { maxLength: 6 },
  )
  .map((parts) => `"${parts.join('')}"`);
const PATH = 'context.request.path';
/** Conditions that only compare a path; the last of them read it otherwise, too. */
const pathCondition = fc
  .array(
    fc.oneof(
      { weight: 4, arbitrary: pattern.map((it) => `${PATH} like ${it}`) },
      pattern.map((it) => `context["request"]["path"] like ${it}`),
      path.map((it) => `${PATH} == ${quoted(it)}`),
      path.map((it) => `${quoted(it)} != ${PATH}`),
      fc.constantFrom(`context.request has path`, `context has request.path`, 'context.request.method == "GET"'),
      fc.constantFrom(
        `${PATH} == context.request.method`,
        `["a", "b"].contains(${PATH})`,
        'context.request == {path: "a"}',
      ),
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => `context has request.path && (${all.join(' || ')})`);

const clause = fc.tuple(
  fc.constantFrom('when', 'unless'),
  fc.oneof({ weight: 3, arbitrary: condition }, pathCondition),
);
const policyOf = (heads: fc.Arbitrary<string>, clauses: fc.Arbitrary<[string, string][]>): fc.Arbitrary<string> =>
  fc.tuple(fc.constantFrom('permit', 'forbid'), heads, clauses).map(([effect, head, clauses]) => {
    // A permit must not read the context as a whole.
    const whole = clauses.some(([, body]) => /(?<!\.)\bcontext\b(?!\.|\["| has)/.test(body));
    const text = clauses.map(([kind, body]) => ` ${kind} { ${body} }`).join('');
    return `${whole ? 'forbid' : effect}(${head})${text};`;
  });

const anything = fc.constant('principal, action, resource');
const aboutOne = fc
  .oneof(fc.constantFrom('Role::"d"', 'Repo::"a"', 'Color::"a"'), literal('Repo', 'Role'))
  .map((it) => `principal, action, resource == ${it}`);
const permitAll = 'permit(principal, action, resource);';
const policies = fc.oneof(
  fc.array(
    fc.oneof(fc.constant(permitAll), { weight: 4, arbitrary: policyOf(scope, fc.array(clause, { maxLength: 2 })) }),
    { minLength: 1, maxLength: 12 },
  ),
  // A single policy whose scope always holds, so that no other policy's reads hide a missing one.
  {
    weight: 4,
    arbitrary: policyOf(anything, fc.tuple(clause)).map((one) => (one.startsWith('forbid') ? [permitAll, one] : [one])),
  },
  policyOf(scope, fc.constant([])).map((one) => [permitAll, one]),
  // So many of the same scope that they are evaluated apart.
  fc
    .tuple(
      fc.array(policyOf(anything, fc.array(clause, { maxLength: 2 })), { minLength: 9, maxLength: 11 }),
      fc.array(policyOf(fc.oneof(aboutOne, scope), fc.array(clause, { maxLength: 1 })), { minLength: 2, maxLength: 6 }),
      fc.boolean(),
    )
    .map(([general, ofOne, first]) => (first ? [...ofOne, ...general] : [...general, ...ofOne])),
);

/** Known entities. Parents come later in the alphabet, so that there is no cycle. */
const known = fc.uniqueArray(
  fc
    .record({
      type: fc.constantFrom('Role', 'Group', 'Org', 'Person'),
      id: fc.constantFrom('a', 'b', 'c'),
      up: fc.constantFrom('b', 'c', 'd'),
    })
    .map(({ type, id: name, up }): Resource => {
      // Reached only by an attribute of a resource, or of another person.
      if (type === 'Person')
        return { type, id: name, parents: [{ type: 'Group', id: name }], attributes: { boss: { type, id: up } } };
      return { type, id: name, parents: up > name ? [{ type, id: up }] : [] };
    }),
  { selector: (each) => `${each.type} ${each.id}` },
);
/** With it, a resource `Role::"d"` in `Role::"a"` is in a cycle, and Cedar refuses the request. */
const LOOP: Resource = { type: 'Role', id: 'a', parents: [{ type: 'Role', id: 'd' }] };
const knownOrLoop = fc.oneof(
  known,
  known.map((all) => [LOOP, ...all.filter(({ type, id }) => type !== LOOP.type || id !== LOOP.id)]),
);

const value = <T>(arbitrary: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(arbitrary, { nil: undefined });
const defined = <T extends object>(record: T): T =>
  Object.fromEntries(Object.entries(record).filter(([, each]) => each !== undefined)) as T;

/** Principal, action and resource of any types. */
const anyhow = fc.record({
  principal: entity('Agent', 'Agent', 'N::Bot'),
  action: fc.constantFrom(X, Y, NX),
  resource: entity('Repo', 'Repo', 'N::Box', 'Role', 'Color', 'Agent'),
});
/** Types as in the schema: Cedar refuses all others as invalid. */
const fitting = fc.oneof(
  { weight: 2, arbitrary: fc.record({ principal: entity('Agent'), action: fc.constant(X), resource: entity('Role') }) },
  fc.record({
    principal: entity('Agent'),
    action: fc.constant(X),
    resource: fc.constantFrom('a', 'b').map((color) => ({ type: 'Color', id: color })),
  }),
  {
    weight: 2,
    arbitrary: fc.record({
      principal: entity('Agent'),
      action: fc.constantFrom(X, Y),
      resource: entity('Repo', 'Repo', 'Agent'),
    }),
  },
  fc.record({ principal: entity('N::Bot'), action: fc.constant(NX), resource: entity('N::Box') }),
);

const level = value(fc.integer({ min: 0, max: 2 }));
const texts = fc.array(id, { maxLength: 3 });
const circumstances = fc.record({
  user: value(id),
  context: fc.record({
    k1: value(fc.constantFrom(0, 1, 2)),
    k2: value(fc.constantFrom({}, { n: 0 }, { n: 1 })),
    tags: value(texts),
    details: value(fc.record({ types: texts, actions: value(texts) }).map(defined)),
    request: value(
      fc
        .record({
          method: fc.constantFrom('POST', 'GET', 'a'),
          path: value(fc.oneof(path, fc.constantFrom('a', 'b', '*'))),
        })
        .map(defined),
    ),
  }),
  level,
  userLevel: level,
  roles: fc.subarray(['a', 'b', 'c', 'é']),
  /** Parents of a resource of type Role; with the known entities they can form a cycle. */
  within: fc.constantFrom(['a'], ['a', 'b'], ['b'], []),
  orgs: fc.subarray(['a', 'b']),
  groups: fc.subarray(['a', 'b', 'c']),
  owner: value(fc.oneof({ weight: 6, arbitrary: id }, fc.constant(7))),
  keeper: value(fc.constantFrom('a', 'b', 'c', 'd')),
  tag: fc.boolean(),
});
const drawnFor = (validated: boolean) =>
  fc
    .tuple(validated ? fc.oneof({ weight: 7, arbitrary: fitting }, anyhow) : anyhow, circumstances)
    .map(([asked, around]) => ({ ...asked, ...around }));

type Drawn = ReturnType<typeof drawnFor> extends fc.Arbitrary<infer T> ? T : never;

const PLAIN: Drawn = {
  principal: { type: 'Agent', id: 'a' },
  action: X,
  resource: { type: 'Role', id: 'd' },
  user: undefined,
  context: { k1: undefined, k2: undefined, tags: undefined, details: undefined, request: undefined },
  level: undefined,
  userLevel: undefined,
  roles: [],
  within: [],
  orgs: [],
  groups: [],
  owner: undefined,
  keeper: undefined,
  tag: false,
};
const oneOf = (resource: Drawn['resource'], change: Partial<Drawn> = {}): Drawn => ({ ...PLAIN, resource, ...change });
const when = (condition: string): string => `permit(principal, action, resource) when { ${condition} };`;

/** Cases that random ones rarely cover, such as those in which the key must contain the resource id. */
const EXAMPLES: [string[], Resource[], [Drawn, Drawn]][] = [
  [[when('resource == Role::"d"')], [], [PLAIN, PLAIN]],
  [[when('Repo::"d" has owner')], [], [oneOf({ type: 'Repo', id: 'a' }, { owner: 'a' }), PLAIN]],
  [[permitAll], [], [oneOf({ type: 'Color', id: 'a' }), PLAIN]],
  [[permitAll], [LOOP], [oneOf({ type: 'Role', id: 'é' }, { within: ['a'] }), PLAIN]],
  [[permitAll], [], [oneOf({ type: 'Repo', id: 'a' }, { owner: 'a' }), oneOf({ type: 'Repo', id: 'a' }, { owner: 7 })]],
  [
    [permitAll, `forbid(principal, action, resource) when { resource has keeper && resource.keeper in Group::"b" };`],
    [{ type: 'Person', id: 'a', parents: [{ type: 'Group', id: 'b' }] }],
    [oneOf({ type: 'Repo', id: 'a' }, { keeper: 'a' }), oneOf({ type: 'Repo', id: 'a' }, { keeper: 'c' })],
  ],
];

function requestFrom(drawn: Drawn): CedarRequest {
  const { principal, resource, user } = drawn;
  const entities: EntityJson[] = [
    {
      uid: principal,
      attrs: principal.type === 'Agent' ? (defined({ level: drawn.level }) as EntityJson['attrs']) : {},
      parents: drawn.roles.map((name) => ({ type: principal.type === 'Agent' ? 'Role' : 'N::Team', id: name })),
      ...(drawn.tag && principal.type === 'Agent' ? { tags: { t: 1 } } : {}),
    },
  ];
  if (resource.type === 'Repo') {
    const owner = typeof drawn.owner === 'string' ? { __entity: { type: 'Agent', id: drawn.owner } } : drawn.owner;
    const keeper = drawn.keeper && { __entity: { type: 'Person', id: drawn.keeper } };
    const attrs = defined({ owner, keeper }) as EntityJson['attrs'];
    entities.push({ uid: resource, attrs, parents: drawn.orgs.map((name) => ({ type: 'Org', id: name })) });
  }
  // A query must not describe a known entity.
  if (resource.type === 'Role' && !/^[abc]$/.test(resource.id)) {
    entities.push({ uid: resource, attrs: {}, parents: drawn.within.map((name) => ({ type: 'Role', id: name })) });
  }
  if (user !== undefined) {
    const parents = drawn.groups.map((name) => ({ type: 'Group', id: name }));
    const attrs = defined({ level: drawn.userLevel }) as EntityJson['attrs'];
    entities.push({ uid: { type: 'User', id: user }, attrs, parents });
  }
  const context = {
    ...defined(drawn.context),
    ...(user === undefined ? {} : { user: { __entity: { type: 'User', id: user } } }),
  } as CedarRequest['context'];
  return { principal, action: drawn.action, resource, context, entities };
}

/** Requests that differ in one value each: a cached evaluation of one must not be used for another. */
function neighbours([base, other]: [Drawn, Drawn]): CedarRequest[] {
  const paths = ['a', 'b', '*', 'ab', '/', '', other.context.request?.path ?? 'é'].map((path) => ({
    ...base,
    context: { ...base.context, request: { method: base.context.request?.method ?? 'POST', path } },
  }));
  const changes = Object.entries(other).map(([name, value]) => ({ ...base, [name]: value }));
  const resources = [other.resource.id, 'é', 'd'].map((each) => ({ type: base.resource.type, id: each }));
  const principal = { type: base.principal.type, id: other.principal.id };
  const all = [
    base,
    ...resources.map((resource) => ({ ...base, resource })),
    { ...base, principal },
    ...changes,
    ...paths,
    other,
  ];
  return all.map(requestFrom);
}

const cedar = freshCedar();
const problems: string[] = [];
const schema = readSchema(cedar, { 's.cedarschema': SCHEMA }, '', problems);
if (schema === undefined) throw new Error(problems.join());

async function setOf(texts: readonly string[], entities: readonly Resource[], validated: boolean): Promise<PolicySet> {
  const reading = await readPolicySet(cedar, { policies: { 'p.cedar': texts.join('\n') }, entities }, '');
  if (!reading.ok) {
    // Refused when it is loaded, so there is nothing to compare.
    fc.pre(!reading.problems.every((problem) => problem.includes('History may forbid, never permit')));
    throw new Error(reading.problems.join());
  }
  // Read without the schema, so that policies need not be valid: only their evaluation is compared.
  return validated && schema !== undefined ? { ...reading.set, schema } : reading.set;
}

it.each([
  ['without a schema', false],
  ['with a schema', true],
] as const)(
  'index, subsets, projection and memo do not change any result, %s',
  { timeout: 600_000 },
  async (_title, validated) => {
    const seen = { allow: 0, deny: 0, error: 0 };
    const drawn = drawnFor(validated);
    await fc.assert(
      fc.asyncProperty(policies, knownOrLoop, fc.tuple(drawn, drawn), async (texts, entities, pair) => {
        const requests = neighbours(pair);
        const set = await setOf(texts, entities, validated);
        const live = await LivePolicies.start(set, freshCedar());
        const full = fullEvaluation(set);
        // The second pass uses the cache.
        for (const each of [...requests, ...requests]) {
          const expected = full(each);
          seen[expected.ok ? expected.decision : 'error']++;
          expect(comparable(live.evaluate(each), set)).toEqual(comparable(expected, set));
        }
      }),
      { numRuns: RUNS, examples: EXAMPLES },
    );
    // A few runs may see no allow by chance; many runs must see every result.
    const rarest = Math.min(seen.allow, seen.deny, seen.error);
    expect(rarest).toBeGreaterThan(RUNS < 500 ? -1 : 0);
  },
);
