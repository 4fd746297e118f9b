import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Guard } from '@countersign/core';
import * as onExpress from '@countersign/express';
import * as onFastify from '@countersign/fastify';
import * as onKoa from '@countersign/koa';
import * as onNode from '@countersign/node-http';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, McpServer as McpServer2 } from '@modelcontextprotocol/server';
import express from 'express';
import { fastify } from 'fastify';
import Koa from 'koa';
import { guardHandler, guardTools, mcpBridge } from '../src/index.js';
import { options, register } from './tools.js';
import { type World, world } from './world.js';

/** A running server, the world around it, and what ran in it. */
export interface Running extends World {
  readonly url: string;
  readonly ran: string[];
  close(): Promise<void>;
}

export interface Host {
  readonly name: string;
  readonly sdk: 1 | 2;
  readonly hasSessions: boolean;
  start(mode?: Guard['mode']): Promise<Running>;
}

type NodeHandler = (request: IncomingMessage, response: ServerResponse, body?: unknown) => Promise<unknown>;

/** Serves `app`, which gets the guard as soon as the origin is known. */
async function serve(
  app: (guard: Guard, ran: string[]) => RequestListener | Promise<RequestListener>,
  mode: Guard['mode'] | undefined,
): Promise<Running> {
  const ran: string[] = [];
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const around = await world(url, mode);
  server.on('request', await app(around.guard, ran));
  return {
    ...around,
    url: `${url}/mcp`,
    ran,
    async close() {
      server.close();
      server.closeAllConnections();
      await around.guard.close();
    },
  };
}

function handlerOfSdk2(guard: Guard, ran: string[]): NodeHandler {
  const create = () => {
    const server = new McpServer2({ name: 'test', version: '1.0.0' });
    register(server, ran, () => guardTools(server, guard, options));
    return server;
  };
  // Its types are stricter than Node's about properties that may be undefined.
  return toNodeHandler(guardHandler(createMcpHandler(create), guard, options)) as NodeHandler;
}

/** Sessions of SDK 1, each with a server of its own, as its documentation shows. */
function sessionsOfSdk1(guard: Guard, ran: string[]): NodeHandler {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  return async (request, response, body) => {
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? transports.get(id) : undefined;
    if (transport === undefined) {
      const created = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => crypto.randomUUID(),
        onsessioninitialized: (sessionId) => void transports.set(sessionId, created),
      });
      const server = new McpServer1({ name: 'test', version: '1.0.0' });
      register(server, ran, () => guardTools(server, guard, options));
      server.registerTool('early_ask', {}, async () => {
        const answer = await server.server.elicitInput({
          message: 'sure?',
          requestedSchema: { type: 'object', properties: {} },
        });
        ran.push(`elicited ${answer.action}`);
        return { content: [] };
      });
      await server.connect(created);
      transport = created;
    }
    await transport.handleRequest(request, response, body);
  };
}

function statelessOfSdk1(guard: Guard, ran: string[]): NodeHandler {
  return async (request, response, body) => {
    const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
    const server = new McpServer1({ name: 'test', version: '1.0.0' });
    register(server, ran, () => guardTools(server, guard, options));
    await server.connect(transport);
    await transport.handleRequest(request, response, body);
  };
}

/** Transports of SDK 1 find the caller of a request by themselves; the handler of SDK 2 needs the bridge. */
function onNodeHttp(guard: Guard, handle: NodeHandler, isBridged = false): RequestListener {
  const [auth, anyAgent] = [onNode.agentAuth(guard), onNode.permit(false)];
  return (request, response) => {
    void (async () => {
      if (!(await auth(request, response)) || !(await anyAgent(request, response))) return;
      if (isBridged) mcpBridge(request);
      await handle(request, response);
    })();
  };
}

export const hosts: readonly Host[] = [
  {
    name: 'SDK 1 with sessions, on node:http',
    sdk: 1,
    hasSessions: true,
    start: (mode) => serve((guard, ran) => onNodeHttp(guard, sessionsOfSdk1(guard, ran)), mode),
  },
  {
    name: 'SDK 1 without sessions, on node:http',
    sdk: 1,
    hasSessions: false,
    start: (mode) => serve((guard, ran) => onNodeHttp(guard, statelessOfSdk1(guard, ran)), mode),
  },
  {
    name: 'SDK 2, on node:http',
    sdk: 2,
    hasSessions: false,
    start: (mode) => serve((guard, ran) => onNodeHttp(guard, handlerOfSdk2(guard, ran), true), mode),
  },
  {
    name: 'SDK 2, on Express with a parser',
    sdk: 2,
    hasSessions: false,
    start: (mode) =>
      serve((guard, ran) => {
        const app = express();
        const handle = handlerOfSdk2(guard, ran);
        app.use(onExpress.agentAuth(guard), express.json(), mcpBridge);
        app.all('/mcp', onExpress.permit(false), (request, response) => void handle(request, response, request.body));
        return app;
      }, mode),
  },
  {
    name: 'SDK 2, on Fastify',
    sdk: 2,
    hasSessions: false,
    start: (mode) =>
      serve(async (guard, ran) => {
        let listener: RequestListener | undefined;
        const app = fastify({
          serverFactory: (handler) => {
            listener = handler;
            return createServer();
          },
        });
        const handle = handlerOfSdk2(guard, ran);
        await app.register(onFastify.agentAuth, { guard });
        app.all('/mcp', onFastify.permit(false), async (request, reply) => {
          mcpBridge(request.raw);
          reply.hijack();
          await handle(request.raw, reply.raw, request.body);
        });
        await app.ready();
        return listener as RequestListener;
      }, mode),
  },
  {
    name: 'SDK 2, on Koa',
    sdk: 2,
    hasSessions: false,
    start: (mode) =>
      serve((guard, ran) => {
        const app = new Koa();
        const handle = handlerOfSdk2(guard, ran);
        app.use(onKoa.agentAuth(guard));
        app.use(onKoa.permit(false));
        app.use(async (ctx) => {
          mcpBridge(ctx.req);
          ctx.respond = false;
          await handle(ctx.req, ctx.res);
        });
        return app.callback();
      }, mode),
  },
];
