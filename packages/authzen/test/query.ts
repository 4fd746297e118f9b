import type { PolicyQuery } from '@countersign/policy';

export const query: PolicyQuery = {
  principal: { id: 'agent-code-reviewer-01', roles: ['reviewer'], capabilities: ['pr:write'], owner: 'team-a' },
  action: 'pr.create',
  resource: { type: 'Repo', id: 'acme/api' },
  context: {
    scope: ['pr:write:draft'],
    onBehalfOf: 'user_123',
    depth: 1,
    via: [],
    proof: 'issuer',
    possession: 'signature',
    request: { method: 'POST', path: '/repos/acme/api/pulls' },
  },
};
