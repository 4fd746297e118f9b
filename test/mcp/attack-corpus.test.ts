import type { McpRules } from '@countersign/mcp';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import type { AttackClient } from './support/attack-client.js';
import { startTarget, type Target, targetKinds } from './support/attack-targets.js';

const rules: McpRules = {
  tools: {
    echo: {},
    secret: {},
    delete: {},
    ask: {},
    elicit: {},
    query: { action: 'query.run', call: { type: 'Query', arguments: ['dataset'] } },
    deploy: { requires: 'deploy:staging deploy:logs' },
    __proto__: {},
  },
};

/** Names that a lenient server could take for the tool or prompt `secret`. */
const spellings = [
  'Secret',
  'SECRET',
  ' secret',
  'secret ',
  'secret\u0000',
  's\u200becret',
  'ｓｅｃｒｅｔ',
  'ѕecret',
  'secret\u0301',
  'victim/secret',
  'secret,echo',
];

const notNames = ['nowhere', 'constructor', '__proto__', 'toString', '', 5, null, ['secret'], { secret: 1 }];

/** What a piece of work leaves: what ran, and the decisions that were recorded. */
async function leaving<Result>(target: Target, work: () => Promise<Result>) {
  const [runs, records] = [target.ran.length, target.records.length];
  const result = await work();
  return {
    result,
    ran: target.ran.slice(runs),
    denials: target.records.slice(records).filter(({ decision }) => decision === 'deny'),
  };
}

async function refuses(target: Target, work: () => Promise<unknown>): Promise<void> {
  const { ran, denials } = await leaving(target, work);
  expect(ran).toEqual([]);
  expect(denials).toHaveLength(1);
}

/** The retry of a call that asked something. */
const again = (client: AttackClient, more: object) =>
  client.ask('tools/call', { name: 'ask', arguments: { a: 1 }, inputResponses: {}, ...more });

