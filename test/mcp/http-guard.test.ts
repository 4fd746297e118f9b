import type { McpHttpOptions } from '@countersign/mcp';
import { describe, expect, it, vi } from 'vitest';
import { deferred } from '../support/deferred.js';
import { patiently } from '../support/patiently.js';
import { type GuardedMcp, guardedMcp, type McpRequest } from './support/guarded-mcp.js';
import { answersWith, event, type Script, scriptedServer, type ScriptedServer } from './support/scripted-server.js';

const content = [{ type: 'text', text: 'done' }];
const ok = answersWith({ content });

function call(name: unknown, args: object = {}, id: unknown = 1): object {
  return { jsonrpc: '2.0', id, method: 'tools/call', params: { name, arguments: args } };
}

function ask(method: string, params: object = {}, id: unknown = 1): object {
  return { jsonrpc: '2.0', id, method, params };
}

const tools: NonNullable<McpHttpOptions['tools']> = {
  echo: {},
  secret: {},
  query: { action: 'query.run', call: { type: 'Query', arguments: ['dataset', 'limit'] } },
};

interface Behind extends AsyncDisposable {
  readonly server: ScriptedServer;
  readonly guarded: GuardedMcp;
}

async function behind(script: Script, options: McpHttpOptions = { tools: { echo: {} } }): Promise<Behind> {
  const server = await scriptedServer(script);
  const guarded = await guardedMcp(`${server.url}/mcp`, options);
  return {
    server,
    guarded,
    async [Symbol.asyncDispose]() {
      await guarded[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const switching = 'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n';

const json = async (answer: Response): Promise<Record<string, unknown>> =>
  (await answer.json()) as Record<string, unknown>;

/** Ends a call as its arguments say. */
const endsAsAsked: Script = (response, reached, request) => {
  const { id, params } = JSON.parse(reached.body) as { id: number; params: { arguments: { how: string } } };
  switch (params.arguments.how) {
    case 'error':
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32000, message: 'no' } }));
      break;
    case 'isError':
      answersWith({ content, isError: true })(response, reached, request);
      break;
    default:
      response.destroy();
  }
};

const opensSession: Script = (response, reached, request) => {
  if (request.method === 'POST') answersWith({}, { 'mcp-session-id': 'session-1' })(response, reached, request);
  else response.writeHead(204).end();
};

async function stateFor(guarded: GuardedMcp, body: unknown = call('echo')): Promise<string> {
  const answer = await json(await guarded.send('alice', { body }));
  return (answer['result'] as { requestState: string }).requestState;
}

function retry(name: string, more: object): object {
  return ask('tools/call', { name, ...more });
}

