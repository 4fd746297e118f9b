import type { RefusalCode } from '@countersign/core';
import type { CalledName, Offer } from './catalogue.js';
import { type Denial, invalidParams, notFound } from './denial.js';
import { errorCodes } from './json-rpc.js';

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

export const tooLarge: RefusedReading = malformed('the arguments are nested too deep, or have too many members');

export const foreignState: RefusedReading = {
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
