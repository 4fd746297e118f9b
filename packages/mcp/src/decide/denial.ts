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

/** The answer to a refusal of the guard. `data` says what was missing, so that a model or its host can act on it. */
export function denialOf(refused: Refusal, onDeny: 'error' | 'result' = 'error'): Denial {
  const { code, title, requiredScope, explanation } = refused;
  const data = {
    code,
    title,
    ...(requiredScope !== undefined && { scope: requiredScope }),
    ...(explanation !== undefined && { explanation }),
  };
  const error = { code: errorCodeOf(refused), message: title, data };
  return {
    error,
    ...(onDeny === 'result' && refused.status === 403 && { result: errorResult(title, data) }),
    ...(requiredScope !== undefined && { missingScope: requiredScope }),
  };
}

/** The answer of a server that has no such thing. Hidden and absent must look alike. */
export function notFound(kind: 'Tool' | 'Prompt' | 'Resource', name: string): Denial {
  return { error: { code: errorCodes.invalidParams, message: `${kind} ${name} not found` } };
}

export function invalidParams(message: string): Denial {
  return { error: { code: errorCodes.invalidParams, message } };
}

function errorCodeOf({ status }: Refusal): number {
  if (status === 401) return errorCodes.unauthorized;
  if (status === 403) return errorCodes.forbidden;
  return status >= 500 ? errorCodes.internal : errorCodes.invalidParams;
}

function errorResult(title: string, data: JsonObject): JsonObject {
  const scope = typeof data['scope'] === 'string' ? ` Needed: ${data['scope']}` : '';
  return {
    content: [{ type: 'text', text: `Not permitted: ${title}${scope}` }],
    isError: true,
    _meta: { 'countersign/refusal': data },
  };
}
