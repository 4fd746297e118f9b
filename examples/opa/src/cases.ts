import type { PolicyContext, PolicyQuery } from '@countersign/core';

/** A query on which both engines must agree. */
export interface Case {
  readonly title: string;
  readonly query: PolicyQuery;
  readonly expected: 'allow' | 'deny';
}

const context: PolicyContext = {
  scope: ['pr:write', 'pr:write:draft', 'repo:read'],
  onBehalfOf: 'user_123',
  depth: 1,
  via: [],
  proof: 'issuer',
  possession: 'signature',
  request: { method: 'POST', path: '/repos/acme/api/pulls' },
};

const question: PolicyQuery = {
  principal: { id: 'agent-code-reviewer-01', roles: [], capabilities: ['repo:read', 'pr:write'] },
  action: 'pr.create',
  resource: { type: 'Repo', id: 'acme/api' },
  context,
};

const { onBehalfOf: _user, ...forNobody } = context;

/** The allowed query, and one query for each condition of the rule. */
export const cases: readonly Case[] = [
  { title: 'the reviewer, for user_123', query: question, expected: 'allow' },
  { title: 'with roles and two hops', query: among({ depth: 2, via: ['agent-a'] }), expected: 'allow' },
  { title: 'by DPoP, over a link', query: among({ possession: 'dpop', proof: 'signature' }), expected: 'allow' },
  { title: 'another agent', query: by('agent-code-reviewer-02'), expected: 'deny' },
  { title: 'an id that only starts with the right one', query: by('agent-code-reviewer-01 '), expected: 'deny' },
  { title: 'another user', query: among({ onBehalfOf: 'user_124' }), expected: 'deny' },
  { title: 'no user', query: { ...question, context: { ...forNobody, depth: 0 } }, expected: 'deny' },
  {
    title: 'an agent with the name of the user',
    query: { ...question, context: { ...forNobody, onBehalfOfAgent: 'user_123' } },
    expected: 'deny',
  },
  { title: 'another action', query: { ...question, action: 'pr.merge' }, expected: 'deny' },
  { title: 'another repository', query: on('acme/web'), expected: 'deny' },
  { title: 'a repository in another case', query: on('Acme/api'), expected: 'deny' },
  { title: 'no delegated scope', query: among({ scope: [] }), expected: 'deny' },
  { title: 'the right to read only', query: among({ scope: ['repo:read'] }), expected: 'deny' },
  {
    title: 'a scope that only starts with the right one',
    query: among({ scope: ['pr:write:drafts'] }),
    expected: 'deny',
  },
];

function among(change: Partial<PolicyContext>): PolicyQuery {
  return { ...question, context: { ...context, ...change } };
}

function by(id: string): PolicyQuery {
  return { ...question, principal: { ...question.principal, id } };
}

function on(id: string): PolicyQuery {
  return { ...question, resource: { ...question.resource, id } };
}
