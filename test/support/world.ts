import type { AgentRegistration } from '@countersign/core';
import type { HostConfig } from '../hosts/config.js';
import { keyNamed, type TestKey } from './keys.js';
import { ed25519Issuer, rsaIssuer, type TestIssuer } from './tokens.js';

/** The principals of the scenarios. */
export const reviewerId = 'agent-code-reviewer-01';
export const runnerId = 'agent-test-runner';
export const suspendedId = 'agent-suspended';
export const userId = 'user_123';

export const reviewer: TestKey = keyNamed(reviewerId);
export const runner: TestKey = keyNamed(runnerId);
export const suspended: TestKey = keyNamed(suspendedId);
export const expiredKey: TestKey = keyNamed('expired');
export const futureKey: TestKey = keyNamed('not yet valid');
export const stranger: TestKey = keyNamed('stranger');

export const issuer: TestIssuer = ed25519Issuer('https://id.acme.dev', 'acme-1');
export const secondKey: TestIssuer = ed25519Issuer('https://id.acme.dev', 'acme-2');
/** A key of the same issuer, of another type. */
export const rsaKey: TestIssuer = rsaIssuer('https://id.acme.dev', 'acme-rsa');
export const partner: TestIssuer = ed25519Issuer('https://id.partner.example', 'partner-1');
export const evilIssuer: TestIssuer = ed25519Issuer('https://id.evil.example', 'evil-1');

export const reviewerCapabilities: readonly string[] = ['repo:read', 'pr:write:draft', 'invoice:read', 'file:write'];

export const agents: readonly AgentRegistration[] = [
  {
    id: reviewerId,
    publicKey: reviewer.publicBase64,
    capabilities: reviewerCapabilities,
    roles: ['reviewer'],
    owner: 'platform-team',
  },
  { id: runnerId, jwk: runner.publicJwk, capabilities: ['repo:read', 'record:delete'] },
  { id: suspendedId, publicKey: suspended.publicBase64, capabilities: ['invoice:read'], status: 'suspended' },
  { id: 'agent-rotated', keys: [{ publicKey: expiredKey.publicBase64, expires: 1_700_000_000 }] },
  { id: 'agent-early', keys: [{ publicKey: futureKey.publicBase64, notBefore: 9_000_000_000 }] },
];

export const schema = `entity Repo;
entity Dataset;
entity Bucket;
entity Record;
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
action "invoice.read" appliesTo { principal: [Agent], resource: [Dataset], context: AgentContext };
action "file.put" appliesTo { principal: [Agent], resource: [Bucket], context: AgentContext };
action "record.delete" appliesTo { principal: [Agent], resource: [Record], context: AgentContext };
`;

export const policies = `@id("drafts-for-the-user")
permit(principal == Agent::"${reviewerId}", action == Action::"pr.create", resource == Repo::"acme/api")
when { context has onBehalfOf && context.onBehalfOf == User::"${userId}" && context.scope.contains("pr:write:draft") };

@id("partners-drafts")
permit(principal, action == Action::"pr.create", resource == Repo::"acme/api")
when { context has onBehalfOf && context.onBehalfOf == User::"partner:${userId}" && context.scope.contains("pr:write:draft") };

@id("invoices")
permit(principal, action == Action::"invoice.read", resource == Dataset::"billing")
when { context.scope.contains("invoice:read") };

@id("uploads")
permit(principal in Role::"reviewer", action == Action::"file.put", resource == Bucket::"default");

@id("deletions")
permit(principal == Agent::"${runnerId}", action == Action::"record.delete", resource)
when { context.scope.contains("record:delete") };

@id("merges")
permit(principal, action == Action::"pr.merge", resource)
when { context.scope.contains("repo:read") };

// Fails whenever it is evaluated: Cedar would skip the forbid and apply the permit.
@id("faulty-forbid")
forbid(principal, action == Action::"pr.merge", resource == Repo::"acme/faulty")
when { 9223372036854775807 + 1 > 0 };
`;

export function worldConfig(audit: string, change: Partial<HostConfig> = {}): HostConfig {
  return {
    origin: null,
    mount: '',
    bodyParser: 'after',
    agents,
    issuers: [
      { issuer: issuer.issuer, jwks: { keys: [issuer.jwk, secondKey.jwk, rsaKey.jwk] } },
      { issuer: partner.issuer, jwks: { keys: [partner.jwk] }, subjectNamespace: 'partner:' },
    ],
    policies,
    schema,
    audit,
    ...change,
  };
}
