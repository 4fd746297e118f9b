import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { hosts, type Running } from './hosts.js';
import { gate } from './tools.js';
import { Rpc } from './rpc.js';

const toolCall = (params: string) => `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${params}}`;

/** Every host in the era of sessions and, if its SDK knows it, in that of 2026-07-28. */
const eras = hosts.flatMap((host) =>
  (host.sdk === 2 ? [false, true] : [false]).map((isModern) => ({ host, isModern })),
);

describe.each(eras)('guardTools in $host.name, modern: $isModern', ({ host, isModern }) => {
  let running: Running;
  let rpc: Rpc;
  beforeAll(async () => {
    running = await host.start();
    rpc = new Rpc(running.url, isModern);
    if (!isModern) await rpc.open(running.alice);
  });
  afterAll(() => running.close());

  /** What a request leaves: new records and runs. */
  async function leaving<Result>(work: () => Promise<Result>) {
    const [records, runs] = [running.audit.records.length, running.ran.length];
    const result = await work();
    return {
      result,
      records: () => running.audit.records.slice(records).filter(({ call }) => call !== undefined),
      runs: running.ran.slice(runs),
    };
  }

  const listen = (uris: readonly string[], headers?: Record<string, string>) =>
    rpc.call(running.alice, 'subscriptions/listen', { notifications: { resourceSubscriptions: uris } }, headers);

  it('a permitted call runs with its caller, and leaves a decision and an outcome', async () => {
    for (const name of ['early', 'late']) {
      const { result, records, runs } = await leaving(() => rpc.tool(running.alice, name));
      expect(result.result).toMatchObject({ content: [{ type: 'text' }] });
      expect(runs).toEqual([name]);
      await vi.waitFor(() => expect(records()).toHaveLength(2), patiently);
      expect(records()).toMatchObject([
        { phase: 'decision', decision: 'allow', resource: { type: 'Tool', id: name }, actor: { id: 'alice' } },
        { phase: 'outcome', outcome: { result: 'finished' }, call: { id: records()[0]?.call?.id, name } },
      ]);
    }
    const { result } = await rpc.tool(running.alice, 'early');
    expect(result?.['content']).toEqual([{ type: 'text', text: 'for alice, alice' }]);
  });

  it('a call that throws or fails is recorded as such', async () => {
    const { result, records } = await leaving(() => rpc.tool(running.alice, 'broken'));
    expect(result.result).toMatchObject({ isError: true });
    await vi.waitFor(() => expect(records()[1]).toMatchObject({ outcome: { result: 'failed' } }), patiently);
  });

  it.skipIf(!host.hasSessions)('a call outlives its response, and its end is recorded', async () => {
    const { records } = await leaving(async () => {
      const stop = new AbortController();
      const held = { jsonrpc: '2.0', id: 'held', method: 'tools/call', params: { name: 'early_hold', arguments: {} } };
      const sent = rpc.post(running.alice, held, {}, stop.signal);
      await vi.waitFor(() => expect(running.ran).toContain('held'), patiently);
      stop.abort();
      await expect(sent).rejects.toThrow();
    });
    // In the era of sessions a lost connection cancels nothing.
    expect(records()).toMatchObject([{ decision: 'allow' }]);
    gate.emit('open');
    await vi.waitFor(() => expect(records()[1]).toMatchObject({ outcome: { result: 'finished' } }), patiently);
    expect(records()[1]?.call?.id).toBe(records()[0]?.call?.id);
  });

  it.each([
    ['deny_me', {}, -32003],
    ['hidden', {}, -32602],
    ['nowhere', {}, -32602],
    ['constructor', {}, -32602],
    ['Early', {}, -32602],
    ['query', { dataset: 'payroll' }, -32003],
  ])('a forbidden call of %s %j does not run, and is recorded once [E4]', async (name, given, code) => {
    const { result, records, runs } = await leaving(() => rpc.tool(running.alice, name, given));
    expect(result.error).toMatchObject({ code });
    expect(runs).toEqual([]);
    expect(records()).toMatchObject([{ phase: 'decision', decision: 'deny', code: 'policy_denied' }]);
  });

  it('a call is decided by its arguments', async () => {
    const { result, runs } = await leaving(() => rpc.tool(running.alice, 'query', { dataset: 'billing' }));
    expect(result.result).toMatchObject({ content: [{ text: 'billing' }] });
    expect(runs).toEqual(['query billing']);
  });

  it('claims of an identity in arguments and _meta count for nothing [E9]', async () => {
    const params = { name: 'late', arguments: { userId: 'alice' }, _meta: { actor: 'alice', userId: 'alice' } };
    const own = await host.start();
    const malloryRpc = new Rpc(own.url, isModern);
    if (!isModern) await malloryRpc.open(own.mallory);
    const answer = await malloryRpc.call(own.mallory, 'tools/call', params);
    expect(answer.error).toBeDefined();
    expect(own.ran).toEqual([]);
    await own.close();
  });

  it('lists show what the caller may use, and the record says how many [E5]', async () => {
    const names = async (method: string, member: string, key: string) => {
      const { result } = await rpc.call(running.alice, method);
      const items = result?.[member] as readonly Record<string, unknown>[];
      return items.map((item) => item[key]);
    };
    const tools = await names('tools/list', 'tools', 'name');
    expect(tools.filter((name) => !/early_(?:ask|hold)/.test(String(name)))).toEqual([
      'early',
      'late',
      'deny_me',
      // It may be called, together with an approval.
      'approve_me',
      'broken',
      'query',
    ]);
    expect(await names('resources/list', 'resources', 'uri')).toEqual(['test://host/open', 'test://host/secret']);
    expect(await names('prompts/list', 'prompts', 'name')).toEqual(['open', 'secret']);
    const { result } = await rpc.call(running.alice, 'tools/list');
    expect(result?.['cacheScope']).toBe(isModern ? 'private' : undefined);
  });

  it.each([
    ['resources/read', { uri: 'test://host/open' }, 'read open'],
    ['resources/read', { uri: 'test://host/secret' }, undefined],
    ['resources/read', { uri: 'test://host/a/../secret' }, undefined],
    ['prompts/get', { name: 'open', arguments: { x: 'a' } }, 'prompt open'],
    ['prompts/get', { name: 'secret', arguments: { x: 'a' } }, undefined],
    [
      'completion/complete',
      { ref: { type: 'ref/prompt', name: 'secret' }, argument: { name: 'x', value: 'a' } },
      undefined,
    ],
    ['acme/custom', {}, undefined],
    ['tools/Call', { name: 'early' }, undefined],
    ['tools/call', {}, undefined],
    ['tools/call', { name: ['early'] }, undefined],
    ['tools/call', { name: 'early', arguments: [] }, undefined],
  ])('%s %j: %s', async (method, params, run) => {
    const { result, runs } = await leaving(() => rpc.call(running.alice, method, params));
    expect(runs).toEqual(run === undefined ? [] : [run]);
    expect(result.error === undefined).toBe(run !== undefined);
  });

  it.skipIf(isModern)('a duplicated member and __proto__ are decided as they run [E3]', async () => {
    for (const params of [
      '{"name":"early","name":"deny_me","arguments":{}}',
      '{"__proto__":{"name":"early"},"name":"deny_me","arguments":{}}',
      '{"__proto__":{"name":"early"},"arguments":{}}',
    ]) {
      const { result, runs } = await leaving(() => rpc.post(running.alice, toolCall(params)));
      expect(result.answers[0]?.error).toBeDefined();
      expect(runs).toEqual([]);
    }
    const twice = '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call","params":{"name":"deny_me"}}';
    const { runs } = await leaving(() => rpc.post(running.alice, twice));
    expect(runs).toEqual([]);
  });

  it.skipIf(isModern)('a batch has a decision for each call [E2]', async () => {
    const calls = ['early', 'deny_me', 'hidden'].map((name, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name, arguments: {} },
    }));
    const { result, records, runs } = await leaving(() => rpc.post(running.alice, calls));
    expect(
      result.answers
        .map(({ id, error }) => [id, error?.code])
        .toSorted(([one], [other]) => Number(one) - Number(other)),
    ).toEqual([
      [0, undefined],
      [1, -32003],
      [2, -32602],
    ]);
    expect(runs).toEqual(['early']);
    await vi.waitFor(() => expect(records()).toHaveLength(4), patiently);
  });

  it.skipIf(isModern)('a notification that calls a tool does not run it [E4]', async () => {
    const message = { jsonrpc: '2.0', method: 'tools/call', params: { name: 'early', arguments: {} } };
    const { result, runs } = await leaving(() => rpc.post(running.alice, message));
    expect(result.status).toBe(202);
    expect(runs).toEqual([]);
  });

  it('fields that say something else than the body decide nothing [E1]', async () => {
    for (const headers of [
      { 'mcp-method': 'tools/call', 'mcp-name': 'early' },
      { 'mcp-method': 'ping', 'mcp-name': 'early' },
      { 'mcp-method': 'TOOLS/CALL', 'mcp-name': 'early' },
      { 'mcp-method': 'tools/call', 'mcp-name': '=?base64?ZWFybHk=?=' },
      { 'mcp-method': 'tools/call', 'mcp-name': 'early, deny_me' },
    ]) {
      const { result, runs } = await leaving(() => rpc.tool(running.alice, 'deny_me', {}, headers));
      expect(result.error).toBeDefined();
      expect(runs).toEqual([]);
    }
  });

  it('a request without a signature reaches nothing', async () => {
    for (const method of ['POST', 'GET', 'DELETE', 'OPTIONS', 'PUT']) {
      const body = method === 'POST' ? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' : undefined;
      const response = await fetch(running.url, {
        method,
        ...(body !== undefined && { body }),
        headers: { 'content-type': 'application/json', ...(rpc.sessionId && { 'mcp-session-id': rpc.sessionId }) },
      });
      expect(response.status, method).toBe(401);
    }
  });

  it.skipIf(!host.hasSessions)('a session belongs to who opened it [E7, E10]', async () => {
    const id = rpc.sessionId as string;
    const message = { jsonrpc: '2.0', id: 9, method: 'tools/call', params: { name: 'early', arguments: {} } };
    const { result, records, runs } = await leaving(() => rpc.post(running.mallory, message, { 'mcp-session-id': id }));
    expect(result).toMatchObject({ status: 404, answers: [{ error: { code: -32001 } }] });
    expect(runs).toEqual([]);
    expect(records()).toMatchObject([{ decision: 'deny', actor: { id: 'mallory' }, call: { method: 'session' } }]);
    for (const method of ['GET', 'DELETE']) {
      const headers = { accept: 'text/event-stream', 'mcp-session-id': id, 'last-event-id': '0' };
      expect((await running.mallory.fetch(running.url, { method, headers })).status).toBe(404);
    }
    expect(await rpc.tool(running.alice, 'early')).toMatchObject({ result: {} });
  });

  it.skipIf(!isModern)('a stream of notifications is decided for each resource that it names', async () => {
    expect((await listen(['test://host/secret'])).error).toMatchObject({ code: -32003 });
    expect((await listen(['test://host/open', 'test://host/a/../secret'])).error).toMatchObject({ code: -32602 });
    const lying = await listen(['test://host/secret'], { 'mcp-method': 'tools/list' });
    expect(lying.error).toBeDefined();
  });
});
