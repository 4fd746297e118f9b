import { once } from 'node:events';
import { createServer, type RequestListener, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  agentsFromObjects,
  type AuditRecord,
  createGuard,
  type Guard,
  type GuardOptions,
  type MemoryAudit,
  memoryAudit,
  type PolicyEngine,
  type PolicyQuery,
} from '@countersign/core';
import { expect, vi } from 'vitest';
import { Connection, type RawResponse } from './connection.js';
import { keyNamed, type TestKey } from './keys.js';
import { patiently } from './patiently.js';
import { type RawRequest, serialized, type SignedRequestOptions, signedRequest } from './signed-request.js';

/** Shared by the adapter tests: a guard with one agent, and a client that sends its requests over a socket. */
export const agentId = 'agent-1';
export const key: TestKey = keyNamed(agentId);
export const host = 'api.acme.dev';

export interface Guarded {
  readonly guard: Guard;
  readonly audit: MemoryAudit;
  /** The queries that policy received, in order. */
  readonly queries: readonly PolicyQuery[];
}

/** A guard whose policy permits everything but the action `forbidden` and the resource `forbidden`. */
export async function guarded(options: Partial<GuardOptions> = {}): Promise<Guarded> {
  const audit = memoryAudit();
  const queries: PolicyQuery[] = [];
  const policy: PolicyEngine = {
    scopeVocabulary: [],
    decide(query) {
      queries.push(query);
      const denied = query.action === 'forbidden' || query.resource.id.includes('forbidden');
      return { decision: denied ? 'deny' : 'allow', cause: 'policy', policies: [], policySet: 'test', errors: [] };
    },
  };
  const guard = await createGuard({
    origin: `https://${host}`,
    agents: agentsFromObjects([{ id: agentId, publicKey: key.publicBase64, capabilities: ['repo:read'] }]),
    policy,
    audit,
    ...options,
  });
  return { guard, audit, queries };
}

export function signed(options: Partial<SignedRequestOptions> = {}): RawRequest {
  return signedRequest({ key, host, target: '/', ...options });
}

/** A request that carries none of our marks. */
export function unsigned(change: Partial<RawRequest> = {}): RawRequest {
  return { method: 'GET', target: '/', fields: [['Host', host]], body: Buffer.alloc(0), ...change };
}

/** Sends one request on a connection of its own. */
export async function send(url: string, request: RawRequest): Promise<RawResponse> {
  const connection = await Connection.open(url);
  try {
    connection.write(serialized(request));
    return await connection.read({ head: request.method === 'HEAD' });
  } finally {
    connection.destroy();
  }
}

export interface Served extends AsyncDisposable {
  readonly url: string;
}

/** A node:http server on a free port: `await using server = await serve(app)`. */
export async function serve(listener: RequestListener, options: ServerOptions = {}): Promise<Served> {
  const server = createServer(options, listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Resolves to the outcome of the only request, when it is recorded. */
export async function outcomeOf({ audit }: Guarded): Promise<AuditRecord['outcome']> {
  const outcomes = await vi.waitFor(() => {
    const recorded = audit.records.filter(({ phase }) => phase === 'outcome');
    expect(recorded).not.toEqual([]);
    return recorded;
  }, patiently);
  expect(outcomes).toHaveLength(1);
  return outcomes[0]?.outcome;
}
