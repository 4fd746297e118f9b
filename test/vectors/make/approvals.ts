import {
  type ApprovalDisclosure,
  type ApprovalHttp,
  type ApprovalRequest,
  approvalBinding,
  approvalDetails,
  argumentsDigest,
} from '@countersign/approval';
import { computeContentDigest } from '@countersign/signature';
import { api, ids } from './principals.js';

export const authority = 'https://id.acme.dev';
const target = { authority: 'api.acme.dev', path: '/repos/acme/api/merge' };
const merge: Sent = { method: 'POST', url: `${api}${target.path}` };
const json = Buffer.from('{"force":true}');
const binary = Buffer.from([0x00, 0xff, 0x0d, 0x0a]);
const queried = { path: '/invoices', query: '?month=2026-10&month=2026-11' };
const tool = { region: 'eu', limit: 10 };

interface Question {
  readonly body?: Buffer;
  readonly arguments?: typeof tool;
  readonly why?: string;
}

interface Sent {
  readonly method: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
}

interface Case {
  readonly name: string;
  /** What the agent sent. Default: the merge, with the body of the question. */
  readonly sent?: Sent;
  readonly question?: Question;
  /** What the API says that people must approve, where it is not what was sent. */
  readonly http?: Partial<ApprovalHttp>;
  readonly request?: Partial<ApprovalRequest>;
  readonly issuers?: readonly string[];
  readonly shown?: ApprovalDisclosure;
}

const asked: readonly Case[] = [
  { name: 'a body of text', question: { body: json }, shown: { text: json.toString() } },
  { name: 'a body that is no text', question: { body: binary }, shown: { base64: binary.toString('base64') } },
  {
    name: 'why, in words that are not ASCII',
    question: { body: Buffer.from('Grüße'), why: 'Die Prüfung ist grün.' },
    shown: { text: 'Grüße', why: 'Die Prüfung ist grün.' },
  },
  { name: 'why alone', question: { why: 'The tests are green.' }, shown: { why: 'The tests are green.' } },
  { name: 'nothing but the request' },
  { name: 'a body that was sent, and is not shown', sent: { ...merge, body: json } },
  { name: 'a query', sent: { method: 'GET', url: `${api}${queried.path}${queried.query}` }, http: queried },
  {
    name: 'a call of MCP',
    sent: { method: 'POST', url: `${api}/mcp` },
    question: { arguments: tool, why: 'Asked by the user.' },
    http: { path: '/mcp' },
    request: { call: { method: 'tools/call', name: 'search', argumentsDigest: argumentsDigest(tool) ?? '' } },
    shown: { arguments: tool, why: 'Asked by the user.' },
  },
  {
    name: 'fields that were sent',
    sent: { ...merge, headers: { 'X-Amount': '10', 'x-note': 'a note, and another' } },
    http: { fields: { 'x-amount': '10', 'x-note': 'a note, and another' } },
  },
  { name: 'one of two authorities', issuers: ['https://other.example', authority] },
];

const refused: readonly Case[] = [
  { name: 'another authority', issuers: ['https://other.example'] },
  { name: 'no authority: the API has a queue of its own', issuers: [] },
  { name: 'a request of another agent', request: { actor: { id: ids.crawler } } },
  { name: 'another method', http: { method: 'DELETE' } },
  { name: 'another host', http: { authority: 'other.acme.dev' } },
  { name: 'another path', http: { path: '/repos/acme/web/merge' } },
  { name: 'a query that was not sent', http: { query: '?force=true' } },
  { name: 'another body', question: { body: json }, http: { contentDigest: computeContentDigest(binary) } },
  {
    name: 'another value of a field',
    sent: { ...merge, headers: { 'x-amount': '10' } },
    http: { fields: { 'x-amount': '10000' } },
  },
  { name: 'a field that was not sent', http: { fields: { 'x-amount': '10000' } } },
  {
    name: 'the arguments of a call in place of the body',
    sent: { ...merge, body: json },
    request: { call: { method: 'tools/call', name: 'search', argumentsDigest: argumentsDigest(tool) ?? '' } },
  },
];

