import { describe, expect, it } from 'vitest';
import { loads } from './loads.js';

const scope = 'principal, action == Action::"pr.create", resource';
const has = 'context has authorizationDetails.privileges';
const holds = 'context.authorizationDetails.privileges.contains("x")';
const limit = `(if ${has} then ${holds} else true)`;
const fails = 'context.onBehalfOfAgent.level > 3';

/** Fails only where no detail comes first. */
function limited(condition: string): string {
  return `permit(${scope}) when { ${limit} && ${condition} };`;
}

const asks = /policies\.cedar:1: a permit with @approval reads context\.via, context\.depth or context\.authorizationD/;
const hides = /policies\.cedar:1: a condition that can fail is evaluated only if a condition before it/;

describe('a permit with @approval', () => {
  it.each([
    ['when', 'context.depth <= 1'],
    ['unless', 'context.depth > 1'],
    ['when', 'context.depth > 1'],
    ['when', 'context.via.isEmpty()'],
    ['when', limit],
    ['unless', `${has} && !${holds}`],
    ['when', has],
    ['when', '{x: context}.x.depth <= 1'],
  ])('is refused if it reads history or details: %s { %s } [C4] [C6]', async (clause, condition) => {
    const permit = `permit(${scope}) ${clause} { context.scope.contains("a") } ${clause} { ${condition} };`;
    expect(await loads(`@approval("managers") ${permit}`)).toMatch(asks);
    expect(await loads(`@approval("managers") ${permit}`, '')).toMatch(asks);
  });

  it.each(['context.depth <= 1', limit])('stands beside a forbid unless the same: %s', async (condition) => {
    const policies = `@approval("managers") permit(${scope}); forbid(${scope}) unless { ${condition} };`;
    expect(await loads(policies)).toBe('loaded');
  });
});

describe('a policy in which history or details could hide an error', () => {
  it.each([
    `permit(${scope}) when { ${limit} && ${fails} };`,
    `permit(${scope}) when { context.depth <= 1 } when { ${fails} };`,
    `permit(${scope}) unless { context.depth > 1 || ${fails} };`,
    `permit(${scope}) unless { context.depth > 1 } when { ip(context.proof).isIpv4() };`,
    `permit(${scope}) when { if context.depth <= 1 then ${fails} else false };`,
    `permit(${scope}) when { if context.depth > 1 then false else ${fails} };`,
    `permit(${scope}) when { !(context.depth > 1 || ${fails}) };`,
    `permit(${scope}) when { (context.scope.contains("a") || (${limit} && ${fails})) && context.proof == "issuer" };`,
    `permit(${scope}) when { (if context.depth <= 1 && ${fails} then true else true) && context.depth <= 2 };`,
    `forbid(${scope}) when { (context.depth > 1 || ${fails}) && context.proof == "signature" };`,
    `forbid(${scope}) when { context.depth > 1 || ${fails} } unless { context.proof == "issuer" };`,
    `forbid(${scope}) unless { context.depth <= 1 && ${fails} || context.proof == "issuer" };`,
  ])('is refused: %s [C4] [C6]', async (policy) => {
    expect(await loads(policy, '')).toMatch(hides);
  });

  it.each([
    `permit(${scope}) when { ${fails} && ${limit} };`,
    `permit(${scope}) when { ${fails} } when { context.depth <= 1 };`,
    `permit(${scope}) when { context.depth <= 1 || ${fails} };`,
    `permit(${scope}) when { context.depth <= 1 && context has onBehalfOf && context.onBehalfOf == User::"u" };`,
    `permit(${scope}) when { context.depth <= 1 && context.scope.contains("a") && context.request.method == "GET" };`,
    `permit(${scope}) when { context.depth <= resource.most };`,
    `forbid(${scope}) when { context.depth > 1 && ${fails} };`,
    `forbid(${scope}) when { context.depth > 1 || ${fails} };`,
    `forbid(${scope}) unless { context.depth <= 1 && ${fails} };`,
    `forbid(${scope}) when { if context.depth > 1 then true else ${fails} };`,
  ])('is not one in which the error stays, or denies in another way: %s', async (policy) => {
    expect(await loads(policy, '')).toBe('loaded');
  });

  it('is refused with a schema only if that does not rule the error out [C6]', async () => {
    const schema = `entity Repo { open: Bool, size: Long };
      action "pr.create" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };`;
    expect(await loads(limited('resource.open'), schema)).toBe('loaded');
    expect(await loads(limited('resource.open'), '')).toMatch(hides);
    expect(await loads(limited('resource.size * 2 > 8'), schema)).toMatch(hides);
    const named = 'context has onBehalfOfAgent && context.onBehalfOfAgent.capabilities.contains("x")';
    expect(await loads(limited(named), schema)).toMatch(hides);
  });
});
