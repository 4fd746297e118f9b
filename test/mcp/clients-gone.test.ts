import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, constants, createServer as createHttp2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { guardMcpHttp } from '@countersign/mcp';
import { agentAuth } from '@countersign/node-http';
import { expect, it, onTestFinished, vi } from 'vitest';
import { deferred } from '../support/deferred.js';
import { patiently } from '../support/patiently.js';
import { agentNamed, guardedMcp, guardFor } from './support/guarded-mcp.js';

const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo' } });

it('a client that has left over HTTP/2 before the decision gets nothing run, and the call an outcome [E11, F5]', async () => {
  const [asked, listing, left] = [deferred(), deferred(), deferred()];
  const ran: string[] = [];
  const behind = createServer(async (request, response: ServerResponse) => {
    const text = Buffer.concat(await request.toArray()).toString();
    const { id, method } = JSON.parse(text) as { id: unknown; method: string };
    if (method !== 'tools/list') return void ran.push(method);
    asked.resolve();
    await listing.promise;
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ jsonrpc: '2.0', id, result: { tools: [{ name: 'echo' }] } }));
  }).listen(0, '127.0.0.1');
  await once(behind, 'listening');
  const server = createHttp2Server().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { guard, audit } = await guardFor(origin);
  onTestFinished(async () => {
    behind.closeAllConnections();
    behind.close();
    server.close();
    await guard.close();
  });
  const auth = agentAuth(guard);
  const mcp = guardMcpHttp(`http://127.0.0.1:${(behind.address() as AddressInfo).port}/mcp`);
  server.on('request', async (request, response) => {
    response.stream.once('close', () => left.resolve());
    const exchange = [request, response] as unknown as [IncomingMessage, ServerResponse];
    if (await auth(...exchange)) await mcp(...exchange);
  });
  const alice = await agentNamed('alice');
  const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
  const signed = await alice.signRequest({ method: 'POST', url: `${origin}/mcp`, headers, body });
  const session = connect(origin);
  onTestFinished(() => session.destroy());
  const stream = session.request({ ':method': 'POST', ':path': '/mcp', ...signed.headers });
  stream.on('error', () => {});
  stream.end(body);
  await asked.promise;
  stream.close();
  await left.promise;
  listing.resolve();
  const outcomes = () => audit.records.flatMap(({ call, outcome }) => (call && outcome ? [outcome.result] : []));
  await vi.waitFor(() => expect(outcomes()).toEqual(['aborted']), patiently);
  expect(ran).toEqual([]);
});

it('a silent answer of a fetch handler is cancelled when its client leaves or is revoked [E11, F5]', async () => {
  let cancelled = 0;
  const handler = async (request: Request): Promise<Response> => {
    const { id, method } = (await request.json()) as { id: unknown; method: string };
    if (method === 'tools/list') {
      return Response.json({ jsonrpc: '2.0', id, result: { tools: [{ name: 'echo' }] } });
    }
    const stream = new ReadableStream({
      start: (controller) => controller.enqueue(new TextEncoder().encode(': begun\n\n')),
      cancel: () => void (cancelled += 1),
    });
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  };
  await using guarded = await guardedMcp(handler);
  const leaving = new AbortController();
  const first = await guarded.send('alice', { body, signal: leaving.signal });
  await first.body?.getReader().read();
  leaving.abort();
  await vi.waitFor(() => expect(cancelled).toBe(1), patiently);
  expect(await guarded.outcomes(1)).toEqual([{ result: 'aborted' }]);
  const second = await guarded.send('alice', { body });
  const reader = second.body?.getReader();
  await reader?.read();
  guarded.guard.revocations.revoke({ agent: 'alice' });
  await expect(reader?.read()).rejects.toThrow();
  await vi.waitFor(() => expect(cancelled).toBe(2), patiently);
});

it('an answer that a fetch handler gives after its client has left is cancelled [E11, F5]', async () => {
  const [asked, answering] = [deferred(), deferred()];
  let cancelled = 0;
  const handler = async (request: Request): Promise<Response> => {
    const { id, method } = (await request.json()) as { id: unknown; method: string };
    if (method === 'tools/list') return Response.json({ jsonrpc: '2.0', id, result: { tools: [{ name: 'echo' }] } });
    asked.resolve();
    await answering.promise;
    const stream = new ReadableStream({ cancel: () => void (cancelled += 1) });
    return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
  };
  await using guarded = await guardedMcp(handler);
  const leaving = new AbortController();
  const sent = guarded.send('alice', { body, signal: leaving.signal }).catch(() => undefined);
  await asked.promise;
  leaving.abort();
  await sent;
  expect(await guarded.outcomes(1)).toEqual([{ result: 'aborted' }]);
  answering.resolve();
  await vi.waitFor(() => expect(cancelled).toBe(1), patiently);
});

it.each(['after the first event', 'before the answer of a handler that never gives one'])(
  'a call that its client cancels over HTTP/2 %s has its outcome [E11, F5]',
  async (when) => {
    const isStream = when === 'after the first event';
    const asked = deferred();
    const handler = async (request: Request): Promise<Response> => {
      const { id, method } = (await request.json()) as { id: unknown; method: string };
      if (method === 'tools/list') return Response.json({ jsonrpc: '2.0', id, result: { tools: [{ name: 'echo' }] } });
      asked.resolve();
      if (!isStream) return await new Promise<never>(() => {});
      const begun = new TextEncoder().encode(': begun\n\n');
      const stream = new ReadableStream({ start: (controller) => controller.enqueue(begun) });
      return new Response(stream, { headers: { 'content-type': 'text/event-stream' } });
    };
    const server = createHttp2Server().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { guard, audit } = await guardFor(origin);
    const [auth, mcp] = [agentAuth(guard), guardMcpHttp(handler)];
    const returned = deferred();
    server.on('request', async (request, response) => {
      const exchange = [request, response] as unknown as [IncomingMessage, ServerResponse];
      if (await auth(...exchange)) await mcp(...exchange);
      returned.resolve();
    });
    const alice = await agentNamed('alice');
    const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' };
    const signed = await alice.signRequest({ method: 'POST', url: `${origin}/mcp`, headers, body });
    const session = connect(origin);
    onTestFinished(async () => {
      session.destroy();
      server.close();
      await guard.close();
    });
    const stream = session.request({ ':method': 'POST', ':path': '/mcp', ...signed.headers });
    stream.on('error', () => {});
    stream.end(body);
    await (isStream ? once(stream, 'data') : asked.promise);
    stream.close(constants.NGHTTP2_CANCEL);
    await returned.promise;
    const outcomes = audit.records.flatMap(({ call, outcome }) => (call && outcome ? [outcome.result] : []));
    expect(outcomes).toEqual(['aborted']);
  },
);
