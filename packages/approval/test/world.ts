import type { ApprovalClaims, ApprovalRequest, ApprovalRequirement } from '../src/index.js';
import { approvalBinding } from '../src/index.js';

export const requirement: ApprovalRequirement = {
  quorums: [{ groups: ['release-managers'], count: 1 }],
  useWithinSeconds: 600,
  decideWithinSeconds: 86_400,
  reason: 'optional',
  excluded: [],
};

export const request: ApprovalRequest = {
  version: 1,
  audience: 'https://api.acme.dev',
  actor: { id: 'agent-code-reviewer-01', owner: 'user_7' },
  subject: { id: 'user_123', type: 'user', issuer: 'https://id.acme.dev' },
  chain: [
    { id: 'user_123', type: 'user', proof: 'issuer', issuer: 'https://id.acme.dev' },
    { id: 'agent-orchestrator', type: 'agent', proof: 'issuer', issuer: 'https://id.acme.dev', owner: 'ops-team' },
    { id: 'agent-code-reviewer-01', type: 'agent', proof: 'signature' },
  ],
  action: 'pr.merge',
  resource: { type: 'Repo', id: 'acme/api' },
  http: {
    method: 'POST',
    authority: 'api.acme.dev',
    path: '/repos/acme/api/merge',
    query: '?force=1',
    fields: { 'content-type': 'application/json' },
    contentDigest: 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
  },
  policies: ['policies.cedar#merge'],
  policySet: 'a'.repeat(64),
  requirement,
};

export const now = 1_800_000_000;

/** A good approval of the request. */
export function claimsFor(approved: ApprovalRequest = request, change: Partial<ApprovalClaims> = {}): ApprovalClaims {
  return {
    issuer: 'https://id.acme.dev',
    audience: ['https://api.acme.dev'],
    id: 'approval-0001',
    binding: approvalBinding(approved),
    askedAt: now - 60,
    issuedAt: now - 10,
    expiresAt: now + 300,
    approvers: [{ id: 'user_42', groups: ['release-managers'], decidedAt: now - 10 }],
    breakGlass: false,
    ...change,
  };
}
