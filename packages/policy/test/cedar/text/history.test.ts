import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../../src/cedar/from-source.js';
import { DRAFTS, REPO_SCHEMA, reviewerQuery } from '../../query.js';
import { loads } from './loads.js';

const scope = 'principal, action == Action::"pr.create", resource';
const bad = 'Agent::"agent-bad"';

describe('history in a policy [C4]', () => {
  it.each([
    `when { context.via.contains(${bad}) }`,
    `unless { context.via.contains(${bad}) }`,
    'when { context.via.isEmpty() }',
    `when { context["via"].contains(${bad}) }`,
    `when { context.depth > 0 && (context.scope.contains("a") || context.via.contains(${bad})) }`,
    `when { {x: context}.x.via.contains(${bad}) }`,
    `when { (if context.depth == 0 then context else context).via.contains(${bad}) }`,
    'when { [context.via].contains([]) }',
    'when { context has via }',
    'when { context has via.x }',
    'when { context == context }',
  ])('a permit is refused at load: %s', async (condition) => {
    expect(await loads(`permit(${scope}) ${condition};`)).toMatch(/policies\.cedar:1: a permit reads context\.via/);
    expect(await loads(`permit(${scope}) ${condition};`, '')).toMatch(/a permit reads context\.via/);
  });

  const good = '[Agent::"agent-good"]';
  /** Conditions that more history can only make true, then those that it can only make false. */
  const rising = [
    'context.via.contains(Agent::"x")',
    `context.via.containsAny(${good})`,
    `${good}.containsAny(context.via)`,
    `context.via.containsAll(${good})`,
    '!context.via.isEmpty()',
    'context["depth"] >= 2',
    '2 < context.depth',
    'context.proof == "issuer" && (context.depth > 2 || !(context.depth == 0))',
    'if context.proof == "issuer" then context.depth > 2 else context.depth > 3',
  ];
  const falling = [
    'context.via.isEmpty()',
    `${good}.containsAll(context.via)`,
    '!context.via.contains(Agent::"x")',
    'context.depth == 0',
    'context.depth <= 2 && 3 > context.depth',
  ];
  const mixed = [
    'context.depth == 2',
    'context.depth != 0',
    '[1, 2].contains(context.depth)',
    'context.depth * -1 > -2',
    'context.depth < context.depth',
    `context.via == ${good}`,
    `[${good}].contains(context.via)`,
    'context.via.containsAny(context.via)',
    'context.depth > 2 && context.via.isEmpty()',
    'if context.depth > 2 then context.depth > 3 else true',
    '{x: context}.x.depth > 2',
  ];
  const lifted = /policies\.cedar:1: more history could lift this forbid/;

  it.each(rising)(
    'forbids when more of it makes a condition true, and not unless it does: %s [C4]',
    async (condition) => {
      expect(await loads(`forbid(${scope}) when { ${condition} };`)).toBe('loaded');
      expect(await loads(`forbid(${scope}) unless { ${condition} };`)).toMatch(lifted);
      expect(await loads(`permit(${scope}) when { ${condition} };`)).toMatch(/a permit reads/);
    },
  );

  it.each(falling)(
    'forbids unless more of it makes a condition false, and not when it does: %s [C4]',
    async (condition) => {
      expect(await loads(`forbid(${scope}) unless { ${condition} };`)).toBe('loaded');
      expect(await loads(`forbid(${scope}) when { ${condition} };`)).toMatch(lifted);
      expect(await loads(`permit(${scope}) unless { ${condition} };`)).toMatch(/a permit reads/);
    },
  );

  it.each(mixed)('is refused where it could change a condition in either direction: %s [C4]', async (condition) => {
    for (const clause of ['when', 'unless']) {
      expect(await loads(`forbid(${scope}) ${clause} { ${condition} };`, '')).toMatch(lifted);
      expect(await loads(`permit(${scope}) ${clause} { ${condition} };`, '')).toMatch(/a permit reads/);
    }
  });

  it.each(['when { context.depth == 0 }', 'when { context.depth <= 2 }', 'unless { context.depth > 2 }'])(
    'may bound the depth of a permit: %s',
    async (condition) => {
      expect(await loads(`permit(${scope}) ${condition};`)).toBe('loaded');
    },
  );

  it('is reported with the permit that reads it', async () => {
    const policies = `${DRAFTS}\npermit(${scope})\nwhen { context.via.contains(${bad}) };`;
    expect(await loads(policies)).toMatch(/policies\.cedar:12: a permit reads/);
  });

  it('may be read by a forbid, and the rest of the context by a permit', async () => {
    const policies = `forbid(${scope}) when { context.via.contains(${bad}) };
      permit(${scope}) when { context.depth < 3 && context has onBehalfOf && context.proof == "issuer" };`;
    const engine = await cedarFromText({ policies, schema: REPO_SCHEMA });
    const { context } = reviewerQuery();
    const through = (via: string[]) => engine.decide(reviewerQuery({ context: { ...context, via } }));
    expect(through([])).toMatchObject({ decision: 'allow', errors: [] });
    expect(through(['agent-good'])).toMatchObject({ decision: 'allow', errors: [] });
    expect(through(['agent-good', 'agent-bad'])).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it('is not confused with an attribute of the resource named via', async () => {
    const schema =
      'entity Repo { via: Set<String> };\naction "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };';
    expect(await loads(`permit(${scope}) when { resource.via.contains("x") };`, schema)).toBe('loaded');
  });
});