describe('a tool call', () => {
  it('reaches the server as it was read when policy permits it, and both are recorded [E6]', async () => {
    await using world = await behind(ok, { tools });
    const { server, guarded } = world;
    const body = `{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"query","arguments":{"dataset":"orders", "share":1.50}}}`;
    const answer = await guarded.send('alice', { body });
    expect([answer.status, await json(answer)]).toEqual([200, { jsonrpc: '2.0', id: 'a', result: { content } }]);
    expect(server.reached.map((one) => one.body)).toEqual([JSON.stringify(JSON.parse(body))]);
    await guarded.outcomes(1);
    expect(
      guarded.records.map(({ phase, decision, action, call, outcome }) => [
        phase,
        decision ?? outcome?.result,
        action,
        call?.name,
      ]),
    ).toEqual([
      ['decision', 'allow', 'query.run', 'query'],
      ['outcome', 'finished', undefined, 'query'],
    ]);
    expect(JSON.stringify(guarded.records)).not.toContain('orders');
  });

  it.each([
    ['a tool that policy hides', call('secret'), -32602],
    ['arguments that policy forbids', call('query', { dataset: 'customers' }), -32003],
    ['arguments of another type', call('query', { dataset: 5 }), -32003],
    ['an argument that is missing', call('query'), -32003],
    ['a tool that was not declared [E4]', call('other'), -32602],
    ['a tool in another case [E4]', call('Echo'), -32602],
    ['a tool with a space [E4]', call('echo '), -32602],
    ['a tool named as a member of every object [E4]', call('constructor'), -32602],
    ['no name [E4]', call(undefined), -32602],
    ['a name that is no text', call(['echo']), -32602],
    ['a method that is not known', ask('acme/rebuild'), -32601],
    ['a task of nobody', ask('tasks/get', { taskId: 'x' }), -32602],
    ['a hidden prompt', ask('prompts/get', { name: 'secret' }), -32602],
    ['a forbidden resource', ask('resources/read', { uri: 'test://t/secret' }), -32602],
    ['a subscription to a forbidden resource', ask('resources/subscribe', { uri: 'test://t/secret' }), -32602],
    [
      'a stream of a forbidden resource',
      ask('subscriptions/listen', { notifications: { resourceSubscriptions: ['test://t/a', 'test://t/secret'] } }),
      -32602,
    ],
    ['twins within a declared argument [E3]', call('query', { dataset: [{ a: 1, A: 2 }] }), -32602],
    ['a declared argument in another case', call('query', { dataset: 'orders', Limit: 5 }), -32602],
  ])('is refused for %s, and does not reach the server', async (_what, body, code) => {
    await using world = await behind(ok, { tools });
    const answer = await world.guarded.send('alice', { body });
    expect([answer.status, await json(answer)]).toMatchObject([200, { id: 1, error: { code } }]);
    expect(world.server.reached).toEqual([]);
    expect(world.guarded.records.filter(({ decision }) => decision === 'deny')).toHaveLength(1);
  });

  it.each<[string, unknown, number]>([
    ['a batch [E2]', [call('echo'), call('secret', {}, 2)], -32600],
    ['the version of a tool [E6]', ask('tools/call', { name: 'echo', _meta: { fastmcp: { version: '1.0' } } }), -32600],
    ['a notification that calls a tool [E4]', { ...call('secret'), id: undefined }, -32600],
    ['a notification that nobody knows', { jsonrpc: '2.0', method: 'notifications/acme' }, -32600],
    [
      'a member twice [E3]',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"secret","name":"echo"}}',
      -32700,
    ],
    ['a member in another case [E3]', { ...call('echo'), params: { name: 'echo', Name: 'secret' } }, -32600],
    ['no JSON', 'tools/call', -32700],
    ['an empty body', '', -32700],
    ['an id of null', { ...call('echo'), id: null }, -32600],
    ['a resource in another spelling', ask('resources/read', { uri: 'test://t/%73ecret' }), -32602],
    ['a resource by way of dots', ask('resources/read', { uri: 'test://t/a%2F..%2Fsecret' }), -32602],
    [
      'a listened resource in another spelling',
      ask('subscriptions/listen', { notifications: { resourceSubscriptions: ['test://t/%73ecret'] } }),
      -32602,
    ],
    [
      'a notification about a task of another caller [E11]',
      {
        jsonrpc: '2.0',
        method: 'notifications/progress',
        params: { _meta: { 'io.modelcontextprotocol/related-task': { taskId: 'x' } } },
      },
      -32602,
    ],
    ['an answer without a session', { jsonrpc: '2.0', id: 0, result: { action: 'accept' } }, -32600],
  ])('is refused with 400 for %s, and does not reach the server', async (_what, body, code) => {
    await using world = await behind(ok, { tools });
    const answer = await world.guarded.send('alice', { body });
    expect([answer.status, await json(answer)]).toMatchObject([400, { error: { code } }]);
    expect(world.server.reached).toEqual([]);
    await vi.waitFor(() => expect(world.guarded.records).toHaveLength(1), patiently);
    const [record] = world.guarded.records;
    // Notifications that MCP does not define, or about tasks of others, are decisions.
    if (record?.phase === 'decision') expect(record.code).toMatch(/^(?:route_unmapped|policy_denied)$/);
    else expect(record?.outcome).toEqual({ result: 'finished', status: 400 });
  });

  it.each<[string, McpRequest['headers'], object]>([
    ['the name', { 'mcp-name': 'echo' }, call('secret')],
    ['the name in another case', { 'mcp-name': 'Echo' }, call('echo')],
    ['the method', { 'mcp-method': 'tools/list' }, call('echo')],
    ['the method in another case', { 'mcp-method': 'Tools/Call' }, call('echo')],
    ['the name, in base64', { 'mcp-name': `=?base64?${btoa('secret')}?=` }, call('echo')],
    [
      'an argument',
      { 'mcp-method': 'tools/call', 'mcp-param-dataset': 'orders' },
      call('query', { dataset: 'customers' }),
    ],
  ])('is refused with -32020 when a field says another thing: %s [E1]', async (_what, headers = {}, body) => {
    await using world = await behind(ok, { tools });
    const answer = await world.guarded.send('alice', { headers, body });
    expect([answer.status, await json(answer)]).toMatchObject([400, { id: 1, error: { code: -32020 } }]);
    expect(world.server.reached).toEqual([]);
  });

  it('says how it ended: with an error, with isError, and cut off', async () => {
    await using world = await behind(endsAsAsked);
    for (const how of ['error', 'isError', 'cut']) await world.guarded.send('alice', { body: call('echo', { how }) });
    expect(await world.guarded.outcomes(3)).toEqual([
      { result: 'failed', code: '-32000' },
      { result: 'failed' },
      { result: 'aborted' },
    ]);
  });

  it('reaches the server without what MCP does not define in _meta [E6]', async () => {
    await using world = await behind(answersWith({ content }));
    const defined = { progressToken: 'p', 'io.modelcontextprotocol/x': 1 };
    const params = { name: 'echo', _meta: { ...defined, 'acme/version': '1.0' } };
    expect((await world.guarded.send('alice', { body: ask('tools/call', params) })).status).toBe(200);
    expect(world.server.reached.map(({ body }) => JSON.parse(body) as unknown)).toEqual([
      ask('tools/call', { name: 'echo', _meta: defined }),
    ]);
  });

  it('is too long for more bytes than a message may have', async () => {
    await using world = await behind(ok, { maxMessageBytes: 2000 });
    const answer = await world.guarded.send('alice', { body: call('echo', { text: 'x'.repeat(2000) }) });
    expect([answer.status, (await json(answer))['error']]).toMatchObject([413, { code: -32600 }]);
    expect(world.server.reached).toEqual([]);
  });
});

