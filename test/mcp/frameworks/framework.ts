import { createServer, type RequestListener } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import type { Guard } from '@countersign/core';
import { callerOf, type McpContext, type McpRules } from '@countersign/mcp';
import { agentAuth, permit } from '@countersign/node-http';
import { z } from 'zod';

/** A framework for MCP servers, with a server of these tools in it. */
export interface Framework {
  readonly name: string;
  readonly by: 'guardTools' | 'guardMcpHttp';
  /** Whether it is installed. */
  readonly isHere: boolean;
  /** The revisions of MCP that it serves. */
  readonly revisions: readonly ('2025-11-25' | '2026-07-28')[];
  /** Whether it lets us at its handler, so that streams are decided. Else none of a resource is opened. */
  readonly decidesStreams: boolean;
  /** Starts the server. `guardFor` creates the guard, as soon as the origin is known. */
  start(guardFor: (origin: string) => Promise<Guard>, tools: Tools): Promise<Started>;
}

export interface Started {
  readonly url: string;
  /** The tools that ran, if the server is a program of its own. */
  ran?(): readonly string[];
  stop(): Promise<void>;
}

/** The tools of every server: what each does, and which of them ran. */
export interface Tools {
  readonly ran: readonly string[];
  run(name: ToolName, context: McpContext | undefined): Text;
}

export interface Text {
  content: { type: 'text'; text: string }[];
}

export type ToolName = (typeof toolNames)[number];

/** `undeclared` has no rule, so that nobody may use it. */
export const toolNames = ['whoami', 'query', 'secret', 'undeclared'] as const;

export const argumentsOf: Readonly<Record<ToolName, z.ZodObject>> = {
  whoami: z.object({}),
  query: z.object({ dataset: z.string() }),
  secret: z.object({}),
  undeclared: z.object({}),
};

export const rules: McpRules = {
  tools: {
    whoami: {},
    query: { action: 'query.run', call: { type: 'Query', arguments: ['dataset'] } },
    secret: {},
  },
};

/** A server that would stream what happens to resources. */
export const capabilities = { tools: {}, resources: { subscribe: true, listChanged: true } } as const;

export function toolsThatNote(): Tools {
  const ran: string[] = [];
  return {
    ran,
    run(name, context) {
      ran.push(name);
      const caller = callerOf(context);
      return { content: [{ type: 'text', text: `${caller?.actor.id} for ${caller?.subject.id}` }] };
    },
  };
}

/** A node:http server on a free port; its application gets the guard as soon as the origin is known. */
export async function listening(
  guardFor: (origin: string) => Promise<Guard>,
  application: (guard: Guard) => RequestListener | Promise<RequestListener>,
): Promise<Started> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  server.on('request', await application(await guardFor(origin)));
  return {
    url: `${origin}/mcp`,
    async stop() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** Puts `agentAuth` before a handler. Each call of MCP is decided on its own, so the request needs no decision. */
export function behindTheGuard(
  guard: Guard,
  handle: (...given: Parameters<RequestListener>) => unknown,
): RequestListener {
  const [auth, anyAgent] = [agentAuth(guard), permit(false)];
  return (request, response) => {
    void (async () => {
      if ((await auth(request, response)) && (await anyAgent(request, response))) await handle(request, response);
    })();
  };
}
