import type { PolicyQuery } from '../src/engine.js';

/** A query that DRAFTS permits: a code reviewer opens a draft pull request for a user. */
export function reviewerQuery(change: Partial<PolicyQuery> = {}): PolicyQuery {
  return {
    principal: { id: 'agent-code-reviewer-01', roles: ['reviewer'], capabilities: ['repo:read', 'pr:write:draft'] },
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
    ...change,
  };
}

/** One agent may open draft pull requests in one repository for one user. */
export const DRAFTS = `@id("drafts")
permit(
  principal == Agent::"agent-code-reviewer-01",
  action == Action::"pr.create",
  resource == Repo::"acme/api"
) when {
  context has onBehalfOf &&
  context.onBehalfOf == User::"user_123" &&
  context.scope.contains("pr:write:draft")
};
`;

export const REPO_SCHEMA = `entity Repo;
action "pr.create", "pr.merge" appliesTo { principal: [Agent], resource: [Repo], context: AgentContext };
`;
