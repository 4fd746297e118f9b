import { errorCodes, isJsonObject, type JsonRpcError, memberOf } from '../decide/json-rpc.js';
import type { ReadRules } from '../decide/rules.js';
import { type ClientMessage, type ClientRequest, folded, hasTwinsWithin } from './message.js';
import { isPlainUri } from '../decide/uri.js';

/**
 * What in a message the server behind could take for something else than what is decided about. In a server of ours it
 * would not matter; this one may be written in any language.
 */
export function ambiguity(message: ClientMessage): JsonRpcError | undefined {
  return message.kind !== 'request' || urisOf(message).every(isPlainUri)
    ? undefined
    : { code: errorCodes.invalidParams, message: 'The URI of a resource is not in its plain form' };
}

/** The same in the arguments of a call. It tells which ones a tool declares, so that visibility comes first. */
export function argumentAmbiguity(request: ClientRequest, rules: ReadRules): JsonRpcError | undefined {
  return hidesDeclared(request, rules)
    ? { code: errorCodes.invalidParams, message: 'An argument is written in another case' }
    : undefined;
}

function urisOf({ method, params }: ClientRequest): readonly unknown[] {
  if (method.startsWith('resources/') && 'uri' in params) return [params['uri']];
  const { notifications: listened } = params;
  const uris = method === 'subscriptions/listen' && isJsonObject(listened) ? listened['resourceSubscriptions'] : [];
  return Array.isArray(uris) ? uris : [];
}

/** Whether a reader who ignores case would find an argument that policy decides about, and policy would not. */
function hidesDeclared({ method, params }: ClientRequest, { tools }: ReadRules): boolean {
  const { name, arguments: given } = params;
  if (method !== 'tools/call' || typeof name !== 'string' || !isJsonObject(given)) return false;
  const declared = tools?.get(name)?.call?.arguments ?? [];
  const names = new Set(declared.map(folded));
  return (
    Object.keys(given).some((argument) => names.has(folded(argument)) && !declared.includes(argument)) ||
    declared.some((argument) => hasTwinsWithin(memberOf(given, argument)))
  );
}
