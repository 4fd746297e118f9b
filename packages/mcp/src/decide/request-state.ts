import type { Caller } from '@countersign/core';
import { argumentsIn, digestOf } from './arguments.js';
import { isJsonObject, type JsonObject, memberOf } from './json-rpc.js';
import type { AskedRequest } from './request-meta.js';
import type { Seal } from './seal.js';

/** A request, and which server it is for. */
type StateRequest = Pick<AskedRequest, 'request' | 'endpoint'>;

/**
 * Whether a request carries a state, and what the server had written there. `isApproval`: the guard asked the user to open
 * the page where people approve, and the server does not know of that.
 */
export type StateReading =
  | { readonly ok: true; readonly state: string | undefined; readonly isApproval: boolean }
  | { readonly ok: false };

/**
 * Seals the state that a server lets a client keep while it asks its user something (`requestState`): no other caller,
 * no call with other arguments, and no call of another server can go on with it.
 */
export function sealState(result: unknown, asked: StateRequest, seal: Seal, caller: Caller): unknown {
  if (!isJsonObject(result)) return result;
  const { requestState, ...stateless } = result;
  if (typeof requestState !== 'string') return result;
  const purpose = purposesOf(asked)?.state;
  return purpose === undefined ? stateless : { ...result, requestState: seal.seal(requestState, purpose, caller) };
}

export function openState(asked: StateRequest, seal: Seal, caller: Caller): StateReading {
  const sealed = memberOf(asked.request.params, 'requestState');
  if (sealed === undefined) return { ok: true, state: undefined, isApproval: false };
  if (typeof sealed !== 'string') return { ok: false };
  const purposes = purposesOf(asked);
  if (purposes === undefined) return { ok: false };
  const state = seal.unseal(sealed, purposes.state, caller);
  if (state !== undefined) return { ok: true, state, isApproval: false };
  const kept = seal.unseal(sealed, purposes.approval, caller);
  if (kept === undefined) return { ok: false };
  return { ok: true, state: (JSON.parse(kept) as string | null) ?? undefined, isApproval: true };
}

/** What a state, or the request to approve, may be opened for. Undefined: the call holds more than can be digested. */
export function purposesOf({
  request: { method, params },
  endpoint,
}: StateRequest): { readonly state: string; readonly approval: string } | undefined {
  // Absent and empty arguments are the same call.
  const digest = digestOf({ ...argumentsIn(params), arguments: memberOf(params, 'arguments') ?? {} });
  if (digest === undefined) return undefined;
  const call = [endpoint ?? null, method, named(params), digest];
  return { state: JSON.stringify(['state', ...call]), approval: JSON.stringify(['approval', ...call]) };
}

function named(params: unknown): unknown {
  const { name, uri }: JsonObject = isJsonObject(params) ? params : {};
  return name ?? uri ?? null;
}