describe('the server behind', () => {
  it('gets no credential and no identity of the caller, but its own [E8, E9]', async () => {
    await using world = await behind(ok, {
      tools: { echo: {} },
      headers: { authorization: 'Bearer own' },
    });
    const headers = {
      cookie: 'session=1',
      'x-user-id': 'root',
      forwarded: 'for=root',
      'x-custom': '1',
      'mcp-custom': '1',
    };
    await world.guarded.send('alice', {
      headers: { ...headers, 'mcp-protocol-version': '2025-11-25' },
      body: call('echo'),
    });
    const [reached] = world.server.reached;
    expect(Object.keys(reached?.headers ?? {}).toSorted()).toEqual([
      'accept',
      'accept-encoding',
      ...(reached?.headers['accept-language'] === undefined ? [] : ['accept-language']),
      'authorization',
      'connection',
      'content-length',
      'content-type',
      'host',
      'mcp-protocol-version',
      ...(reached?.headers['user-agent'] === undefined ? [] : ['user-agent']),
    ]);
    expect(reached?.headers.authorization).toBe('Bearer own');
    expect(reached?.url).toBe('/mcp');
  });

  it('is not reached by strangers, nor by other methods [E10]', async () => {
    await using world = await behind(ok);
    for (const method of ['GET', 'POST', 'DELETE', 'OPTIONS', 'PUT']) {
      const answer = await fetch(world.guarded.url, {
        method,
        ...(method === 'POST' && { body: JSON.stringify(call('echo')) }),
      });
      expect(answer.status).toBe(401);
    }
    for (const method of ['OPTIONS', 'PUT', 'PATCH', 'HEAD']) {
      const answer = await world.guarded.send('alice', { method });
      expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, POST, DELETE']);
    }
    expect(world.server.reached).toEqual([]);
  });

  it.each<[string, Script]>([
    ['is not there', (response) => response.destroy()],
    ['switches protocols', (response) => response.socket?.end(`${switching}Connection: upgrade\r\n\r\n`)],
    ['switches protocols without a field that says so', (response) => response.socket?.end(`${switching}\r\n`)],
    ['answers in a type that cannot be read', (response) => response.end('secret')],
    ['answers no JSON', (response) => response.setHeader('content-type', 'application/json').end('{"secret"')],
    [
      'answers in another coding',
      (response) =>
        response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end('{}'),
    ],
    ['refuses our credentials', (response) => response.writeHead(401, { 'www-authenticate': 'Bearer' }).end('{}')],
    ['redirects', (response) => response.writeHead(307, { location: 'http://127.0.0.1/secret' }).end()],
  ])('is a bad gateway when it %s, and nothing of its answer passes', async (_what, script) => {
    await using world = await behind(script);
    const answer = await world.guarded.send('alice', { body: call('echo') });
    const text = await answer.text();
    expect([answer.status, JSON.parse(text)]).toMatchObject([502, { id: 1, error: { code: -32603 } }]);
    expect(text).not.toContain('secret');
    expect(answer.headers.get('www-authenticate')).toBeNull();
    expect(await world.guarded.outcomes(1)).toEqual([{ result: 'aborted' }]);
    expect(world.guarded.troubles).toHaveLength(1);
  });

  it('may answer a notification with nothing', async () => {
    await using world = await behind((response) =>
      response.writeHead(202, { 'content-type': 'application/json' }).end(),
    );
    const answer = await world.guarded.send('alice', { body: { jsonrpc: '2.0', method: 'notifications/initialized' } });
    expect([answer.status, await answer.text()]).toEqual([202, '']);
  });
});

