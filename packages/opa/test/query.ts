import type { PolicyContext, PolicyQuery } from '@countersign/policy';

export const context: PolicyContext = {
  scope: ['pr:write:draft'],
  onBehalfOf: 'user_123',
  depth: 1,
  via: [],
  proof: 'issuer',
  possession: 'signature',
  request: { method: 'POST', path: '/repos/acme/api/pulls' },
};

export const query: PolicyQuery = {
  principal: { id: 'agent-code-reviewer-01', roles: ['reviewer'], capabilities: ['pr:write'], owner: 'team-a' },
  action: 'pr.create',
  resource: { type: 'Repo', id: 'acme/api' },
  context,
};

export function about(id: string, attributes?: Record<string, unknown>): PolicyQuery {
  return { ...query, resource: { type: 'Repo', id, ...(attributes && { attributes }) } };
}
