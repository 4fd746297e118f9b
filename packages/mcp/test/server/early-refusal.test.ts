import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { describe, expect, it } from 'vitest';
import { decisionsOf } from '../../src/decide/decisions.js';
import { type McpRules, readRules } from '../../src/decide/rules.js';
import { mcpSchema } from '../../src/schema.js';
import { refuseEarly } from '../../src/server/early-refusal.js';

const policies = `
permit(principal, action, resource in ToolGroup::"read");
permit(principal, action, resource == Tool::"told");
permit(principal, action, resource == Tool::"free");
`;

const tools: NonNullable<McpRules['tools']> = {
  deploy: { requires: 'deploy:staging deploy:logs' },
  wipe: { requires: 'wipe' },
  told: { requires: 'told', onDeny: 'result' },
  free: {},
};

async function early(scope: readonly string[] = []) {
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: 'https://mcp.acme.dev',
    agents: agentsFromObjects([]),
    policy: await cedarFromText({ policies, schema: mcpSchema }),
    audit,
    onTrouble: () => {},
  });
  const decisions = decisionsOf(guard, readRules('test', { tools }));
  const caller = guard.local({ agent: 'alice', scope });
  return { audit, decisions, refuse: (message: unknown) => refuseEarly(message, caller, { guard, decisions }) };
}

const call = (name: unknown, id: unknown = 1) => ({ jsonrpc: '2.0', id, method: 'tools/call', params: { name } });

describe('A call whose caller lacks a scope', () => {
  it('gets a challenge for all scopes, once the tool is known to be visible', async () => {
    const { audit, decisions, refuse } = await early(['deploy:logs']);
    expect(await refuse(call('deploy'))).toBeUndefined();
    expect(audit.records).toEqual([]);
    decisions.learn('tools/list', [{ name: 'deploy', annotations: { readOnlyHint: true } }]);
    const answer = await refuse(call('deploy'));
    expect(answer).toMatchObject({
      status: 403,
      headers: { 'www-authenticate': expect.stringContaining('scope="deploy:staging deploy:logs"') },
    });
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ id: 1, error: { data: { missing: ['deploy:staging'] } } });
    expect(audit.records).toMatchObject([{ decision: 'deny', code: 'insufficient_scope' }]);
  });

  it('gets a result where its rule says so', async () => {
    const { refuse } = await early();
    const answer = await refuse(call('told'));
    expect(answer?.status).toBe(200);
    expect(JSON.parse(answer?.body ?? '')).toMatchObject({ id: 1, result: { isError: true } });
  });

  it('is left to the server if it is hidden, and every other message, too', async () => {
    const { audit, refuse } = await early(['told']);
    const others = [
      { jsonrpc: '2.0', method: 'tools/call', params: { name: 'deploy' } },
      5,
      null,
      undefined,
      { id: 1 },
    ];
    for (const message of [call('wipe'), call('free'), call('told'), call('nowhere'), call(['deploy']), ...others]) {
      expect(await refuse(message)).toBeUndefined();
    }
    expect(audit.records).toEqual([]);
  });

  it('is refused with the others of its batch, with all their scopes', async () => {
    const { decisions, refuse } = await early();
    decisions.learn('tools/list', [
      { name: 'deploy', annotations: { readOnlyHint: true } },
      { name: 'wipe', annotations: { readOnlyHint: true } },
    ]);
    const answer = await refuse([call('free', 1), call('deploy', 2), call('wipe', 3)]);
    expect(answer?.headers['www-authenticate']).toContain('scope="deploy:staging deploy:logs wipe"');
    expect(await refuse([call('free')])).toBeUndefined();
  });

  it('is left to the server in a batch where its rule asks for a result, so that it is recorded once', async () => {
    const { audit, decisions, refuse } = await early();
    expect(await refuse([call('told', 1), call('free', 2)])).toBeUndefined();
    expect(audit.records).toEqual([]);
    decisions.learn('tools/list', [{ name: 'wipe', annotations: { readOnlyHint: true } }]);
    expect(await refuse([call('told', 1), call('wipe', 2)])).toMatchObject({ status: 403 });
    expect(audit.records).toHaveLength(2);
  });

  it('is not decided in a batch that no SDK takes', async () => {
    const { audit, refuse } = await early();
    expect(await refuse(Array.from({ length: 101 }, () => call('told')))).toMatchObject({ status: 400 });
    expect(audit.records).toEqual([]);
  });
});
