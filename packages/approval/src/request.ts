import { hash } from 'node:crypto';
import type { Reading } from '@countersign/common';
import { isIdentifier, isStringOrUri } from '@countersign/delegation';
import { canonicalJson } from './canonical.js';
import { isDigest, isText, Members, reading, unreadable } from './members.js';
import { type ApprovalRequirement, requirementIn } from './requirement.js';

/**
 * What a person is asked to approve: one request of one agent, as the guard saw it, and what policy demands. Its hash,
 * the binding, is what an approval is for: with anything changed, the approval fits nothing.
 */
export interface ApprovalRequest {
  readonly version: 1;
  /** The API, as the `aud` of its tokens names it. */
  readonly audience: string;
  /** The agent that asks, and who answers for it. */
  readonly actor: { readonly id: string; readonly owner?: string };
  readonly subject: ApprovalParty;
  /** From the subject to the actor. */
  readonly chain: readonly ApprovalHop[];
  readonly action: string;
  readonly resource: { readonly type: string; readonly id: string };
  /** The request of HTTP; absent if there is none. */
  readonly http?: ApprovalHttp;
  /** The call within a request, like one tool call of MCP. */
  readonly call?: ApprovalCall;
  /** The policies that ask for approval, and the hash of the policy set: after a change, people decide again. */
  readonly policies: readonly string[];
  readonly policySet: string;
  readonly requirement: ApprovalRequirement;
}

export interface ApprovalParty {
  readonly id: string;
  readonly type: 'user' | 'agent';
  readonly issuer?: string;
}

export interface ApprovalHop extends ApprovalParty {
  readonly proof: 'issuer' | 'signature' | 'local';
  /** Who answers for an agent before the actor; absent if nobody knows. */
  readonly owner?: string;
}

export interface ApprovalHttp {
  readonly method: string;
  readonly authority: string;
  /** As sent, undecoded. */
  readonly path: string;
  /** As sent, with its question mark; absent if there is none. */
  readonly query?: string;
  /** Fields that decide how the request is read, like `content-type`, and those that the application names; by name. */
  readonly fields?: Readonly<Record<string, string>>;
  /** Content-Digest (RFC 9530) of the body, like `sha-256=:…:`; absent without a body, and if a call states its arguments. */
  readonly contentDigest?: string;
}

export interface ApprovalCall {
  /** Of the protocol, like `tools/call`. */
  readonly method: string;
  /** What is called, like the name of a tool. */
  readonly name?: string;
  /** base64url SHA-256 of the arguments by RFC 8785. */
  readonly argumentsDigest?: string;
}

/** The longest request as JSON, in UTF-16 units. */
export const maxApprovalRequest = 65_536;

const isName = isText(1024);
const isResource = isText(8192);
const isTarget = isText(32_768);
const maxHops = 17;
const maxPolicies = 100;
const maxFields = 32;

/** Reads a request as it was sent. What is not known in it is refused: nobody approves what nobody is shown. */
export function readApprovalRequest(value: unknown): Reading<ApprovalRequest> {
  return reading(() => {
    const request = requestIn(value, 'request');
    const text = canonicalJson(request);
    if (text === undefined || text.length > maxApprovalRequest) throw unreadable('request is too large');
    return request;
  });
}

/** base64url SHA-256 of the request by RFC 8785: what an approval is for. */
export function approvalBinding(request: ApprovalRequest): string {
  return hash('sha256', canonicalJson(request) ?? '', 'base64url');
}

function requestIn(value: unknown, where: string): ApprovalRequest {
  const members = new Members(value, where);
  const [http, call] = [members.take('http'), members.take('call')];
  members.integer('version', 1, 1);
  const request: ApprovalRequest = {
    version: 1,
    audience: members.text('audience', isStringOrUri),
    actor: actorIn(members.take('actor'), `${where}.actor`),
    subject: partyIn(members.take('subject'), `${where}.subject`),
    chain: members.list('chain', 1, maxHops, hopIn),
    action: members.text('action', isName),
    resource: resourceIn(members.take('resource'), `${where}.resource`),
    ...(http !== undefined && { http: httpIn(http, `${where}.http`) }),
    ...(call !== undefined && { call: callIn(call, `${where}.call`) }),
    policies: members.texts('policies', maxPolicies, isName),
    policySet: members.text('policySet', isName),
    requirement: requirementIn(members.take('requirement'), `${where}.requirement`),
  };
  members.end();
  return request;
}

function actorIn(value: unknown, where: string): ApprovalRequest['actor'] {
  const members = new Members(value, where);
  const id = members.text('id', isIdentifier);
  const owner = members.optionalText('owner', isName);
  members.end();
  return { id, ...(owner !== undefined && { owner }) };
}

function partyIn(value: unknown, where: string): ApprovalParty {
  const members = new Members(value, where);
  const party = partyOf(members);
  members.end();
  return party;
}

function hopIn(value: unknown, where: string): ApprovalHop {
  const members = new Members(value, where);
  const hop = { ...partyOf(members), proof: members.oneOf('proof', ['issuer', 'signature', 'local']) };
  const owner = members.optionalText('owner', isName);
  members.end();
  return { ...hop, ...(owner !== undefined && { owner }) };
}

function partyOf(members: Members): ApprovalParty {
  const id = members.text('id', isIdentifier);
  const type = members.oneOf('type', ['user', 'agent']);
  const issuer = members.optionalText('issuer', isStringOrUri);
  return { id, type, ...(issuer !== undefined && { issuer }) };
}

function resourceIn(value: unknown, where: string): ApprovalRequest['resource'] {
  const members = new Members(value, where);
  const resource = { type: members.text('type', isName), id: members.text('id', isResource) };
  members.end();
  return resource;
}

function httpIn(value: unknown, where: string): ApprovalHttp {
  const members = new Members(value, where);
  const fields = members.take('fields');
  const query = members.optionalText('query', isTarget);
  const contentDigest = members.optionalText('contentDigest', isName);
  const http: ApprovalHttp = {
    method: members.text('method', isName),
    authority: members.text('authority', isName),
    path: members.text('path', isTarget),
    ...(query !== undefined && { query }),
    ...(fields !== undefined && { fields: fieldsIn(fields, `${where}.fields`) }),
    ...(contentDigest !== undefined && { contentDigest }),
  };
  members.end();
  return http;
}

function fieldsIn(value: unknown, where: string): Readonly<Record<string, string>> {
  const members = new Members(value, where);
  const names = Object.keys(value as object);
  if (names.length > maxFields || !names.every((name) => /^[a-z][a-z0-9-]*$/.test(name))) {
    throw unreadable(`${where} has a name that is none of a field`);
  }
  return Object.fromEntries(names.map((name) => [name, members.text(name, isResource)]));
}

function callIn(value: unknown, where: string): ApprovalCall {
  const members = new Members(value, where);
  const name = members.optionalText('name', isResource);
  const argumentsDigest = members.optionalText('argumentsDigest', isDigest);
  const call: ApprovalCall = {
    method: members.text('method', isName),
    ...(name !== undefined && { name }),
    ...(argumentsDigest !== undefined && { argumentsDigest }),
  };
  members.end();
  return call;
}
