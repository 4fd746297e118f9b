import { describe, expect, it } from 'vitest';
import { approvalBinding, type ApprovalRequest, readApprovalRequest } from '../src/index.js';
import { request } from './world.js';

type Changed = { -readonly [Name in keyof ApprovalRequest]?: unknown };

describe('readApprovalRequest', () => {
  it('reads what was written, whatever the order of its members', () => {
    const reversed = Object.fromEntries(Object.entries(request).toReversed());
    const read = readApprovalRequest(JSON.parse(JSON.stringify(reversed)));
    expect(read).toEqual({ ok: true, value: request });
    expect(read.ok && approvalBinding(read.value)).toBe(approvalBinding(request));
  });

  it('reads a call', () => {
    const { http: _http, ...rest } = request;
    const call = { method: 'tools/call', name: 'merge', argumentsDigest: 'A'.repeat(43) };
    expect(readApprovalRequest({ ...rest, call })).toMatchObject({ ok: true, value: { call } });
  });

  it.each<[string, unknown]>([
    ['no object', 'request'],
    ['a member that nobody would be shown', { ...request, note: 'x' }],
    ['a member that nobody would be shown, further in', { ...request, resource: { ...request.resource, rev: 1 } }],
    ['another version', { ...request, version: 2 }],
    ['no chain', { ...request, chain: [] }],
    ['no action', { ...request, action: undefined }],
    ['a field that is none', { ...request, http: { ...request.http, fields: { 'A B': 'x' } } }],
    ['a lone surrogate', { ...request, resource: { type: 'Repo', id: '\ud800' } }],
    ['a digest that is none', { ...request, call: { method: 'tools/call', argumentsDigest: 'x' } }],
    ['no quorum', { ...request, requirement: { ...request.requirement, quorums: [] } }],
    [
      'a quorum of nobody',
      { ...request, requirement: { ...request.requirement, quorums: [{ groups: [], count: 1 }] } },
    ],
    ['a count of 0', { ...request, requirement: { ...request.requirement, quorums: [{ groups: ['a'], count: 0 }] } }],
    [
      'too much text',
      { ...request, http: { ...request.http, path: `/${'a'.repeat(32_767)}`, query: `?${'b'.repeat(32_767)}` } },
    ],
  ])('refuses %s', (_what, value) => {
    expect(readApprovalRequest(value)).toMatchObject({ ok: false, problem: expect.any(String) });
  });
});

describe('approvalBinding', () => {
  it.each<[string, Changed]>([
    ['the audience', { audience: 'https://api.acme.test' }],
    ['the actor', { actor: { id: 'agent-other' } }],
    ['the owner', { actor: { id: request.actor.id } }],
    ['the subject', { subject: { ...request.subject, id: 'user_124' } }],
    ['the issuer of the subject', { subject: { ...request.subject, issuer: 'https://id.acme.test' } }],
    ['the chain', { chain: request.chain.slice(1) }],
    ['the action', { action: 'pr.create' }],
    ['the resource', { resource: { type: 'Repo', id: 'acme/web' } }],
    ['the method', { http: { ...request.http, method: 'PUT' } }],
    ['the query', { http: { ...request.http, query: '?force=2' } }],
    ['the type of the body', { http: { ...request.http, fields: { 'content-type': 'text/plain' } } }],
    [
      'the body',
      { http: { ...request.http, contentDigest: 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:' } },
    ],
    ['the policies', { policySet: 'b'.repeat(64) }],
    ['the requirement', { requirement: { ...request.requirement, quorums: [{ groups: ['everybody'], count: 1 }] } }],
  ])('is another one with another value of %s [C11]', (_what, change) => {
    expect(approvalBinding({ ...request, ...change } as ApprovalRequest)).not.toBe(approvalBinding(request));
  });
});
