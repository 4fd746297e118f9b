import { describe, expect, it } from 'vitest';
import { loads } from './loads.js';

const scope = 'principal, action == Action::"pr.create", resource';
const has = 'context has authorizationDetails.privileges';
const privileges = 'context.authorizationDetails.privileges';

const granted = /policies\.cedar:1: further context\.authorizationDetails could make this permit apply/;
const lifted = /policies\.cedar:1: further context\.authorizationDetails could lift this forbid/;

describe('authorization details in a policy [C6]', () => {
  /** Conditions that a further limit can only make true, then those that it can only make false. */
  const rising = [
    has,
    'context has authorizationDetails',
    `${has} && !${privileges}.contains("x")`,
    `${has} && !(context.authorizationDetails["privileges"].containsAny(["x", "y"]))`,
    `context has authorizationDetails && context.authorizationDetails has privileges && ["x"].containsAll(${privileges})`,
    `if ${has} then !${privileges}.contains("x") else false`,
    `context.scope.contains("a") || (${has} && !${privileges}.contains("x"))`,
  ];
  const falling = [
    `!(${has})`,
    `if ${has} then ${privileges}.contains("x") else true`,
    `if ${has} then ["x"].containsAny(${privileges}) else true`,
    `context.scope.contains("a") && (if ${has} then ${privileges}.containsAll(["x", "y"]) else true)`,
  ];
  const mixed = [
    `${has} && ${privileges}.contains("x")`,
    `${has} && ${privileges} == ["x"]`,
    `${has} && {x: context.authorizationDetails}.x has actions`,
    `if ${has} then ${privileges}.contains("x") else false`,
    `if ${has} then true else context.scope.contains("a") && !(${has})`,
    `context has authorizationDetails.actions && !(${has})`,
    `${has} && ${privileges}.containsAll(${privileges})`,
  ];

  it.each(rising)(
    'forbids when a further limit makes a condition true, and not unless it does: %s',
    async (condition) => {
      expect(await loads(`forbid(${scope}) when { ${condition} };`)).toBe('loaded');
      expect(await loads(`permit(${scope}) unless { ${condition} };`)).toBe('loaded');
      expect(await loads(`forbid(${scope}) unless { ${condition} };`)).toMatch(lifted);
      expect(await loads(`permit(${scope}) when { ${condition} };`)).toMatch(granted);
    },
  );

  it.each(falling)(
    'permits when a further limit makes a condition false, and not unless it does: %s',
    async (condition) => {
      expect(await loads(`permit(${scope}) when { ${condition} };`)).toBe('loaded');
      expect(await loads(`forbid(${scope}) unless { ${condition} };`)).toBe('loaded');
      expect(await loads(`permit(${scope}) unless { ${condition} };`)).toMatch(granted);
      expect(await loads(`forbid(${scope}) when { ${condition} };`)).toMatch(lifted);
    },
  );

  it.each(mixed)(
    'is refused where a further limit could change a condition in either direction: %s',
    async (condition) => {
      for (const clause of ['when', 'unless']) {
        expect(await loads(`permit(${scope}) ${clause} { ${condition} };`, '')).toMatch(granted);
        expect(await loads(`forbid(${scope}) ${clause} { ${condition} };`, '')).toMatch(lifted);
      }
    },
  );

  it('is refused where a condition fails without a limit, and holds with one', async () => {
    expect(await loads(`permit(${scope}) when { ${privileges}.contains("x") };`, '')).toMatch(granted);
    expect(await loads(`forbid(${scope}) when { !${privileges}.contains("x") };`, '')).toMatch(lifted);
  });

  it('is refused where context as a whole is read, which could reach them', async () => {
    expect(await loads(`permit(${scope}) when { {x: context}.x has authorizationDetails };`)).toMatch(/a permit reads/);
    expect(await loads(`permit(${scope}) when { context has "authorization\\u{44}etails" };`, '')).toMatch(granted);
  });

  it('is not confused with an attribute of the resource', async () => {
    const schema =
      'entity Repo { authorizationDetails: Set<String> };\naction "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };';
    expect(await loads(`permit(${scope}) when { resource.authorizationDetails.contains("x") };`, schema)).toBe(
      'loaded',
    );
  });
});