const listed = { tools: ['echo', 'secret', 'delete'].map((name) => ({ name, inputSchema: {} })), nextCursor: 'c' };

describe('a list', () => {
  it.each<[string, Script]>([
    ['JSON', answersWith(listed)],
    [
      'an event stream',
      (response, { body }) => {
        response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
        event(response, { jsonrpc: '2.0', method: 'notifications/message', params: {} });
        event(response, { jsonrpc: '2.0', id: (JSON.parse(body) as { id: number }).id, result: listed });
        response.end();
      },
    ],
    [
      'an event stream under another id',
      (response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        event(response, { jsonrpc: '2.0', id: 'other', result: listed });
        response.end();
      },
    ],
    [
      'an array',
      (response) => {
        const all = [{ jsonrpc: '2.0', id: 1, result: listed }];
        response.setHeader('content-type', 'application/json').end(JSON.stringify(all));
      },
    ],
  ])('shows only what the caller may use, as %s [E5]', async (_what, script) => {
    await using world = await behind(script);
    for (const [agent, shown] of [
      ['alice', ['echo']],
      ['bob', ['echo']],
    ] as const) {
      const text = await (await world.guarded.send(agent, { body: ask('tools/list') })).text();
      expect(text).not.toContain('secret');
      expect([...text.matchAll(/"name":"(\w+)"/g)].map(([, name]) => name)).toEqual(shown);
      expect(text).toContain('"nextCursor":"c"');
    }
  });

  it('of prompts, resources and templates too [E5]', async () => {
    const result = {
      prompts: [{ name: 'open' }, { name: 'secret' }],
      resources: [{ uri: 'test://t/open' }, { uri: 'test://t/secret' }, { uri: 'no uri' }],
      resourceTemplates: [{ uriTemplate: 'test://t/{x}' }],
    };
    await using world = await behind(answersWith(result));
    for (const method of ['prompts/list', 'resources/list', 'resources/templates/list']) {
      const text = await (await world.guarded.send('bob', { body: ask(method) })).text();
      const member = { 'prompts/list': 'prompts', 'resources/list': 'resources' }[method] ?? 'resourceTemplates';
      expect((JSON.parse(text) as { result: Record<string, unknown> }).result[member]).toEqual([]);
    }
  });
});

