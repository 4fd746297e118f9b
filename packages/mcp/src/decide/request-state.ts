import type { Caller } from '@countersign/core';
import { digestOf } from './arguments.js';
import { isJsonObject, type JsonObject, type JsonRpcRequest, memberOf } from './json-rpc.js';
import type { Seal } from './seal.js';

/** Whether a request carries a state, and what the server had written there. */
export type StateReading = { readonly ok: true; readonly state: string | undefined } | { readonly ok: false };

/**
 * Seals the state that a server lets a client keep while it asks its user something (`requestState`): no other caller,
 * and no call with other arguments, can go on with it.
 */
export function sealState(result: unknown, request: JsonRpcRequest, seal: Seal, caller: Caller): unknown {
  if (!isJsonObject(result) || typeof result['requestState'] !== 'string') return result;
  return { ...result, requestState: seal.seal(result['requestState'], purposeOf(request), caller) };
}

export function openState(request: JsonRpcRequest, seal: Seal, caller: Caller): StateReading {
  const sealed = memberOf(request.params, 'requestState');
  if (sealed === undefined) return { ok: true, state: undefined };
  const state = typeof sealed === 'string' ? seal.unseal(sealed, purposeOf(request), caller) : undefined;
  return state === undefined ? { ok: false } : { ok: true, state };
}

function purposeOf({ method, params }: JsonRpcRequest): string {
  // Absent and empty arguments are the same call.
  const given = memberOf(params, 'arguments') ?? {};
  const digest = isJsonObject(given) ? digestOf(given) : undefined;
  return JSON.stringify(['state', method, named(params), digest ?? null]);
}

function named(params: unknown): unknown {
  const { name, uri }: JsonObject = isJsonObject(params) ? params : {};
  return name ?? uri ?? null;
}
