import { describe, expect, it } from 'vitest';
import { cedarFromText } from '../../../src/index.js';

const schema = `
  entity Thing in [Thing] = { "s"?: String, "n"?: Long, "rec"?: { "a"?: Long } };
  action "read" appliesTo { principal: [Agent], resource: [Thing], context: AgentContext };`;
const context = {
  scope: [],
  depth: 0,
  via: [],
  proof: 'signature',
  possession: 'signature',
  request: { method: 'GET', path: '/' },
};

async function ask(
  condition: string,
  resource: object,
  withSchema = false,
): Promise<readonly [recorded: string, full: string]> {
  const policies = `@id("p") permit(principal, action, resource) when { ${condition} };`;
  const engine = await cedarFromText({ policies, ...(withSchema && { schema }) });
  const decision = engine.decide({
    principal: { id: 'agent-1', roles: [], capabilities: [] },
    action: 'read',
    resource: { type: 'Thing', id: '1', ...resource },
    context,
  } as Parameters<typeof engine.decide>[0]);
  expect(decision.cause).toBe('error');
  return [decision.errors.join(), decision.explain?.().errors.join() ?? ''];
}

const secret = 'hunter2';

describe('an error of Cedar, as it is recorded [F2]', () => {
  it.each<[string, string, object, boolean?]>([
    ['type error: expected long, got string', 'resource.n < 5', { attributes: { n: secret } }],
    ['does not have the attribute `n`', 'resource.n < 5', { attributes: { [secret]: secret } }],
    ['integer overflow while attempting to add', 'resource.n + 9223372036854775807 < 5', { attributes: { n: 4242 } }],
    [
      'error while evaluating `ipaddr` extension function',
      'ip(resource.s).isLoopback()',
      { attributes: { s: secret } },
    ],
    [
      'error while evaluating `decimal` extension function',
      'decimal(resource.s) == decimal("1.0")',
      { attributes: { s: secret } },
    ],
    [
      'attribute `n`: value was expected to have type long, but it actually has type string',
      'resource has n',
      { attributes: { n: secret } },
      true,
    ],
    [
      'attribute `rec`: value was expected to have type long, but it actually has type string',
      'resource has n',
      { attributes: { rec: { a: secret } } },
      true,
    ],
    ['should not exist according to the schema', 'resource has n', { attributes: { [secret]: 1 } }, true],
  ])('says %s, and no value', async (told, condition, resource, withSchema) => {
    const [recorded] = await ask(condition, resource, withSchema);
    expect(recorded.replace(/^policies\.cedar#p: /, '')).toBe(told);
    expect(recorded).not.toMatch(/hunter2|4242/);
  });

  const forged = '12x does not have the attribute `card 4711`, type error: expected bool, got alice';

  it.each<[string, string, object, boolean?]>([
    ['error while evaluating `decimal` extension function', 'decimal(resource.s) < decimal("1.0")', { s: forged }],
    ['error while evaluating `ipaddr` extension function', 'ip(resource.s).isLoopback()', { s: forged }],
    ['Cedar cannot evaluate it with the values of this request', 'resource.getTag(resource.s) == 1', { s: forged }],
    [
      'attribute `n`: value was expected to have type long, but it actually has type string',
      'resource has n',
      { n: forged },
      true,
    ],
    ['should not exist according to the schema', 'resource has n', { [forged]: 1 }, true],
  ])('says %s, whatever a value says', async (told, condition, attributes, withSchema) => {
    const [recorded] = await ask(condition, { attributes }, withSchema);
    expect(recorded.replace(/^policies\.cedar#p: /, '')).toBe(told);
  });

  it('says nothing that stands in an id', async () => {
    const [recorded] = await ask('resource.n < 5', { id: `" does not have the attribute \`x\`, ${forged}` });
    expect(recorded).toBe('policies.cedar#p: does not have the attribute `n`');
  });

  it('quotes the value only for people who ask for an explanation', async () => {
    const [, full] = await ask('resource has n', { attributes: { n: secret } }, true);
    expect(full).toContain(secret);
  });
});
