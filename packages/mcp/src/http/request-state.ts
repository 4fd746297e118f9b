import type { Caller } from '@countersign/core';
import { isJsonObject, memberOf } from '../decide/json-rpc.js';
import type { ClientRequest } from '../wire/message.js';
import type { Seal } from './seal.js';

/** For whom a state is sealed. */
interface Holder {
  readonly seal: Seal;
  readonly caller: Caller;
}

/**
 * Seals the state that the server lets a client keep while it asks its user something (`requestState`): another caller,
 * or another call, must not go on with it.
 */
export function sealState(result: unknown, message: ClientRequest, { seal, caller }: Holder): unknown {
  if (!isJsonObject(result) || typeof result['requestState'] !== 'string') return result;
  return { ...result, requestState: seal.seal(result['requestState'], purposeOf(message), caller) };
}

/**
 * The body with the server's own state. It is replaced in the text, because writing the message anew would change large
 * numbers. Undefined if the state was not sealed for this caller and call.
 */
export function openState(body: Uint8Array, message: ClientRequest, { seal, caller }: Holder): Uint8Array | undefined {
  const { requestState } = message.params;
  if (requestState === undefined) return body;
  if (typeof requestState !== 'string') return undefined;
  const state = seal.unseal(requestState, purposeOf(message), caller);
  const [before, after, ...more] = Buffer.from(body).toString().split(JSON.stringify(requestState));
  if (state === undefined || before === undefined || after === undefined || more.length > 0) return undefined;
  const opened = `${before}${JSON.stringify(state)}${after}`;
  // The text may stand in an argument, and be spelled with escapes where it belongs.
  return memberOf(memberOf(JSON.parse(opened), 'params'), 'requestState') === state ? Buffer.from(opened) : undefined;
}

function purposeOf({ method, params }: ClientRequest): string {
  return JSON.stringify(['state', method, params['name'] ?? params['uri'] ?? null]);
}
