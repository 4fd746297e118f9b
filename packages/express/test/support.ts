import {
  agentsFromObjects,
  createGuard,
  type Guard,
  type GuardOptions,
  type MemoryAudit,
  memoryAudit,
  type PolicyEngine,
} from '@countersign/core';
import type { Server } from 'node:http';
import type { Express } from 'express';
import request, { type Test } from 'supertest';
import { keyNamed, type TestKey } from '../../../test/support/keys.js';
import { type SignedRequestOptions, signedRequest } from '../../../test/support/signed-request.js';

export const agentId = 'agent-1';
export const key: TestKey = keyNamed(agentId);
export const host = 'api.acme.dev';

export interface Guarded {
  readonly guard: Guard;
  readonly audit: MemoryAudit;
}

/** A guard with one agent and, unless given otherwise, a policy that permits everything except the name `forbidden`. */
export async function guarded(options: Partial<GuardOptions> = {}): Promise<Guarded> {
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: `https://${host}`,
    agents: agentsFromObjects([{ id: agentId, publicKey: key.publicBase64, capabilities: ['repo:read'] }]),
    policy: permissive,
    audit,
    ...options,
  });
  return { guard, audit };
}

const permissive: PolicyEngine = {
  scopeVocabulary: [],
  decide: ({ action }) => ({
    decision: action === 'forbidden' ? 'deny' : 'allow',
    cause: 'policy',
    policies: [],
    policySet: 'test',
    errors: [],
  }),
};

/** Sends a signed request to an app. */
export function call(app: Express | Server, options: Partial<SignedRequestOptions> = {}): Test {
  const { method, target, fields, body } = signedRequest({ key, host, target: '/', ...options });
  const test = request(app)[method.toLowerCase() as 'get' | 'post'](target);
  for (const [name, value] of fields) if (name !== 'Content-Length') test.set(name, value);
  return body.length > 0 ? test.send(body.toString()) : test;
}
