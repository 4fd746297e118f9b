import {
  type ApprovalHop,
  type ApprovalHttp,
  type ApprovalParty,
  type ApprovalRequest,
  type ApprovalRequirement,
  contentProblem,
  readApprovalRequest,
} from '@countersign/approval';
import type { AuditCall } from '@countersign/audit';
import { bodyFields, failed, methodOverrideFields, type Reading } from '@countersign/common';
import { type FieldSection, parseContentDigest, verifyContentDigest } from '@countersign/signature';
import type { PolicyDecision, Resource } from '@countersign/policy';
import type { AgentDirectory } from '../../keys/directory.js';
import type { Caller } from '../../model/caller.js';
import type { Refusal } from '../../model/refusal.js';
import { type IndexedRequest, pathOf } from '../../model/request.js';
import { seenDifferently } from '../address/one-view.js';
import { findKeyHolder } from '../possession/key-holder.js';

/** A request of HTTP as it was received, and which of our origins it is for. */
export interface Received {
  readonly request: IndexedRequest;
  /** The authority of the origin. */
  readonly authority: string;
}

/** What policy permits only with the consent of people. */
export interface ConsentQuestion {
  readonly caller: Caller;
  readonly action: string;
  readonly resource: Resource;
  readonly policy: PolicyDecision;
  readonly requirement: ApprovalRequirement;
  /** Why policy does not ask for the same any more, if that is so. */
  readonly changedSince: () => Promise<Refusal | undefined>;
}

/** What the question is about: a call with its arguments, else the whole request. A local caller has none. */
export interface ConsentSubject {
  readonly call?: AuditCall;
  readonly received: Received | undefined;
}

/** Fields that decide what the server does with the same target and body, whatever the application. */
const decidingFields = [
  ...bodyFields.filter((name) => name !== 'content-digest'),
  ...methodOverrideFields,
  'accept-version',
  'content-range',
];

/**
 * The chain, with who answers for each agent in it: whoever began it may not approve it by one hop more. Of an agent that
 * an issuer only names nobody knows.
 */
export async function hopsWithOwners(
  chain: Caller['chain'],
  agents: AgentDirectory,
  now: number,
): Promise<readonly ApprovalHop[] | Refusal> {
  const hops: ApprovalHop[] = [];
  for (const [index, hop] of chain.entries()) {
    const { keyId } = hop;
    const isBefore = keyId !== undefined && hop.type === 'agent' && index < chain.length - 1;
    const holder = isBefore ? await findKeyHolder(keyId, { agents, token: undefined, now }) : undefined;
    if (holder !== undefined && 'code' in holder && holder.code === 'keys_unavailable') return holder;
    const owner =
      holder !== undefined && 'agent' in holder && holder.agent.id === hop.id ? holder.agent.owner : undefined;
    hops.push({ ...party(hop), proof: hop.proof, ...(owner !== undefined && { owner }) });
  }
  return hops;
}

/**
 * What people are asked to approve: all that the guard knows of the request and that does not change when the agent
 * repeats it. Scopes, times and delegation ids are not in it: they are judged anew.
 */
export function approvalRequestFor(
  { caller, action, resource, policy, requirement }: ConsentQuestion,
  { call, received }: ConsentSubject,
  {
    audience,
    fields,
    chain,
  }: { readonly audience: string; readonly fields: readonly string[]; readonly chain: readonly ApprovalHop[] },
): Reading<ApprovalRequest> {
  const http = received && httpOf(received, [...decidingFields, ...fields], bindsBody(call));
  if (http !== undefined && !http.ok) return http;
  const { actor, subject } = caller;
  return readApprovalRequest({
    version: 1,
    audience,
    actor: { id: actor.id, ...(actor.owner !== undefined && { owner: actor.owner }) },
    subject: party(subject),
    chain,
    action,
    resource: { type: resource.type, id: resource.id },
    ...(call !== undefined && { call: callOf(call) }),
    ...(http !== undefined && { http: http.value }),
    policies: [...policy.policies],
    policySet: policy.policySet,
    requirement,
  });
}

/** Why people who see the bytes of the body may not see what the application reads in them, if it reads these `types`. */
export function bodyProblem({ call, received }: ConsentSubject, types: readonly string[]): string | undefined {
  const fields = received?.request.fields;
  if (fields?.has('content-digest') !== true || !bindsBody(call) || hasEmptyBody(fields)) return undefined;
  return contentProblem(valuesOf(fields, bodyFields), types);
}

function hasEmptyBody(fields: FieldSection): boolean {
  const parsed = parseContentDigest(fields);
  return parsed.ok && verifyContentDigest(parsed.digests, nothing).ok;
}

const nothing = new Uint8Array();

/** The body around a call differs each time: its arguments stand for it. */
function bindsBody(call: AuditCall | undefined): boolean {
  return call?.argumentsDigest === undefined;
}

function valuesOf(fields: FieldSection, names: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(names.filter((name) => fields.has(name)).map((name) => [name, fields.value(name) ?? '']));
}

function party({ id, type, issuer }: ApprovalParty): ApprovalParty {
  return { id, type, ...(issuer !== undefined && { issuer }) };
}

function callOf({ method, name, argumentsDigest }: AuditCall): ApprovalRequest['call'] {
  return { method, ...(name !== undefined && { name }), ...(argumentsDigest !== undefined && { argumentsDigest }) };
}

function httpOf({ request, authority }: Received, bound: readonly string[], hasBody: boolean): Reading<ApprovalHttp> {
  const { method, target, fields } = request;
  // Not all of them are signed: people must decide about what the application reads.
  const unlike = seenDifferently(request, bound);
  if (unlike !== undefined) return failed(unlike.detail ?? unlike.code);
  const at = target.indexOf('?');
  const query = at === -1 ? undefined : target.slice(at);
  const contentDigest = hasBody ? contentDigestIn(fields) : undefined;
  const deciding = valuesOf(fields, bound);
  const http = {
    method,
    authority,
    path: pathOf(target),
    ...(query !== undefined && { query }),
    ...(Object.keys(deciding).length > 0 && { fields: deciding }),
    ...(contentDigest !== undefined && { contentDigest }),
  };
  return { ok: true, value: http };
}

/** In one spelling. The body was verified against each of them. */
function contentDigestIn(fields: FieldSection): string | undefined {
  const parsed = parseContentDigest(fields);
  if (!parsed.ok) return undefined;
  const digests = [...parsed.digests].map(([name, bytes]) => `${name}=:${Buffer.from(bytes).toString('base64')}:`);
  return digests.toSorted().join(', ');
}
