import type { Refusal } from '@countersign/core';
import { errorCodes, type JsonObject, type JsonRpcError } from './json-rpc.js';

/** Why a request is not run, as its answer. */
export interface Denial {
  readonly error: JsonRpcError;
  /** What to answer instead, if the tool says so: the model then reads it. */
  readonly result?: JsonObject;
  /** The scope that would help, if that is all that was missing. */
  readonly missingScope?: string;
}

/** What was asked, for the words of a denial. */
export interface DeniedRequest {
  readonly action?: string;
  /** The arguments that policy saw. */
  readonly decidedBy?: readonly string[];
  /** Those of the required scopes that the caller does not hold. */
  readonly missing?: readonly string[];
  readonly onDeny?: 'error' | 'result';
}

/**
 * The answer to a refusal of the guard. `data` says what was missing and what may be asked for, so that a model or its
 * host can act on it.
 */
export function denialOf(refused: Refusal, asked: DeniedRequest = {}): Denial {
  const { code, title, requiredScope, explanation, approval } = refused;
  const { action, decidedBy = [], missing = [], onDeny } = asked;
  const data = {
    code,
    title,
    ...(requiredScope !== undefined && { scope: requiredScope, missing }),
    ...(refused.status === 403 && action !== undefined && { action }),
    ...(refused.status === 403 && decidedBy.length > 0 && { decidedBy }),
    hint: hintFor(refused, asked),
    ...(explanation !== undefined && { explanation }),
    ...(approval !== undefined && { approval }),
  };
  const error = { code: errorCodeOf(refused), message: title, data };
  return {
    error,
    ...(onDeny === 'result' && refused.status === 403 && { result: errorResult(title, data) }),
    ...(requiredScope !== undefined && { missingScope: requiredScope }),
  };
}

function hintFor({ code, status, approval }: Refusal, { action, decidedBy = [], missing = [] }: DeniedRequest): string {
  if (code === 'approval_denied') return 'People did not approve. Do not repeat the call.';
  if (approval !== undefined) {
    return 'Ask people to approve data.approval, and repeat the call with their approval in _meta: countersign/approval';
  }
  if (code === 'insufficient_scope') return `Ask your user or issuer for the scope: ${missing.join(' ')}`;
  if (status === 403 && decidedBy.length > 0) {
    return `Policy decides by these arguments, so other values may be permitted: ${decidedBy.join(', ')}`;
  }
  if (status === 403) return `Do not repeat the call. Whoever runs this server may permit: ${action ?? 'the request'}`;
  if (status === 401) return 'Authenticate again, with a new token or delegation.';
  return status >= 500 ? 'Nothing ran. Try again later.' : 'Correct the request.';
}

/** The answer of a server that has no such thing. Hidden and absent must look alike. */
export function notFound(kind: 'Tool' | 'Prompt', name: string): Denial {
  return { error: { code: errorCodes.invalidParams, message: `${kind} ${name} not found` } };
}

/** The same for a resource, as MCP 2026-07-28 wants it. */
export function resourceNotFound(uri: string): Denial {
  return { error: { code: errorCodes.invalidParams, message: `Resource not found: ${uri}`, data: { uri } } };
}

/** The words of servers for a resource that they do not have. Some use codes of their own. */
const absent = /not found|unknown resource|no such resource/i;

/** The error of a server; if it has no such resource, the answer for one that is hidden, since each SDK has its own words. */
export function asAbsent(error: JsonRpcError, questions: readonly { readonly hidden?: Denial }[]): JsonRpcError {
  const [hidden, ...others] = questions.flatMap((question) => question.hidden ?? []);
  if (hidden?.error.data?.['uri'] === undefined || others.length > 0) return error;
  const { code, message } = error;
  const isAbsent = code === errorCodes.resourceNotFound || code === errorCodes.invalidParams;
  return isAbsent || absent.test(message) ? hidden.error : error;
}

/** The answer to a request without a verified caller. */
export const nobody: Denial = {
  error: { code: errorCodes.unauthorized, message: 'Unauthorized', data: { code: 'signature_required' } },
};

export function invalidParams(message: string): Denial {
  return { error: { code: errorCodes.invalidParams, message } };
}

function errorCodeOf({ status }: Refusal): number {
  if (status === 401) return errorCodes.unauthorized;
  if (status === 403) return errorCodes.forbidden;
  return status >= 500 ? errorCodes.internal : errorCodes.invalidParams;
}

function errorResult(title: string, data: JsonObject & { readonly hint: string }): JsonObject {
  return {
    content: [{ type: 'text', text: `Not permitted: ${title} ${data.hint}` }],
    isError: true,
    _meta: { 'countersign/refusal': data },
  };
}
