import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { cedarFromText } from '../../src/cedar/from-source.js';
import { freshCedar } from '../../src/cedar/instance/instance.js';
import { limitFlawOf } from '../../src/cedar/text/limit-flaw.js';
import type { PolicyDecision, PolicyQuery } from '../../src/engine.js';
import { reviewerQuery } from '../query.js';

const has = 'context has authorizationDetails.privileges';
const holds = 'context.authorizationDetails.privileges.contains("x")';

/** Conditions that more history or further details can only make true, and those that they can only make false. */
const rising = ['context.depth > 1', 'context.via.contains(Agent::"b")', `${has} && !${holds}`];
const falling = ['context.depth <= 1', '!context.via.contains(Agent::"b")', `if ${has} then ${holds} else true`];

/** Conditions that do not change, some of which can fail. */
const constant = [
  'context.scope.contains("a:b")',
  'context.proof == "issuer"',
  'resource.open',
  'resource.size * resource.size >= 0',
];
const unvalidated = [
  ...constant,
  'resource has open && resource.open',
  '!(resource has open) || resource.open',
  'context.onBehalfOfAgent.level > 3',
];

type Expression = fc.Arbitrary<string>;

/** Policies of the action ACTION in which each use of history and details has its direction. */
function policiesOf(fixed: readonly string[]): Expression {
  const { up, down } = fc.letrec<{ up: string; down: string }>((tie) => {
    const expression = (own: 'up' | 'down', facts: readonly string[]): Expression => {
      const [same, opposite] = [tie(own), tie(own === 'up' ? 'down' : 'up')];
      const test = fc.constantFrom(...fixed);
      return fc.oneof(
        { maxDepth: 2 },
        fc.constantFrom(...facts, ...fixed).map((text) => `(${text})`),
        fc.tuple(same, fc.constantFrom('&&', '||'), same).map((parts) => `(${parts.join(' ')})`),
        opposite.map((text) => `!(${text})`),
        fc.tuple(same, same).map(([when, then]) => `(if ${when} then ${then} else false)`),
        fc.tuple(opposite, same).map(([when, otherwise]) => `(if ${when} then ${otherwise} else true)`),
        fc.tuple(test, same, same).map(([when, ...both]) => `(if ${when} then ${both.join(' else ')})`),
      );
    };
    return { up: expression('up', rising), down: expression('down', falling) };
  });
  const clauses = (when: Expression, unless: Expression): Expression => {
    const clause = fc.oneof(
      when.map((text) => `when { ${text} }`),
      unless.map((text) => `unless { ${text} }`),
    );
    return fc.array(clause, { maxLength: 2 }).map((texts) => texts.join(' '));
  };
  const head = '(principal, action == ACTION, resource)';
  const approval = fc.constantFrom('', '@approval("a")', '@approval("b")');
  return fc.oneof(
    clauses(up, down).map((text) => `forbid${head} ${text};`),
    fc.tuple(approval, clauses(down, up)).map(([annotation, text]) => `${annotation} permit${head} ${text};`),
  );
}

/** In each direction of this table there are more of them. */
const contexts = [[], ['a'], ['a', 'b']].map((via) =>
  [undefined, ['x', 'y'], ['y']].map((privileges) => ({
    depth: via.length,
    via,
    ...(privileges && { authorizationDetails: { types: ['Repo'], privileges } }),
  })),
);
const cells = contexts.flatMap((row, down) => row.map((context, right) => ({ down, right, context })));

const actions = Array.from({ length: 8 }, (_, index) => `a${index}`);
const schema = `entity Repo { open: Bool, size: Long };
action ${actions.join(', ')} appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;
const complete = [
  { open: true, size: 1 },
  { open: false, size: Number.MAX_SAFE_INTEGER },
];

it.each([
  ['with a schema', { schema, fixed: constant, resources: complete }],
  ['without a schema', { schema: undefined, fixed: unvalidated, resources: [...complete, { size: 1 }] }],
])(
  'more history and details never permit, lift an error, or take away people who must approve, %s [C4] [C6]',
  async (_how, { schema: text, fixed, resources }) => {
    const cedar = freshCedar();
    const loads = (policy: string): boolean => {
      const answer = cedar.policyToJson(policy.replace('ACTION', 'Action::"a0"'));
      if (answer.type === 'failure') throw new Error(policy);
      const flaw = limitFlawOf(answer.json);
      return flaw === undefined || (text !== undefined && flaw === 'error-without-schema');
    };
    const seen = { refused: 0, errors: 0, asked: 0, allowed: 0, denied: 0 };
    const sets = fc.tuple(...actions.map(() => fc.array(policiesOf(fixed), { minLength: 2, maxLength: 4 })));
    await fc.assert(
      fc.asyncProperty(sets, async (drawn) => {
        const kept = drawn.map((set) => set.filter(loads));
        seen.refused += drawn.flat().length - kept.flat().length;
        const policies = kept.flatMap((set, index) => set.map((each) => each.replace('ACTION', `Action::"a${index}"`)));
        if (policies.length === 0) return;
        const engine = await cedarFromText({ policies: policies.join('\n'), ...(text && { schema: text }) });
        for (const [index, set] of kept.entries()) {
          for (const attributes of resources) {
            const decided = cells.map(({ context, ...cell }) => {
              const decision = engine.decide(queryOf(`a${index}`, attributes, context));
              seen[kindOf(decision)]++;
              return { ...cell, decision };
            });
            const widened = decided.flatMap((less) =>
              decided
                .filter(({ down, right }) => down >= less.down && right >= less.right)
                .filter((more) => !isWithin(more.decision, less.decision))
                .map((more) => ({ set, attributes, less, more })),
            );
            expect(widened).toEqual([]);
          }
        }
        await engine.close?.();
      }),
      { numRuns: 15 },
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(20);
  },
);

function queryOf(
  action: string,
  attributes: Readonly<Record<string, boolean | number>>,
  context: Pick<PolicyQuery['context'], 'depth' | 'via' | 'authorizationDetails'>,
): PolicyQuery {
  const query = reviewerQuery({ action, resource: { type: 'Repo', id: 'acme/api', attributes } });
  return { ...query, context: { ...query.context, ...context } };
}

function kindOf({ decision, cause, approval }: PolicyDecision): 'errors' | 'asked' | 'allowed' | 'denied' {
  if (cause === 'error') return 'errors';
  if (decision === 'deny') return 'denied';
  return approval === undefined ? 'allowed' : 'asked';
}

/** Whether a decision allows only what another one does, and asks at least the people that the other one does. */
function isWithin(inner: PolicyDecision, outer: PolicyDecision): boolean {
  if (inner.decision === 'deny') return true;
  return outer.decision === 'allow' && groupsOf(outer).every((group) => groupsOf(inner).includes(group));
}

function groupsOf({ approval }: PolicyDecision): string[] {
  return (approval?.quorums ?? []).flatMap(({ groups }) => groups);
}
