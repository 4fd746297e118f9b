import { approvalBinding, type ApprovalRequest } from '@countersign/approval';
import { computeContentDigest } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { readApprovalRequired } from '../src/approval-required.js';

const body = Buffer.from('{"sha":"d6cd1e2"}');
const sent = {
  agent: 'agent-a',
  method: 'POST',
  url: new URL('https://api.acme.dev/merge?squash=1'),
  headers: new Headers([
    ['Content-Type', 'application/json'],
    ['X-Amount', '5'],
    ['X-Tag', 'a'],
    ['X-Tag', 'b'],
  ]),
  body,
};
const request: ApprovalRequest = {
  version: 1,
  audience: 'https://api.acme.dev',
  actor: { id: 'agent-a' },
  subject: { id: 'agent-a', type: 'agent' },
  chain: [{ id: 'agent-a', type: 'agent', proof: 'signature' }],
  action: 'pr.merge',
  resource: { type: 'Repo', id: 'acme/api' },
  http: {
    method: 'POST',
    authority: 'api.acme.dev',
    path: '/merge',
    query: '?squash=1',
    fields: { 'content-type': 'application/json', 'x-amount': '5', 'x-tag': 'a, b' },
    contentDigest: computeContentDigest(body),
  },
  policies: ['policies.cedar#merge'],
  policySet: 'a'.repeat(64),
  requirement: {
    quorums: [{ groups: ['release-managers'], count: 1 }],
    useWithinSeconds: 600,
    decideWithinSeconds: 3600,
    reason: 'optional',
    excluded: [],
  },
};
const issuers = ['https://id.acme.dev'];

function refused(problem: unknown, { status = 403, type = 'application/problem+json' } = {}): Response {
  return new Response(JSON.stringify(problem), { status, headers: { 'content-type': type } });
}

function asking(change: object = {}, more: object = {}): Response {
  const asked = { ...request, ...change };
  return refused({
    code: 'approval_required',
    approval: { binding: approvalBinding(asked), request: asked, issuers, ...more },
  });
}

const digested = (bytes: Uint8Array): Response =>
  asking({ http: { ...request.http, contentDigest: computeContentDigest(bytes) } });

const shown = async (bytes: Buffer) => (await readApprovalRequired(digested(bytes), { ...sent, body: bytes })).question;

const withPage = async (url: unknown) => (await readApprovalRequired(asking({}, { issuers: [], url }), sent)).question;

describe('readApprovalRequired', () => {
  it('reads what people have to approve, and shows them the body', async () => {
    const { question, response } = await readApprovalRequired(asking(), sent);
    expect(question).toEqual({ request, issuers, shown: { text: body.toString() } });
    // The answer is still there for a caller who gets it.
    expect(await response.json()).toMatchObject({ code: 'approval_required' });
  });

  it('reads the page of a queue that the API has itself, if it is one', async () => {
    expect(await withPage('https://app.acme.dev/queue/7')).toMatchObject({
      issuers: [],
      url: 'https://app.acme.dev/queue/7',
    });
    // No control character of the API reaches a terminal.
    expect((await withPage('https://app.acme.dev/\u001b[2J'))?.url).toBe('https://app.acme.dev/%1B[2J');
    for (const url of ['javascript:alert(1)', 'file:///etc/passwd', 'https://', 7, undefined]) {
      expect(await withPage(url)).toEqual({ request, issuers: [], shown: { text: body.toString() } });
    }
  });

  it('shows a body that is no text in base64, and none if there is too much of it', async () => {
    const [binary, large] = [Buffer.from([0xff, 0xfe]), Buffer.alloc(200_000)];
    expect(await shown(binary)).toMatchObject({ shown: { base64: '//4=' } });
    expect(await shown(large)).toEqual({ request: expect.any(Object), issuers });
  });

  it.each<[string, Response]>([
    ['another code', refused({ code: 'policy_denied' })],
    ['another status', refused({ code: 'approval_required' }, { status: 400 })],
    ['another type', refused({ code: 'approval_required' }, { type: 'application/json' })],
    ['no JSON', new Response('{', { status: 403, headers: { 'content-type': 'application/problem+json' } })],
    ['no question', refused({ code: 'approval_required' })],
    ['a request that cannot be read', asking({ version: 2 })],
    ['the binding of another request', asking({}, { binding: 'A'.repeat(43) })],
    ['issuers that are none', asking({}, { issuers: 'https://id.acme.dev' })],
    ['an approval for another agent', asking({ actor: { id: 'agent-b' } })],
    ['an approval for another method', asking({ http: { ...request.http, method: 'DELETE' } })],
    ['an approval for another API', asking({ http: { ...request.http, authority: 'bank.example' } })],
    ['an approval for another path', asking({ http: { ...request.http, path: '/pay' } })],
    ['an approval for another query', asking({ http: { ...request.http, query: '?all=1' } })],
    [
      'an approval for another body',
      asking({ http: { ...request.http, contentDigest: computeContentDigest(Buffer.from('x')) } }),
    ],
    [
      'an approval for another value of a field',
      asking({ http: { ...request.http, fields: { 'x-amount': '50000' } } }),
    ],
    ['an approval for a field that was not sent', asking({ http: { ...request.http, fields: { 'x-other': '1' } } })],
    ['an approval for a call within the request', asking({ http: undefined, call: { method: 'tools/call' } })],
  ])('asks nobody for %s [C11]', async (_what, answer) => {
    const text = await answer.clone().text();
    const { question, response } = await readApprovalRequired(answer, sent);
    expect(question).toBeUndefined();
    expect(await response.text()).toBe(text);
  });
});
