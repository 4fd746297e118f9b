import type { IncomingMessage, ServerResponse } from 'node:http';
import { ConfigError, type GuardOptions, type Resource } from '@countersign/core';
import { actingUserOf } from '@countersign/core/adapter';
import { expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { agentId, guarded, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { patiently } from '../../../test/support/patiently.js';
import { sha256Digest } from '../../../test/support/signed-request.js';
import { agentAuth, type AgentAuthOptions, getCaller, permit } from '../src/index.js';

const repo: Resource = { type: 'Repo', id: 'acme/api' };

async function observing(
  handler: (request: IncomingMessage, response: ServerResponse) => unknown,
  options: Partial<GuardOptions> = {},
  admission: AgentAuthOptions = {},
) {
  const troubles: string[] = [];
  const made = await guarded({ mode: 'observe', onTrouble: (trouble) => troubles.push(trouble), ...options });
  const auth = agentAuth(made.guard, admission);
  const served = await serve((request, response) => void auth(request, response, () => handler(request, response)));
  return { ...made, troubles, url: served.url, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

/** Answers with who calls, and how many bytes came. */
async function count(request: IncomingMessage, response: ServerResponse): Promise<void> {
  let bytes = 0;
  for await (const chunk of request) bytes += (chunk as Buffer).length;
  response.end(`${getCaller(request)?.actor.id ?? 'nobody'} ${bytes}`);
}

const big = 'x'.repeat(300_000);
const wrong = { method: 'POST', digest: sha256Digest('other') } as const;

it('A guard that observes says so when it starts, and one that enforces does not', async () => {
  const onTrouble = vi.fn();
  await guarded({ onTrouble });
  expect(onTrouble).not.toHaveBeenCalled();
  const { guard } = await guarded({ mode: 'observe', onTrouble });
  expect(guard.mode).toBe('observe');
  expect(onTrouble).toHaveBeenCalledExactlyOnceWith(expect.stringContaining("mode is 'observe'"));
  await expect(guarded({ mode: 'off' as 'observe' })).rejects.toThrow(ConfigError);
});

it('A body whose digest is wrong reaches the handler whole, in memory, from a file, and of a streamed route', async () => {
  for (const memoryBodyBytes of [1024 ** 2, 1000]) {
    await using server = await observing(count, { memoryBodyBytes });
    expect((await send(server.url, signed({ ...wrong, body: big }))).body).toBe(`nobody ${big.length}`);
    expect(server.audit.records).toMatchObject([{ decision: 'would_refuse', code: 'digest_mismatch' }]);
  }
  await using server = await observing(count, {}, { streamBody: () => true });
  expect((await send(server.url, signed({ ...wrong, body: big }))).body).toBe(`nobody ${big.length}`);
  expect((await send(server.url, signed({ method: 'POST', body: big }))).body).toBe(`${agentId} ${big.length}`);
});

it('A body that is announced as too large passes', async () => {
  await using server = await observing(count, { maxBodyBytes: 1000 });
  expect((await send(server.url, signed({ method: 'POST', body: big }))).body).toBe(`nobody ${big.length}`);
  expect(server.audit.records).toMatchObject([{ decision: 'would_refuse', code: 'body_too_large' }]);
});

/** A signed request with a body in chunks, and a function that writes a further chunk. */
async function chunked(url: string) {
  const { method, target, fields } = signed({ method: 'POST', body: big });
  const head = fields.filter(([name]) => name.toLowerCase() !== 'content-length').map((field) => field.join(': '));
  const connection = await Connection.open(url);
  connection.write(`${[`${method} ${target} HTTP/1.1`, ...head, 'Transfer-Encoding: chunked'].join('\r\n')}\r\n\r\n`);
  const write = (text: string) => connection.write(`${text.length.toString(16)}\r\n${text}\r\n`);
  return { connection, write };
}

it('A body that turns out to be too large passes as far as it was held, and its rest flows', async () => {
  await using server = await observing(count, { maxBodyBytes: 100_000 });
  const { connection, write } = await chunked(server.url);
  write(big.slice(0, 50_000));
  write(big.slice(50_000));
  connection.write('0\r\n\r\n');
  expect((await connection.read()).body).toBe(`nobody ${big.length}`);
  expect(server.audit.records).toMatchObject([{ decision: 'would_refuse', code: 'body_too_large' }]);
});

it('A body that comes too slowly passes once its time is over, and its rest flows', async () => {
  await using server = await observing(count, { bodyTimeoutSeconds: 1 });
  const { connection, write } = await chunked(server.url);
  write(big.slice(0, 1000));
  await vi.waitFor(() => expect(server.audit.records).toHaveLength(1), { timeout: 10_000, interval: 20 });
  write(big.slice(1000));
  connection.write('0\r\n\r\n');
  expect((await connection.read()).body).toBe(`nobody ${big.length}`);
  expect(server.audit.records).toMatchObject([{ decision: 'would_refuse', code: 'body_timeout' }]);
});

it('A body that cannot be given back whole is refused', async () => {
  const handler = vi.fn();
  await using server = await observing(handler, { maxBodyBytes: 100_000, memoryBodyBytes: 1000 });
  const { connection, write } = await chunked(server.url);
  write(big);
  connection.write('0\r\n\r\n');
  expect((await connection.read()).status).toBe(413);
  expect(server.audit.records).toMatchObject([{ decision: 'deny', code: 'body_too_large' }]);
  expect(handler).not.toHaveBeenCalled();
});

/** Answers with who calls and for whom, after permits for these actions. */
function after(...actions: readonly string[]) {
  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    for (const action of actions) {
      if (!(await permit(action, repo, { requires: 'repo:write' })(request, response))) return;
    }
    response.end(`${getCaller(request)?.actor.id ?? 'nobody'} ${actingUserOf(request)?.id ?? 'nobody'}`);
  };
}

it('A missing scope is recorded, and the request goes on with its caller, who acts for nobody', async () => {
  await using server = await observing(after('read'));
  expect((await send(server.url, signed())).body).toBe(`${agentId} nobody`);
  await vi.waitFor(() => expect(server.audit.records).toHaveLength(2), patiently);
  expect(server.audit.records).toMatchObject([
    { phase: 'decision', decision: 'would_refuse', code: 'insufficient_scope', actor: { id: agentId } },
    { phase: 'outcome', outcome: { result: 'finished', status: 200 } },
  ]);
});

it('A request that did not verify passes every permit without a second record', async () => {
  await using server = await observing(async (request, response) => {
    if (await permit('read', repo, { agentsOnly: true })(request, response)) response.end('ran');
  });
  expect((await send(server.url, unsigned())).body).toBe('ran');
  expect(server.audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
});

it('People pass a permit for agents only, and it is recorded', async () => {
  await using server = await observing(
    async (request, response) => {
      if (await permit('read', repo, { agentsOnly: true })(request, response)) response.end('ran');
    },
    { traffic: 'mixed' },
  );
  expect((await send(server.url, unsigned())).body).toBe('ran');
  expect(server.audit.records).toMatchObject([{ decision: 'would_refuse', code: 'signature_required' }]);
});

it('A list stays whole, and its record says how much would be hidden', async () => {
  const items = ['a', 'forbidden', 'b'].map((id) => ({ type: 'Repo', id }));
  await using server = await observing(async (request, response) => {
    const filtered = await server.guard.filter(getCaller(request)!, 'read', items);
    response.end(JSON.stringify(filtered.ok && filtered.permitted.map(({ id }) => id)));
  });
  expect((await send(server.url, signed())).body).toBe('["a","forbidden","b"]');
  expect(server.audit.records[0]).toMatchObject({ decision: 'would_refuse', filtered: { asked: 3, permitted: 2 } });
});

it('An outage of the log or of policy blocks nothing, and is reported', async () => {
  const audit = { write: () => Promise.reject(new Error('disk full')) };
  await using unwritten = await observing(
    async (request, response) => {
      await permit('read', repo)(request, response);
      response.end(actingUserOf(request)?.id ?? 'nobody');
    },
    { audit },
  );
  expect((await send(unwritten.url, signed())).body).toBe('nobody');
  expect((await send(unwritten.url, unsigned())).status).toBe(200);
  expect(unwritten.troubles.join()).toContain('disk full');
  const policy = { scopeVocabulary: [], decide: () => Promise.reject(new Error('policy is away')) };
  await using undecided = await observing(
    async (request, response) => {
      if (await permit('read', repo)(request, response)) response.end('ran');
    },
    { policy },
  );
  expect((await send(undecided.url, signed())).body).toBe('ran');
  expect(undecided.troubles.join()).toContain('policy is away');
  expect(undecided.audit.records[0]).toMatchObject({ decision: 'would_refuse' });
});

it('A caller who lapses keeps its streams', async () => {
  await using server = await observing(async (request, response) => {
    const caller = getCaller(request)!;
    server.guard.revocations.revoke({ agent: agentId });
    response.end((await server.guard.revalidate(caller))?.code ?? 'counts');
  });
  expect((await send(server.url, signed())).body).toBe('counts');
});
