import { expect, it } from 'vitest';
import { inputDocument } from '../src/input-document.js';
import { context, query } from './query.js';

it('is the document that the rule of the guide reads', () => {
  expect(inputDocument(query)).toEqual({
    actor: {
      type: 'agent',
      id: 'agent-code-reviewer-01',
      roles: ['reviewer'],
      capabilities: ['pr:write'],
      owner: 'team-a',
    },
    on_behalf_of: { type: 'user', user_id: 'user_123' },
    action: 'pr.create',
    resource: { type: 'Repo', id: 'acme/api', repo: 'acme/api', attributes: {}, parents: [] },
    scope: ['pr:write:draft'],
    depth: 1,
    via: [],
    proof: 'issuer',
    possession: 'signature',
    request: { method: 'POST', path: '/repos/acme/api/pulls' },
  });
});

it('an agent on whose behalf another acts is never a user [C2]', () => {
  const { onBehalfOf: _user, ...rest } = context;
  const byAgent = inputDocument({ ...query, context: { ...rest, onBehalfOfAgent: 'user_123' } });
  expect(byAgent.on_behalf_of).toEqual({ type: 'agent', agent_id: 'user_123' });
  expect(inputDocument({ ...query, context: rest })).not.toHaveProperty('on_behalf_of');
});

it('a user who is asked about is never an agent', () => {
  const principal = { type: 'User', id: 'user_123', roles: [], capabilities: [] } as const;
  expect(inputDocument({ ...query, principal }).actor).toEqual({ ...principal, type: 'user' });
});

it('details that were handed over come as they are', () => {
  const details = {
    types: ['Repo'],
    actions: [],
    identifiers: ['acme/api'],
    locations: [],
    datatypes: [],
    privileges: [],
  };
  const document = inputDocument({ ...query, context: { ...context, authorizationDetails: details } });
  expect(document.authorization_details).toEqual(details);
});

it.each([
  ['Repo', 'repo'],
  ['GitHub::Repo', 'repo'],
  ['BuildJob', 'buildJob'],
])('the id of a %s also stands as %s', (type, name) => {
  expect(inputDocument({ ...query, resource: { type, id: '7' } }).resource[name]).toBe('7');
});

it.each(['Type', 'Id', 'Attributes', 'Parents'])('a type %s takes the place of no other member [D9]', (type) => {
  const resource = { type, id: '7', attributes: { owner: 'x' }, parents: [{ type: 'Org', id: 'acme' }] };
  expect(inputDocument({ ...query, resource }).resource).toEqual(resource);
});

it('attributes stay below their member [D9]', () => {
  const resource = { type: 'Repo', id: 'acme/web', attributes: { repo: 'acme/api', id: 'acme/api' } };
  expect(inputDocument({ ...query, resource }).resource).toMatchObject({ repo: 'acme/web', id: 'acme/web' });
});