function made({ name, sent = merge, question = {}, http, request, issuers = [authority], shown }: Case) {
  const { body = question.body, ...line } = sent;
  // A call states its arguments instead.
  const contentDigest = body && !request?.call && { contentDigest: computeContentDigest(body) };
  const approval: ApprovalRequest = {
    version: 1,
    audience: api,
    actor: { id: ids.runner },
    subject: { id: ids.runner, type: 'agent' },
    chain: [{ id: ids.runner, type: 'agent', proof: 'signature' }],
    action: 'pr.merge',
    resource: { type: 'Repo', id: 'acme/api' },
    http: { method: line.method, ...target, ...contentDigest, ...http },
    policies: ['merges'],
    policySet: 'a-hash',
    requirement: {
      quorums: [{ groups: ['release-managers'], count: 1 }],
      useWithinSeconds: 600,
      decideWithinSeconds: 86_400,
      reason: 'optional',
      excluded: [],
    },
    ...request,
  };
  const problem = {
    status: 403,
    code: 'approval_required',
    approval: { binding: approvalBinding(approval), request: approval, issuers },
  };
  return { name, line, body, question, problem, approval, shown };
}

/** What the TypeScript packages read of a case. */
export const askedCases = asked.map(made);
export const refusedCases = refused.map(made);

function vector({ name, line, body, question, problem }: ReturnType<typeof made>): object {
  const { body: shownBody, ...words } = question;
  return {
    name,
    agent: 'runner',
    authority,
    sent: { ...line, ...(body && { body: body.toString('base64') }) },
    answer: { status: 403, headers: { 'content-type': 'application/problem+json' }, body: JSON.stringify(problem) },
    question: { ...(shownBody && { body: shownBody.toString('base64') }), ...words },
  };
}

const approval = 'eyJ0eXAiOiJhcHByb3ZhbCtqd3QifQ.e30.c2ln';

export interface PollCase {
  readonly name: string;
  readonly status?: number;
  readonly answer: unknown;
  readonly outcome: 'approved' | 'pending' | 'denied' | 'expired' | 'withdrawn' | 'refused' | 'unavailable';
}

/** What an authority says of a question that waits. */
export const polls: readonly PollCase[] = [
  { name: 'nobody has decided', answer: { status: 'pending', interval: 1 }, outcome: 'pending' },
  { name: 'people approved', answer: { status: 'approved', approval }, outcome: 'approved' },
  { name: 'people denied', answer: { status: 'denied' }, outcome: 'denied' },
  { name: 'people denied and said why', answer: { status: 'denied', reason: 'Not today' }, outcome: 'denied' },
  { name: 'nobody decided in time', answer: { status: 'expired' }, outcome: 'expired' },
  { name: 'the agent took it back', answer: { status: 'withdrawn' }, outcome: 'withdrawn' },
  { name: 'approved, without an approval', answer: { status: 'approved' }, outcome: 'unavailable' },
  { name: 'an approval that is no JWT', answer: { status: 'approved', approval: 'a.b' }, outcome: 'unavailable' },
  {
    name: 'two approvals',
    answer: { status: 'approved', approval: `${approval}, ${approval}` },
    outcome: 'unavailable',
  },
  { name: 'another status', answer: { status: 'maybe', approval }, outcome: 'unavailable' },
  { name: 'a list', answer: [{ status: 'approved', approval }], outcome: 'unavailable' },
  { name: 'an error', status: 400, answer: { error: 'invalid_request' }, outcome: 'refused' },
  { name: 'an outage', status: 503, answer: { error: 'temporarily_unavailable' }, outcome: 'unavailable' },
  { name: 'too many questions', status: 429, answer: { error: 'slow_down' }, outcome: 'unavailable' },
  { name: 'an approval in an error', status: 500, answer: { status: 'approved', approval }, outcome: 'unavailable' },
];

/** approvals.json: what an agent asks people, what it asks nobody about, and how it reads what became of a question. */
export function approvalVectors(): object {
  return {
    asked: askedCases.map((one) => ({ ...vector(one), details: approvalDetails(one.approval, one.shown) })),
    refused: refusedCases.map((one) => ({ ...vector(one), code: 'approval_impossible' })),
    polls: polls.map(({ status = 200, outcome, ...one }) => ({
      ...one,
      status,
      outcome,
      ...(outcome === 'approved' && { approval }),
    })),
  };
}
