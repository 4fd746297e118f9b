import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { hosts, type Running } from './hosts.js';
import { Rpc } from './rpc.js';

describe.each(hosts)('guardTools with a guard that observes, in $name', (host) => {
  let running: Running;
  let rpc: Rpc;
  beforeAll(async () => {
    running = await host.start('observe');
    rpc = new Rpc(running.url);
    await rpc.open(running.alice);
  });
  afterAll(() => running.close());

  it.each([
    ['deny_me', {}],
    ['hidden', {}],
    ['query', { dataset: 'payroll' }],
  ])('a call of %s %j that would be refused runs, and is recorded with its outcome', async (name, given) => {
    const [before, ran] = [running.audit.records.length, running.ran.length];
    const { result } = await rpc.tool(running.alice, name, given);
    expect(result).toMatchObject({ content: [{ type: 'text' }] });
    expect(running.ran).toHaveLength(ran + 1);
    const calls = () => running.audit.records.slice(before).filter(({ call }) => call !== undefined);
    await vi.waitFor(() => expect(calls()).toHaveLength(2), patiently);
    expect(calls()).toMatchObject([
      { phase: 'decision', decision: 'would_refuse', code: 'policy_denied', actor: { id: 'alice' }, call: { name } },
      { phase: 'outcome', outcome: { result: 'finished' } },
    ]);
  });

  it('lists stay whole', async () => {
    const { result } = await rpc.call(running.alice, 'tools/list');
    const { tools } = result as { readonly tools: readonly { readonly name: string }[] };
    expect(tools.map(({ name }) => name)).toEqual(expect.arrayContaining(['early', 'hidden', 'deny_me']));
    const listed = running.audit.records.findLast(({ filtered }) => filtered !== undefined);
    expect(listed).toMatchObject({ decision: 'would_refuse', action: 'tool.list' });
  });

  it('a call of another agent in the session runs', async () => {
    const { result } = await rpc.tool(running.mallory, 'late');
    expect(result).toMatchObject({ content: [{ text: 'late' }] });
  });

  it('a call without a verified caller runs, and the tool sees none', async () => {
    const response = await fetch(running.url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
        ...(rpc.sessionId !== undefined && { 'mcp-session-id': rpc.sessionId }),
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"early","arguments":{}}}',
    });
    expect(await response.text()).toContain('for undefined, undefined');
    expect(running.audit.records.at(-1)).toMatchObject({ decision: 'would_refuse', code: 'signature_required' });
  });
});