describe.each(targetKinds)('$by with SDK $sdk in $revision', (kind) => {
  const isModern = kind.revision === '2026-07-28';
  const isProxy = kind.by === 'guardMcpHttp';
  let open: Target;
  let ruled: Target;
  let alice: AttackClient;
  let ruledAlice: AttackClient;
  beforeAll(async () => {
    open = await startTarget(kind);
    ruled = await startTarget(kind, rules);
    alice = await open.client('alice');
    ruledAlice = await ruled.client('alice');
  });
  afterAll(async () => {
    await open[Symbol.asyncDispose]();
    await ruled[Symbol.asyncDispose]();
  });

  it('serves what is permitted', async () => {
    const { result, ran } = await leaving(open, () => alice.call('echo', { text: 'hello' }));
    expect(result.result).toMatchObject({ content: [{ text: 'echo' }] });
    expect(ran).toEqual([`echo {"text":"hello"} for ${isProxy ? undefined : 'alice'}`]);
    expect((await ruledAlice.call('query', { dataset: 'orders' })).result).toBeDefined();
  });

  it.each([
    ['another name', 'secret', { 'mcp-name': 'echo' }],
    ['the name in another case', 'echo', { 'mcp-name': 'Echo' }],
    ['another name in base64', 'secret', { 'mcp-name': '=?base64?ZWNobw==?=' }],
    ['a name in broken base64', 'echo', { 'mcp-name': '=?base64?ZWNob?=' }],
    ['two names', 'echo', { 'mcp-name': 'echo, secret' }],
    ['another method', 'echo', { 'mcp-method': 'tools/list' }],
    ['the method in another case', 'echo', { 'mcp-method': 'Tools/Call' }],
    ['an old version beside mirrored fields', 'secret', { 'mcp-protocol-version': '2025-06-18', 'mcp-name': 'echo' }],
  ])('refuses %s in the fields of HTTP [E1]', async (_what, name, headers) => {
    const { result, ran } = await leaving(open, () => alice.call(name, {}, headers));
    expect(result.error, JSON.stringify(result)).toBeDefined();
    expect(ran).toEqual([]);
  });

  it('compares Mcp-Param-… with the argument that the schema names [E1]', async () => {
    await ruledAlice.ask('tools/list');
    const given = { dataset: 'orders', note: 'customers' };
    const { result, ran } = await leaving(ruled, () =>
      ruledAlice.call('query', given, { 'mcp-param-dataset': 'customers' }),
    );
    expect(result.error).toMatchObject({ code: -32020 });
    expect(ran).toEqual([]);
  });

  it.skipIf(!isProxy)('compares the method of notifications, and lets answers have none [E1]', async () => {
    const headers = { 'mcp-method': 'tools/call' };
    for (const message of [
      { jsonrpc: '2.0', method: 'notifications/initialized' },
      { jsonrpc: '2.0', id: 0, result: { action: 'accept' } },
    ]) {
      const { status } = await alice.post(message, {
        ...(isModern && { 'mcp-protocol-version': kind.revision }),
        ...headers,
      });
      expect(status).toBe(400);
    }
  });

  it('runs nothing forbidden of a batch [E2]', async () => {
    const calls = ['echo', 'secret', 'query'].map((name, id) => ({
      ...alice.request('tools/call', { name, arguments: { dataset: 'customers' } }).message,
      id,
    }));
    const { ran } = await leaving(ruled, () => ruledAlice.post(calls));
    expect(ran.filter((run) => !run.startsWith('echo'))).toEqual([]);
    const huge = await leaving(open, () => alice.post(Array.from({ length: 10_000 }, () => calls[1])));
    expect(huge.ran).toEqual([]);
  });

  it.each([
    ['a name twice', '"method":"tools/call","params":{"name":"echo","name":"secret","arguments":{}}'],
    ['a method twice', '"method":"ping","method":"tools/call","params":{"name":"secret","arguments":{}}'],
    ['parameters twice', '"method":"tools/call","params":{"name":"echo"},"params":{"name":"secret"}'],
    ['__proto__ with a name', '"method":"tools/call","params":{"__proto__":{"name":"echo"},"arguments":{}}'],
    ['a name beside __proto__', '"method":"tools/call","params":{"__proto__":{"name":"echo"},"name":"secret"}'],
    ['an escaped name', '"method":"tools/call","params":{"name":"echo","n\\u0061me":"secret"}'],
    ['another case of a member', '"method":"tools/call","params":{"Name":"echo","name":"secret"}'],
  ])('decides %s as it runs [E3]', async (_what, members) => {
    const { headers } = alice.request('tools/call', {});
    const { ran } = await leaving(open, () => alice.post(`{"jsonrpc":"2.0","id":1,${members}}`, headers));
    expect(ran).toEqual([]);
  });

  it.each(spellings)('takes the tool and the prompt %j for unknown, without asking policy [E4]', async (name) => {
    for (const [method, params] of [
      ['tools/call', { name, arguments: {} }],
      ['prompts/get', { name }],
    ] as const) {
      await refuses(open, async () => {
        const { error } = await alice.ask(method, params);
        expect(error?.code, method).toBe(-32602);
      });
    }
    const ref = { type: 'ref/prompt', name };
    expect((await alice.ask('completion/complete', { ref, argument: { name: 'x', value: '' } })).error).toBeDefined();
    await refuses(ruled, async () => expect((await ruledAlice.call(name)).error?.code).toBe(-32602));
  });

  it.each(notNames)('runs nothing for the name %j [E4]', async (name) => {
    const { result, ran } = await leaving(open, () => alice.call(name as string));
    expect(result.error).toBeDefined();
    expect(ran).toEqual([]);
  });

  it('runs no call without an id [E4]', async () => {
    const { message, headers } = alice.request('tools/call', { name: 'echo', arguments: {} });
    for (const id of [undefined, null]) {
      const { ran } = await leaving(open, () => alice.post({ ...message, id }, headers));
      expect(ran).toEqual([]);
    }
  });

  it('lists only what the caller may use, for no shared cache [E5, E13]', async () => {
    const bob = await open.client('bob');
    const { result } = await bob.ask('tools/list');
    expect(result?.['tools']).toMatchObject([{ name: 'echo' }]);
    expect(result?.['tools']).toHaveLength(1);
    expect(result?.['cacheScope']).toBe(isModern ? 'private' : undefined);
    for (const [method, member] of [
      ['prompts/list', 'prompts'],
      ['resources/list', 'resources'],
    ] as const) {
      expect((await bob.ask(method)).result?.[member], method).toEqual([]);
    }
    const tools = (await alice.ask('tools/list')).result?.['tools'] as { name: string }[];
    expect(tools.map(({ name }) => name)).toContain('query');
    expect(tools.map(({ name }) => name)).not.toContain('secret');
  });

  it('answers for a hidden tool as for one that does not exist [E5]', async () => {
    const answers = await Promise.all(
      ['secret', 'nowhere'].map(async (name) => {
        const { status, error } = await alice.call(name);
        return JSON.stringify([status, error]).replace(name, 'X');
      }),
    );
    expect(new Set(answers).size).toBe(1);
  });

  it('decides the arguments that run, whatever their type [E6]', async () => {
    for (const given of [
      { dataset: 'customers' },
      { dataset: ['orders'] },
      {},
      { dataset: null },
      { dataset: { __entity: { type: 'Query', id: 'x' } } },
      JSON.parse('{"__proto__":{"dataset":"orders"}}'),
    ] as object[]) {
      const { result, ran } = await leaving(ruled, () => ruledAlice.call('query', given));
      expect(result.error, JSON.stringify(given)).toBeDefined();
      expect(ran).toEqual([]);
    }
  });

  it.skipIf(!isModern)('lets nobody go on with the state of another caller or call [E7]', async () => {
    const bob = await ruled.client('bob');
    const asked = await ruledAlice.call('ask', { a: 1 });
    const requestState = asked.result?.['requestState'] as string;
    expect(requestState).not.toBe('asked');
    for (const [client, more] of [
      [bob, { requestState }],
      [ruledAlice, { requestState, arguments: { a: 2 } }],
      [ruledAlice, { requestState: 'asked' }],
      [ruledAlice, { requestState: `${requestState}=` }],
      [ruledAlice, { requestState: '' }],
      [ruledAlice, { requestState: 5 }],
    ] as const) {
      const { result, ran } = await leaving(ruled, () => again(client, more));
      expect(result.error, JSON.stringify(more)).toBeDefined();
      expect(ran).toEqual([]);
    }
    const { ran } = await leaving(ruled, () => again(ruledAlice, { requestState }));
    expect(ran).toEqual(['ask asked']);
  });

  it.skipIf(kind.sdk !== 1)(
    'lets nobody answer, resume or end the session of another caller [E7, E10, E11]',
    async () => {
      const bob = await open.client('bob');
      const stolen = { 'mcp-session-id': alice.sessionId ?? '' };
      const stream = await alice.send('GET', undefined, {});
      const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
      const calling = alice.call('elicit');
      // The question comes on the stream of the call; its id is a small number.
      for (const id of [0, 1, 2, 3]) {
        const answer = await bob.post({ jsonrpc: '2.0', id, result: { action: 'accept', content: {} } }, stolen);
        expect(answer.status).toBe(404);
      }
      for (const method of ['GET', 'DELETE']) {
        const answer = await bob.send(method, undefined, { ...stolen, 'last-event-id': '1' });
        expect([method, answer.status]).toEqual([method, 404]);
      }
      expect(open.ran.filter((run) => run.startsWith('elicited'))).toEqual([]);
      await reader?.cancel();
      void calling.catch(() => {});
    },
  );

  it.skipIf(kind.sdk !== 1)(
    'resumes the streams of a session, and none of another one in the same store [E11]',
    async () => {
      const bob = await open.client('bob');
      const sent = await alice.send(
        'POST',
        JSON.stringify(alice.request('tools/call', { name: 'query', arguments: { dataset: 'orders' } }).message),
      );
      // The event that primes the stream comes before the answer.
      const id = /^id: (.*)$/m.exec(await sent.text())?.[1] ?? '';
      for (const event of [id, id.split('.')[0] ?? '', '1', '2', '3', '4', 'x.y']) {
        const { status } = await bob.send('GET', undefined, { 'last-event-id': event });
        expect([event, status]).toEqual([event, 400]);
      }
      const resumed = await alice.send('GET', undefined, { 'last-event-id': id });
      const reader = resumed.body?.pipeThrough(new TextDecoderStream()).getReader();
      expect((await reader?.read())?.value).toContain('"text":"query"');
      await reader?.cancel();
    },
  );

  it.skipIf(!isProxy)('passes nothing of the caller on to the server [E8]', async () => {
    const headers = { cookie: 'session=1', 'x-user': 'root' };
    const { ran } = await leaving(open, () => alice.call('echo', {}, headers));
    expect(ran).toEqual(['echo {} for undefined']);
  });

  it('believes no claim of an identity [E9]', async () => {
    const bob = await open.client('bob');
    const claims = { userId: 'alice', actor: 'alice', 'countersign/caller': { actor: { id: 'alice' } } };
    for (const params of [
      { name: 'query', arguments: { dataset: 'orders', ...claims } },
      { name: 'query', arguments: { dataset: 'orders' }, _meta: claims },
    ]) {
      const headers = { 'x-user': 'alice', ...(isModern && { 'mcp-param-dataset': 'orders' }) };
      await refuses(open, async () => {
        expect((await bob.ask('tools/call', params, headers)).error?.code).toBe(-32602);
      });
    }
  });

  it('lets no method of the endpoint in without a signature [E10]', async () => {
    for (const method of ['GET', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'PATCH']) {
      const body = ['POST', 'PUT', 'PATCH'].includes(method) ? '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' : null;
      const headers = {
        'content-type': 'application/json',
        ...(alice.sessionId && { 'mcp-session-id': alice.sessionId }),
      };
      expect((await fetch(open.url, { method, body, headers })).status, method).toBe(401);
    }
  });

  it.each([
    ['test://t/a/../secret'],
    ['TEST://t/secret'],
    ['test://t/./secret'],
    ['test://t/secret'],
    ['test://t/open/../secret'],
    ['test://t/%73ecret'],
    ['test://t/secret#x'],
    ['test://t//secret'],
  ])('reads no forbidden resource as %s [E12]', async (uri) => {
    for (const method of ['resources/read', 'resources/subscribe']) {
      const { result, ran } = await leaving(open, () => alice.ask(method, { uri }));
      expect(result.error, method).toBeDefined();
      expect(ran).toEqual([]);
    }
  });

  it('answers for a hidden resource as for one that does not exist [E12]', async () => {
    const answers = await Promise.all(
      ['test://t/secret', 'test://t/nowhere'].map(async (uri) => {
        const { status, error } = await alice.ask('resources/read', { uri });
        return JSON.stringify([status, error]).replaceAll(uri, 'X');
      }),
    );
    expect(new Set(answers)).toEqual(
      new Set([JSON.stringify([200, { code: -32602, message: 'Resource not found: X', data: { uri: 'X' } }])]),
    );
  });

  it.skipIf(!isModern)('gives one caller only so many streams, and others theirs [E11]', async () => {
    const own = await startTarget(kind, rules);
    const [bob, carol] = [await own.client('bob'), await own.client('carol')];
    const gone = new AbortController();
    // A response that is garbage ends its stream.
    const open: Response[] = [];
    async function listen(client: AttackClient): Promise<number> {
      const { message, headers } = client.request('subscriptions/listen', {
        notifications: { toolsListChanged: true },
      });
      const response = await client.send('POST', JSON.stringify(message), headers, gone.signal);
      open.push(response);
      return response.status;
    }
    for (let count = 0; count < 64; count += 1) expect(await listen(bob)).toBe(200);
    expect(await listen(bob)).toBe(429);
    expect(own.records.filter(({ decision }) => decision === 'deny')).toMatchObject([
      { actor: { id: 'bob' }, call: { method: 'subscriptions/listen' } },
    ]);
    expect(await listen(carol)).toBe(200);
    expect(open).toHaveLength(66);
    gone.abort();
    const again = new AbortController();
    await vi.waitFor(async () => {
      const { message, headers } = bob.request('subscriptions/listen', { notifications: { toolsListChanged: true } });
      expect((await bob.send('POST', JSON.stringify(message), headers, again.signal)).status).toBe(200);
    }, patiently);
    again.abort();
    await own[Symbol.asyncDispose]();
  });

  it
    .skipIf(!isModern)
    .each([
      [{ resourceSubscriptions: ['test://t/open', 'test://t/secret'] }],
      [{ resourceSubscriptions: ['test://t/open/../secret'] }],
      [{ resourceSubscriptions: 'test://t/secret' }],
      [{ resourceSubscription: ['test://t/secret'] }],
      [{ taskIds: ['of-another'] }],
    ])('opens no stream of %j [E12]', async (notifications) => {
    expect((await alice.ask('subscriptions/listen', { notifications })).error).toBeDefined();
    const lying = await alice.ask('subscriptions/listen', { notifications }, { 'mcp-method': 'tools/list' });
    expect(lying.error).toBeDefined();
  });

  it.each([
    ['acme/rebuild', {}],
    ['tools/Call', { name: 'echo' }],
    ['tools/call/', { name: 'echo' }],
    ['tasks/get', { taskId: 'of-another' }],
    ['tasks/result', {}],
    ['tasks/cancel', { taskId: 5 }],
  ])('refuses the method %s with %j [E11]', async (method, params) => {
    const { result, ran } = await leaving(open, () => alice.ask(method, params));
    expect(result.error).toBeDefined();
    expect(ran).toEqual([]);
  });

  it.each([
    ['no JSON', '{'],
    ['nothing', ''],
    ['no version', '{"id":1,"method":"tools/call","params":{"name":"echo"}}'],
    ['an id that is an object', '{"jsonrpc":"2.0","id":{},"method":"tools/call","params":{"name":"echo"}}'],
    ['a fractional id', '{"jsonrpc":"2.0","id":1.5,"method":"tools/call","params":{"name":"secret"}}'],
    ['a method that is a number', '{"jsonrpc":"2.0","id":1,"method":5}'],
    ['parameters that are a list', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":["secret"]}'],
    [
      'deep nesting',
      `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"secret","arguments":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}}`,
    ],
  ])('survives %s [E3]', async (_what, body) => {
    const { headers } = alice.request('tools/call', {});
    const { result, ran } = await leaving(open, () => alice.post(body, headers));
    expect(result.status).toBeLessThan(500);
    expect(ran).toEqual([]);
    expect((await alice.call('echo')).result).toBeDefined();
  });

  it('asks for all scopes of a call in one challenge', async () => {
    const { result, ran, denials } = await leaving(ruled, () => ruledAlice.call('deploy'));
    expect(result.status).toBe(403);
    const challenge = result.headers.get('www-authenticate');
    expect(challenge).toContain('error="insufficient_scope"');
    expect(challenge).toContain('scope="deploy:staging deploy:logs"');
    expect(challenge).toContain('resource_metadata="');
    expect(result.error).toMatchObject({
      code: -32003,
      data: { code: 'insufficient_scope', missing: ['deploy:staging', 'deploy:logs'], hint: expect.any(String) },
    });
    expect(ran).toEqual([]);
    expect(denials).toMatchObject([{ code: 'insufficient_scope', call: { name: 'deploy' } }]);
    // Whoever may not know of the tool is not told of its scope.
    const bob = await ruled.client('bob');
    expect(await bob.call('deploy')).toMatchObject({ status: 200, error: { code: -32602 } });
  });

  it('survives a call without its scope whose id is nested too deep to be written back [E3]', async () => {
    const id = `${'['.repeat(6000)}1${']'.repeat(6000)}`;
    const body = `{"jsonrpc":"2.0","id":${id},"method":"tools/call","params":{"name":"deploy","arguments":{}}}`;
    const { headers } = ruledAlice.request('tools/call', {});
    const { result, ran } = await leaving(ruled, () => ruledAlice.post(body, headers));
    expect(result.status).toBeLessThan(500);
    expect(ran).toEqual([]);
  });

  it('ends a stream with its caller [E11]', { timeout: 20_000 }, async () => {
    const own = await startTarget(kind, rules);
    const client = await own.client('alice');
    const { message, headers } = client.request('subscriptions/listen', { notifications: { toolsListChanged: true } });
    const isStream = isModern || kind.sdk === 1;
    const stream = isModern ? await client.send('POST', JSON.stringify(message), headers) : await client.send('GET');
    if (isStream) {
      expect(stream.status).toBe(200);
      own.guard.revocations.revoke({ agent: 'alice' });
      await stream.text().catch(() => undefined);
    }
    await vi.waitFor(() => expect(own.troubles.filter((trouble) => /Error/.test(trouble))).toEqual([]), patiently);
    await own[Symbol.asyncDispose]();
  });
});
