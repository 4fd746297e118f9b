import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AuditRecord, Guard } from '@countersign/core';
import { guardHandler, guardMcpHttp, guardTools, mcpBridge, type McpRules } from '@countersign/mcp';
import { toNodeHandler } from '@modelcontextprotocol/node';
import { McpServer as McpServer1 } from '@modelcontextprotocol/sdk/server/mcp.js';
import { type EventStore, StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { createMcpHandler, inputRequired, McpServer as McpServer2 } from '@modelcontextprotocol/server';
import { behindTheGuard, listening } from '../frameworks/framework.js';
import { agentNamed, type AgentName, guardFor } from './guarded-mcp.js';
import { AttackClient } from './attack-client.js';
import { registerVictims } from './victims.js';

/** A guarded server that is attacked: which SDK, which revision, and what guards it. */
export interface TargetKind {
  readonly sdk: 1 | 2;
  readonly revision: '2025-11-25' | '2026-07-28';
  readonly by: 'guardTools' | 'guardMcpHttp';
}

export interface Target extends AsyncDisposable {
  readonly kind: TargetKind;
  readonly url: string;
  readonly guard: Guard;
  /** What ran, with what it got. */
  readonly ran: readonly string[];
  readonly records: readonly AuditRecord[];
  readonly troubles: readonly string[];
  /** A client that has opened a session, where there are any. */
  client(agent: AgentName): Promise<AttackClient>;
}

export const targetKinds: readonly TargetKind[] = [
  { sdk: 1, revision: '2025-11-25', by: 'guardTools' },
  { sdk: 2, revision: '2025-11-25', by: 'guardTools' },
  { sdk: 2, revision: '2026-07-28', by: 'guardTools' },
  { sdk: 1, revision: '2025-11-25', by: 'guardMcpHttp' },
  { sdk: 2, revision: '2025-11-25', by: 'guardMcpHttp' },
  { sdk: 2, revision: '2026-07-28', by: 'guardMcpHttp' },
];

export async function startTarget(kind: TargetKind, rules: McpRules = {}): Promise<Target> {
  const ran: string[] = [];
  const guards: Awaited<ReturnType<typeof guardFor>>[] = [];
  async function guardOf(origin: string): Promise<Guard> {
    const made = await guardFor(origin, {
      protectedResource: { resource: `${origin}/mcp` },
    });
    guards.push(made);
    return made.guard;
  }
  const behind = kind.by === 'guardMcpHttp' ? await unguarded(kind, ran) : undefined;
  const front = await listening(guardOf, (guard) => {
    if (behind === undefined) {
      const handle = serverOf(kind, ran, (server) => guardTools(server, guard, rules), [guard, rules]);
      return behindTheGuard(guard, async (request, response) => {
        mcpBridge(request);
        await handle(request, response);
      });
    }
    const proxy = guardMcpHttp(behind.url, rules);
    return behindTheGuard(guard, (request, response) => proxy(request, response));
  });
  const [made] = guards;
  if (made === undefined) throw new Error('no guard');
  return {
    kind,
    url: front.url,
    guard: made.guard,
    ran,
    get records() {
      return made.audit.records;
    },
    troubles: made.troubles,
    async client(agent) {
      const client = new AttackClient(front.url, await agentNamed(agent), kind.revision === '2026-07-28');
      await client.open();
      return client;
    },
    async [Symbol.asyncDispose]() {
      await front.stop();
      await behind?.stop();
      await made.guard.close();
    },
  };
}

/** The same server without a guard, for the guard that stands in front of it. */
async function unguarded(kind: TargetKind, ran: string[]): ReturnType<typeof listening> {
  const handle = serverOf(kind, ran, (server) => server);
  return await listening(
    async () => undefined as never,
    () => (request, response) => {
      ran.push(...forbiddenFields.filter((name) => request.headers[name] !== undefined).map((name) => `saw ${name}`));
      void handle(request, response);
    },
  );
}

/** What of the caller must not reach a server behind the guard. */
const forbiddenFields = ['authorization', 'signature', 'signature-input', 'agent-delegation', 'cookie', 'x-user'];

type NodeHandler = (request: IncomingMessage, response: ServerResponse) => Promise<unknown>;

function serverOf(
  { sdk }: TargetKind,
  ran: string[],
  guarded: <Server extends object>(server: Server) => Server,
  handlerGuard?: readonly [Guard, McpRules],
): NodeHandler {
  if (sdk === 1) return sessionsOfSdk1(ran, guarded);
  const handler = createMcpHandler(() => {
    const server = guarded(
      // The author offers his lists to shared caches.
      new McpServer2(
        { name: 'victim', version: '1.0.0' },
        { cacheHints: { 'tools/list': { cacheScope: 'public', ttlMs: 60_000 } } },
      ),
    );
    registerVictims(server, ran);
    server.registerTool('ask', {}, async (context) => {
      const state: unknown = context.mcpReq.requestState();
      ran.push(`ask ${String(state)}`);
      if (state === 'asked') return { content: [] };
      return inputRequired({ requestState: 'asked' });
    });
    return server;
  });
  const [guard, rules] = handlerGuard ?? [];
  // Its types are stricter than Node's about properties that may be undefined.
  return toNodeHandler(guard === undefined ? handler : guardHandler(handler, guard, rules)) as NodeHandler;
}

/** One store for all sessions, as applications have it that run in several processes. */
class SharedEvents implements EventStore {
  readonly #events: { readonly id: string; readonly streamId: string; readonly message: unknown }[] = [];

  async storeEvent(streamId: string, message: object): Promise<string> {
    const id = String(this.#events.length + 1);
    this.#events.push({ id, streamId, message });
    return id;
  }

  async replayEventsAfter(lastId: string, { send }: Parameters<EventStore['replayEventsAfter']>[1]): Promise<string> {
    const last = this.#events.find(({ id }) => id === lastId);
    if (last === undefined) throw new Error('no such event');
    for (const { id, streamId, message } of this.#events.slice(Number(lastId))) {
      if (streamId === last.streamId) await send(id, message as never);
    }
    return last.streamId;
  }
}

function sessionsOfSdk1(ran: string[], guarded: <Server extends object>(server: Server) => Server): NodeHandler {
  const transports = new Map<string, StreamableHTTPServerTransport>();
  const eventStore = new SharedEvents();
  return async (request, response) => {
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? transports.get(id) : undefined;
    if (transport === undefined) {
      const created = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        eventStore,
        onsessioninitialized: (sessionId) => void transports.set(sessionId, created),
      });
      const server = guarded(new McpServer1({ name: 'victim', version: '1.0.0' }));
      registerVictims(server, ran);
      server.registerTool('elicit', {}, async () => {
        const { action } = await server.server.elicitInput({
          message: 'Delete everything?',
          requestedSchema: { type: 'object', properties: {} },
        });
        ran.push(`elicited ${action}`);
        return { content: [{ type: 'text', text: 'private to its caller' }] };
      });
      await server.connect(created);
      transport = created;
    }
    await transport.handleRequest(request, response);
  };
}
