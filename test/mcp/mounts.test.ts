import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Guard } from '@countersign/core';
import * as express from '@countersign/express';
import * as fastify from '@countersign/fastify';
import * as koa from '@countersign/koa';
import { guardMcpHttp } from '@countersign/mcp';
import { Router } from '@koa/router';
import expressApp from 'express';
import express4 from 'express4';
import { fastify as fastifyApp } from 'fastify';
import Koa from 'koa';
import { describe, expect, it } from 'vitest';
import { agentNamed, guardFor } from './support/guarded-mcp.js';
import { answersWith, scriptedServer } from './support/scripted-server.js';

type Mcp = ReturnType<typeof guardMcpHttp>;

/** How each framework takes the guard in, as docs/guides/mcp-proxy.md shows. */
type Mount = (guard: Guard, mcp: Mcp, auth?: { readonly onRefusal: 'throw' }) => Promise<RequestListener>;

function onExpress(create: typeof expressApp): Mount {
  return async (guard, mcp, auth) => {
    const app = create();
    app.use(express.agentAuth(guard, auth));
    app.all('/mcp', mcp);
    return app as RequestListener;
  };
}

const mounts: Readonly<Record<string, Mount>> = {
  express: onExpress(expressApp),
  express4: onExpress(express4 as unknown as typeof expressApp),
  async fastify(guard, mcp, auth) {
    const app = fastifyApp();
    await app.register(fastify.agentAuth, { guard, ...auth });
    await app.register(async (inner) => {
      inner.removeAllContentTypeParsers();
      inner.addContentTypeParser('*', (_request, _payload, done) => done(null));
      inner.all('/mcp', fastify.permit(false), (request, reply) => {
        reply.hijack();
        void mcp(request.raw, reply.raw);
      });
    });
    await app.ready();
    return (request, response) => app.routing(request, response);
  },
  async koa(guard, mcp, auth) {
    const router = new Router<koa.AgentState>();
    router.all('/mcp', koa.permit(false), async (ctx) => {
      ctx.respond = false;
      await mcp(ctx.req, ctx.res);
    });
    const app = new Koa<koa.AgentState>();
    app.use(koa.agentAuth(guard, auth));
    app.use(router.routes());
    const handle = app.callback();
    return (request, response) => void handle(request, response);
  },
};

async function listening(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** The same behind a step that takes until the whole request is here, as a rate limit with a store may. */
function slowly(handle: RequestListener): RequestListener {
  return (request, response) => {
    if (request.complete) handle(request, response);
    else setImmediate(() => slowly(handle)(request, response));
  };
}

describe.each(Object.entries(mounts))('guardMcpHttp in %s', (_framework, mount) => {
  it('reads a message that came before the guard ran', async () => {
    await using behind = await scriptedServer(answersWith({ tools: [{ name: 'echo' }] }));
    const server = createServer();
    const origin = await listening(server);
    const { guard, troubles } = await guardFor(origin);
    server.on('request', slowly(await mount(guard, guardMcpHttp(`${behind.url}/mcp`))));
    const alice = await agentNamed('alice');
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} });
    const headers = { 'content-type': 'application/json' };
    const answer = await alice.fetch(`${origin}/mcp`, { method: 'POST', headers, body });
    expect(await answer.json()).toMatchObject({ result: { tools: [{ name: 'echo' }] } });
    expect(troubles).toEqual([]);
    server.closeAllConnections();
    server.close();
    await guard.close();
  });

  it('answers people, too, where the application wants refusals thrown [F5]', async () => {
    await using behind = await scriptedServer(answersWith({}));
    const server = createServer();
    const origin = await listening(server);
    const { guard } = await guardFor(origin, { traffic: 'mixed' });
    server.on('request', await mount(guard, guardMcpHttp(`${behind.url}/mcp`), { onRefusal: 'throw' }));
    for (const method of ['GET', 'POST']) expect((await fetch(`${origin}/mcp`, { method })).status).toBe(401);
    expect(behind.reached).toEqual([]);
    server.closeAllConnections();
    server.close();
    await guard.close();
  });

  it('is its own permit, decides calls and filters lists', async () => {
    await using behind = await scriptedServer(answersWith({ tools: [{ name: 'echo' }, { name: 'secret' }] }));
    const server = createServer();
    const origin = await listening(server);
    const { guard, audit } = await guardFor(origin);
    server.on('request', await mount(guard, guardMcpHttp(`${behind.url}/mcp`)));
    const alice = await agentNamed('alice');
    const ask = async (method: string, params: object = {}): Promise<unknown> => {
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
      const headers = { 'content-type': 'application/json' };
      return await (await alice.fetch(`${origin}/mcp`, { method: 'POST', headers, body })).json();
    };
    expect(await ask('tools/list')).toMatchObject({ result: { tools: [{ name: 'echo' }] } });
    expect(await ask('tools/call', { name: 'echo' })).toMatchObject({ result: {} });
    expect(await ask('tools/call', { name: 'secret' })).toMatchObject({ error: { code: -32602 } });
    expect(behind.reached).toHaveLength(2);
    expect((await fetch(`${origin}/mcp`, { method: 'POST', body: '{}' })).status).toBe(401);
    server.closeAllConnections();
    server.close();
    await guard.close();
    expect(audit.records.filter(({ outcome }) => outcome?.undecided === true)).toEqual([]);
  });
});

