import type { RefusalCode } from '@countersign/core';
import type { CalledName, Offer, ParameterFields } from './catalogue.js';
import { type Denial, invalidParams, notFound } from './denial.js';
import { errorCodes } from './json-rpc.js';
import { disagreeingParameter } from './mirrored-fields.js';
import type { AskedRequest } from './request-meta.js';

/** Refused without asking policy. */
export interface RefusedReading {
  readonly kind: 'refuse';
  readonly name?: string;
  readonly code: RefusalCode;
  readonly detail: string;
  readonly denial: Denial;
}

export function malformed(message: string): RefusedReading {
  return { kind: 'refuse', code: 'request_malformed', detail: message, denial: invalidParams(message) };
}

export const undigestible: RefusedReading = malformed(
  'the arguments are nested too deep, have too many members, or hold an infinite number',
);

const foreignState: RefusedReading = {
  kind: 'refuse',
  code: 'policy_denied',
  detail: 'the requestState was not sealed for this caller and call',
  denial: invalidParams('Invalid or expired requestState'),
};

export const foreignTask: RefusedReading = {
  kind: 'refuse',
  code: 'policy_denied',
  detail: 'a task of another caller, or of none',
  denial: invalidParams('Task not found'),
};

/** A notification that MCP does not define: a server could take it for a call that needs no answer. */
export const notMcp: RefusedReading = {
  kind: 'refuse',
  code: 'route_unmapped',
  detail: 'no such notification',
  denial: { error: { code: errorCodes.invalidRequest, message: 'Invalid request: no such notification' } },
};

export function headerMismatch(field: string): RefusedReading {
  const error = { code: errorCodes.headerMismatch, message: `The field ${field} and the body disagree` };
  return { kind: 'refuse', code: 'request_malformed', detail: error.message, denial: { error } };
}

export function notOffered({ list, name }: CalledName, offer: Exclude<Offer, 'offered'>): RefusedReading {
  if (offer === 'unknown') {
    const denial = notFound(list === 'tools/list' ? 'Tool' : 'Prompt', name);
    return { kind: 'refuse', code: 'policy_denied', detail: 'a name that the server does not offer', denial };
  }
  const error = { code: errorCodes.internal, message: 'The MCP server gave no answer' };
  return { kind: 'refuse', code: 'policy_unavailable', detail: `no answer to ${list}`, denial: { error } };
}

/** What disagrees with the schema of a tool, or with the state that it gave away. It tells that the tool exists. */
export function refusedByDetail(
  { headers, request, ambiguity }: AskedRequest,
  fields: ParameterFields | undefined,
  isStateKnown: boolean,
): RefusedReading | undefined {
  if (ambiguity !== undefined) {
    return { kind: 'refuse', code: 'request_malformed', detail: ambiguity.message, denial: { error: ambiguity } };
  }
  const field = headers && disagreeingParameter(headers, request.params, fields);
  if (field !== undefined) return headerMismatch(field);
  return isStateKnown ? undefined : foreignState;
}