describe('a session', () => {
  it('belongs to its opener alone: no other caller speaks, listens or answers in it, nor ends it [E10]', async () => {
    await using world = await behind(opensSession);
    const opened = await world.guarded.send('alice', { body: ask('initialize') });
    const session = opened.headers.get('mcp-session-id') ?? '';
    expect(session).not.toBe('session-1');
    const headers = { 'mcp-session-id': session };
    const answer = { jsonrpc: '2.0', id: 0, result: { action: 'accept' } };
    const requests: McpRequest[] = [{ body: ask('ping') }, { body: answer }, { method: 'GET' }, { method: 'DELETE' }];
    for (const request of requests) {
      expect((await world.guarded.send('bob', { ...request, headers })).status).toBe(404);
    }
    expect(
      (await world.guarded.send('alice', { headers: { 'mcp-session-id': 'session-1' }, body: ask('ping') })).status,
    ).toBe(404);
    expect(world.server.reached).toHaveLength(1);
    for (const request of requests) {
      expect((await world.guarded.send('alice', { ...request, headers })).ok).toBe(true);
    }
    expect(world.server.reached.slice(1).map((one) => one.headers['mcp-session-id'])).toEqual(
      Array(4).fill('session-1'),
    );
  });

  it('goes on at another process with the same key', async () => {
    const sealKey = Buffer.alloc(32, 1);
    await using one = await behind(opensSession, { sealKey });
    await using other = await behind(opensSession, { sealKey });
    const opened = await one.guarded.send('alice', { body: ask('initialize') });
    const headers = { 'mcp-session-id': opened.headers.get('mcp-session-id') ?? '' };
    expect((await other.guarded.send('alice', { headers, body: ask('ping') })).status).toBe(200);
    expect((await other.guarded.send('bob', { headers, body: ask('ping') })).status).toBe(404);
  });
});

describe('the state of a call that waits for its user', () => {
  const script: Script = answersWith({ resultType: 'input_required', requestState: 'st"äte' });

  it('comes back to the server as it was [E7]', async () => {
    await using world = await behind(script);
    const rest = '"arguments":{"n":1}';
    const first = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo",${rest}}}`;
    const requestState = await stateFor(world.guarded, first);
    const body = `{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"echo","requestState":"${requestState}",${rest}}}`;
    await world.guarded.send('alice', { body });
    expect(world.server.reached[1]?.body).toBe(body.replace(JSON.stringify(requestState), JSON.stringify('st"äte')));
  });

  it('is refused from another caller, for another call, and when it is forged or stands twice [E7]', async () => {
    await using world = await behind(script);
    const requestState = await stateFor(world.guarded);
    const attempts = [
      ['bob', retry('echo', { requestState })],
      ['alice', retry('other', { requestState })],
      ['alice', retry('echo', { requestState: 'st"äte' })],
      ['alice', retry('echo', { requestState: 5 })],
      ['alice', retry('echo', { requestState, arguments: { amount: 500 } })],
      ['alice', retry('echo', { requestState, arguments: { text: requestState } })],
    ] as const;
    for (const [agent, body] of attempts) {
      expect(await json(await world.guarded.send(agent, { body }))).toMatchObject({ error: { code: -32602 } });
    }
    expect(world.server.reached).toHaveLength(1);
    expect(world.guarded.records.filter(({ decision }) => decision === 'deny')).toHaveLength(attempts.length);
  });
});

it('words a hidden tool like an absent one, also when the server does not list, and for odd arguments [E5, E14]', async () => {
  for (const options of [{ tools }, {}]) {
    await using world = await behind((response) => void response.writeHead(400).end(), options);
    const answers = ['secret', 'nowhere'].flatMap((name) =>
      [{}, { Dataset: 'x' }].map(async (args) => {
        const answer = await world.guarded.send('bob', { body: call(name, args) });
        return `${answer.status} ${await answer.text()}`.replace(name, 'X');
      }),
    );
    expect(new Set(await Promise.all(answers)).size).toBe(1);
    const hidden = await world.guarded.send('bob', { body: call('query', { Dataset: 'x' }) });
    expect(await json(hidden)).toMatchObject({ error: { code: -32602, message: 'Tool query not found' } });
  }
});