it('guardMcpHttp behind a body parser refuses, and says what to do', async () => {
  await using behind = await scriptedServer(answersWith({}));
  const server = createServer();
  const origin = await listening(server);
  const { guard, troubles } = await guardFor(origin);
  const app = expressApp();
  app.use(express.agentAuth(guard), expressApp.json());
  app.all('/mcp', guardMcpHttp(`${behind.url}/mcp`));
  server.on('request', app as RequestListener);
  const alice = await agentNamed('alice');
  const headers = { 'content-type': 'application/json' };
  const answer = await alice.fetch(`${origin}/mcp`, { method: 'POST', headers, body: '{}' });
  expect([answer.status, behind.reached, troubles]).toEqual([
    500,
    [],
    [expect.stringContaining('before any body parser')],
  ]);
  server.closeAllConnections();
  server.close();
  await guard.close();
});

it('guardMcpHttp guards a fetch handler in the same process', async () => {
  const reached: Request[] = [];
  const handler = async (request: Request): Promise<Response> => {
    reached.push(request);
    const { id } = (await request.json()) as { id: number };
    return Response.json({ jsonrpc: '2.0', id, result: { tools: [{ name: 'secret' }] } });
  };
  const server = createServer();
  const origin = await listening(server);
  const { guard } = await guardFor(origin);
  const mcp = guardMcpHttp(handler);
  server.on('request', await mounts['express']!(guard, mcp));
  const alice = await agentNamed('alice');
  const send = async (method: string, params: object): Promise<unknown> => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
    const headers = { 'content-type': 'application/json' };
    return await (await alice.fetch(`${origin}/mcp`, { method: 'POST', headers, body })).json();
  };
  expect(await send('tools/list', {})).toEqual({ jsonrpc: '2.0', id: 1, result: { tools: [] } });
  expect(await send('tools/call', { name: 'secret' })).toMatchObject({ error: { code: -32602 } });
  // For what is hidden the guard asks for the list, as for what is not there.
  expect(reached.map(({ headers }) => [headers.get('signature'), headers.get('authorization')])).toEqual([
    [null, null],
    [null, null],
  ]);
  server.closeAllConnections();
  server.close();
  await guard.close();
});

it.each<[string, unknown, object, string]>([
  ['no URL', 'localhost', {}, 'name the http or https URL'],
  ['another scheme', 'ftp://localhost/', {}, 'name the http or https URL'],
  ['credentials in the URL', 'http://a:b@localhost/', {}, 'no credentials'],
  ['a short key', 'http://localhost/', { sealKey: Buffer.alloc(8) }, 'at least 32 random bytes'],
  ['no size', 'http://localhost/', { maxMessageBytes: 0 }, 'at least 1024'],
  ['broken fields', 'http://localhost/', { headers: { 'a b': '1' } }, 'fields of HTTP'],
  ['an unknown option', 'http://localhost/', { tool: {} }, 'tool'],
  ['a wrong rule', 'http://localhost/', { tools: { echo: { onDeny: 'never' } } }, "'onDeny'"],
])('guardMcpHttp refuses %s', (_what, server, options, message) => {
  expect(() => guardMcpHttp(server as string, options)).toThrow(message);
});
