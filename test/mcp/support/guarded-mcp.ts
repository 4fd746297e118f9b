import { type Agent, createAgent, loadAgentKey } from '@countersign/agent';
import {
  agentsFromObjects,
  type AuditRecord,
  cedarFromText,
  createGuard,
  type Guard,
  type GuardOptions,
  type MemoryAudit,
  memoryAudit,
} from '@countersign/core';
import { guardMcpHttp, type FetchHandler, type McpHttpOptions, mcpSchema } from '@countersign/mcp';
import { agentAuth, type Step } from '@countersign/node-http';
import { expect, vi } from 'vitest';
import { serve } from '../../support/guarded.js';
import { keyNamed } from '../../support/keys.js';
import { patiently } from '../../support/patiently.js';

/**
 * The agents of these tests. `alice` may use everything that is not named after a secret; `bob` only `echo`; `carol` what
 * only reads.
 */
export type AgentName = 'alice' | 'bob' | 'carol';

export const policies = `
permit(principal == Agent::"alice", action, resource);
permit(principal == Agent::"bob", action, resource == Tool::"echo");
permit(principal == Agent::"carol", action in [Action::"tool.call", Action::"tool.list"], resource in ToolGroup::"read");
forbid(principal, action in [Action::"tool.call", Action::"tool.list"], resource == Tool::"delete");
forbid(principal, action in [Action::"tool.call", Action::"tool.list"], resource == Tool::"secret");
forbid(principal, action, resource == Prompt::"secret");
forbid(principal, action, resource == McpResource::"test://t/secret");
forbid(principal, action == Action::"query.run", resource) unless { resource.dataset == "orders" };
`;

export const schema = `${mcpSchema}
entity Query in [Tool, ToolGroup] = { dataset: String, limit?: Long };
action "query.run" appliesTo { principal: [Agent], resource: [Query], context: AgentContext };
`;

export interface GuardedMcp extends AsyncDisposable {
  readonly url: string;
  readonly guard: Guard;
  readonly records: readonly AuditRecord[];
  readonly troubles: readonly string[];
  /** A fetch that signs as the agent. */
  fetchAs(agent: AgentName): typeof fetch;
  /** Sends a signed request. A body that is no text is sent as JSON. */
  send(agent: AgentName, request: McpRequest): Promise<Response>;
  /** The outcomes of calls, once there are so many. */
  outcomes(count: number): Promise<readonly unknown[]>;
}

export interface McpRequest {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

/** A guard with the agents and policies of these tests. */
export async function guardFor(
  origin: string,
  options: Partial<GuardOptions> = {},
): Promise<{ readonly guard: Guard; readonly audit: MemoryAudit; readonly troubles: readonly string[] }> {
  const audit = memoryAudit();
  const troubles: string[] = [];
  const guard = await createGuard({
    origin,
    agents: agentsFromObjects(
      ['alice', 'bob', 'carol'].map((id) => ({ id, publicKey: keyNamed(id).publicBase64, capabilities: [] })),
    ),
    policy: await cedarFromText({ policies, schema }),
    audit,
    onTrouble: (trouble) => troubles.push(trouble),
    ...options,
  });
  return { guard, audit, troubles };
}

/** A guarded server on a free port, in front of another one. */
export async function guardedMcp(
  server: string | FetchHandler,
  options: McpHttpOptions = {},
  guardOptions: Partial<GuardOptions> = {},
): Promise<GuardedMcp> {
  const mcp = guardMcpHttp(server, options);
  // The origin is known once the server listens.
  let auth: Step | undefined;
  const served = await serve((request, response) => {
    void auth?.(request, response).then((admitted) => (admitted ? mcp(request, response) : undefined));
  });
  const { guard, audit, troubles } = await guardFor(served.url, guardOptions);
  auth = agentAuth(guard);
  const url = `${served.url}/mcp`;
  const agents = {
    alice: await agentNamed('alice'),
    bob: await agentNamed('bob'),
    carol: await agentNamed('carol'),
  };
  return {
    url,
    guard,
    get records() {
      return audit.records;
    },
    troubles,
    fetchAs: (agent) => agents[agent].fetch,
    async send(agent, { method = 'POST', headers = {}, body, signal }) {
      const text = body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
      return await agents[agent].fetch(url, {
        method,
        headers: { accept: 'application/json, text/event-stream', 'content-type': 'application/json', ...headers },
        ...(text !== undefined && { body: text }),
        ...(signal && { signal }),
      });
    },
    outcomes: async (count) =>
      await vi.waitFor(() => {
        const recorded = audit.records.filter(({ phase, call }) => phase === 'outcome' && call !== undefined);
        expect(recorded).toHaveLength(count);
        return recorded.map(({ outcome }) => outcome);
      }, patiently),
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await guard.close();
    },
  };
}

export async function agentNamed(id: AgentName): Promise<Agent> {
  const pem = keyNamed(id).privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
  return await createAgent({ id, key: loadAgentKey(pem) });
}