it('passes on that a session or a method is not known, whatever the type of the answer', async () => {
  for (const status of [404, 405]) {
    await using world = await behind((response) => {
      response.writeHead(status, { 'content-type': 'text/plain', secret: 'x' }).end('session not found');
    });
    const answer = await world.guarded.send('alice', { method: 'GET' });
    expect([answer.status, await json(answer)]).toMatchObject([status, { error: {} }]);
    expect(answer.headers.get('secret')).toBeNull();
    expect(world.guarded.troubles).toEqual([]);
  }
});

it('leaves an outcome of each request that asks policy nothing [F5]', async () => {
  await using world = await behind(ok);
  await world.guarded.send('alice', { body: ask('ping') });
  await vi.waitFor(() => expect(world.guarded.records).toHaveLength(1), patiently);
  expect(world.guarded.records[0]?.outcome).toEqual({ result: 'finished', status: 200 });
});

describe('a stream', () => {
  it('passes each event on at once', async () => {
    const next = deferred();
    const script: Script = async (response, { body }) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      event(response, { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1, message: '½ 🦀' } });
      await next.promise;
      event(response, { jsonrpc: '2.0', id: (JSON.parse(body) as { id: number }).id, result: { content } });
      response.end();
    };
    await using world = await behind(script);
    const answer = await world.guarded.send('alice', { body: call('echo') });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain('½ 🦀');
    next.resolve();
    expect((await reader?.read())?.value).toContain('done');
    expect(await world.guarded.outcomes(1)).toEqual([{ result: 'finished' }]);
  });

  it('ends at the server when the client leaves, and the call is recorded as cut off', async () => {
    const left = deferred();
    const script: Script = (response) => {
      response.once('close', () => left.resolve());
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      event(response, { jsonrpc: '2.0', method: 'notifications/progress', params: {} });
    };
    await using world = await behind(script);
    const leaving = new AbortController();
    const answer = await world.guarded.send('alice', { body: call('echo'), signal: leaving.signal });
    await answer.body?.getReader().read();
    leaving.abort();
    await left.promise;
    expect(await world.guarded.outcomes(1)).toEqual([{ result: 'aborted' }]);
  });

  it('sends nothing more to a caller who has been revoked, and ends', async () => {
    const more = deferred();
    const script: Script = async (response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      event(response, { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'before' } });
      await more.promise;
      event(response, { jsonrpc: '2.0', method: 'notifications/message', params: { data: 'after' } });
    };
    await using world = await behind(script);
    const answer = await world.guarded.send('alice', { method: 'GET' });
    const reader = answer.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect((await reader?.read())?.value).toContain('before');
    world.guarded.guard.revocations.revoke({ agent: 'alice' });
    more.resolve();
    await expect(reader?.read()).rejects.toThrow();
    expect(world.guarded.troubles).toEqual([]);
  });

  it('is not the only answer that is withheld from a caller who has been revoked [E11]', async () => {
    const [begun, more] = [deferred(), deferred()];
    await using world = await behind(
      async (response, reached, request) => {
        begun.resolve();
        await more.promise;
        return ok(response, reached, request);
      },
      { tools },
    );
    const answer = world.guarded.send('alice', { body: call('echo') });
    await begun.promise;
    world.guarded.guard.revocations.revoke({ agent: 'alice' });
    more.resolve();
    expect((await answer).status).toBe(502);
    expect(world.guarded.troubles).toEqual([]);
  });

  it('ends by itself when the caller has been revoked, also while it is silent', async () => {
    await using world = await behind((response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      event(response, { jsonrpc: '2.0', method: 'notifications/message', params: {} });
    });
    const answer = await world.guarded.send('alice', { method: 'GET' });
    const reader = answer.body?.getReader();
    await reader?.read();
    world.guarded.guard.revocations.revoke({ agent: 'alice' });
    await expect(reader?.read()).rejects.toThrow();
    expect(world.guarded.troubles).toEqual([]);
  });
});
