import { ambiguityOfJson, itemsForMember, type JsonAmbiguity } from '@countersign/common';
import { parseStrictJson } from '@countersign/core';
import { errorCodes, isJsonObject, type JsonObject } from '../decide/json-rpc.js';
import { approvalIn } from '../decide/request-meta.js';
import { mostMembers } from './plain-json.js';
import { metaProblem, withPlainMeta } from './plain-meta.js';

/** The id of a JSON-RPC request. `1` and `"1"` are different ids. */
export type RequestId = string | number;

/** A JSON-RPC message that a client sent, read so that every reader takes it for the same one. */
export type ClientMessage = ClientRequest | ClientNotification | ClientResponse;

export interface ClientRequest {
  readonly kind: 'request';
  readonly id: RequestId;
  readonly method: string;
  readonly params: JsonObject;
  /** The approval in its `_meta`, which the server does not get. */
  readonly approval?: unknown;
}

export interface ClientNotification {
  readonly kind: 'notification';
  readonly method: string;
  readonly params: JsonObject;
}

/** An answer to a request of the server, such as an elicitation. */
export interface ClientResponse {
  readonly kind: 'response';
  readonly id: RequestId;
}

export type MessageReading =
  /** `value`: the whole message, with what MCP defines in `_meta` only. Pass on only what is written from it, so that the server reads what was decided about. */
  | { readonly ok: true; readonly message: ClientMessage; readonly value: JsonObject }
  | { readonly ok: false; readonly code: number; readonly id: RequestId | null; readonly problem: string };

const textProblems: Readonly<Record<JsonAmbiguity, string>> = {
  too_many_members: `it has more than ${mostMembers} members, objects and lists, or ${mostMembers * itemsForMember} values`,
  number: 'a number has more digits than every reader keeps; write it as a string',
  surrogate: 'a string has half of a surrogate pair',
};

const requestMembers = ['jsonrpc', 'id', 'method', 'params'];
const responseMembers = ['jsonrpc', 'id', 'result', 'error'];

/**
 * Reads one message strictly. Other servers than the official ones may stand behind: they may take the second of two
 * members, ignore the case of a name as Go does, or run a call that has no id.
 */
export function readMessage(input: string | Uint8Array): MessageReading {
  const text = typeof input === 'string' ? input : decoded(input);
  // Before the parser, whose time grows with the members.
  const problem = ambiguityOfJson(text, mostMembers);
  if (problem === 'too_many_members') return invalid(null, textProblems[problem]);
  const parsed = parseStrictJson(text);
  if (!parsed.ok)
    return { ok: false, code: errorCodes.parseError, id: null, problem: `Parse error: ${parsed.problem}` };
  const { value } = parsed;
  if (Array.isArray(value)) return invalid(null, 'batches are not accepted');
  if (!isJsonObject(value)) return invalid(null, 'it is not an object');
  const id = isRequestId(value['id']) ? value['id'] : null;
  if (value['jsonrpc'] !== '2.0') return invalid(id, 'jsonrpc must be "2.0"');
  if ('id' in value && id === null) return invalid(null, 'id must be a string or a safe integer');
  if (problem !== undefined) return invalid(id, textProblems[problem]);
  return 'method' in value ? readCall(value, id) : readResponse(value, id);
}

/** Bytes that are no UTF-8 read as no JSON. */
function decoded(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return '';
  }
}

function readCall(value: JsonObject, id: RequestId | null): MessageReading {
  const { method, params: sent = {} } = value;
  const unknown = unknownMember(value, requestMembers);
  if (unknown !== undefined) return invalid(id, unknown);
  if (typeof method !== 'string' || method === '') return invalid(id, 'method must be a name');
  if (!isJsonObject(sent)) return invalid(id, 'params must be an object');
  const ambiguous = ambiguousMember(sent) ?? metaProblem(sent);
  if (ambiguous !== undefined) return invalid(id, ambiguous);
  const params = withPlainMeta(sent);
  const call = { method, params };
  const approval = approvalIn(sent);
  const message =
    id === null
      ? ({ kind: 'notification', ...call } as const)
      : ({ kind: 'request', id, ...call, ...(approval !== undefined && { approval }) } as const);
  return { ok: true, message, value: 'params' in value ? { ...value, params } : value };
}

function readResponse(value: JsonObject, id: RequestId | null): MessageReading {
  const unknown = unknownMember(value, responseMembers);
  if (unknown !== undefined) return invalid(id, unknown);
  if (id === null) return invalid(null, 'an answer needs an id');
  if ('result' in value === 'error' in value) return invalid(id, 'an answer has either a result or an error');
  return { ok: true, message: { kind: 'response', id }, value };
}

function invalid(id: RequestId | null, problem: string): MessageReading {
  return { ok: false, code: errorCodes.invalidRequest, id, problem: `Invalid request: ${problem}` };
}

export function isRequestId(value: unknown): value is RequestId {
  return typeof value === 'string' || (typeof value === 'number' && Number.isSafeInteger(value));
}

function unknownMember(value: JsonObject, known: readonly string[]): string | undefined {
  const unknown = Object.keys(value).some((name) => !known.includes(name));
  return unknown ? `only ${known.join(', ')} may stand there` : undefined;
}

/** The members that a decision depends on. */
const decisive = [
  '_meta',
  'name',
  'arguments',
  'uri',
  'ref',
  'type',
  'task',
  'taskId',
  'taskIds',
  'notifications',
  'resourceSubscriptions',
  'requestState',
  'inputResponses',
];
const foldedDecisive = new Set(decisive.map(folded));

/** A member that a reader who ignores case would take for another one. */
function ambiguousMember(params: JsonObject): string | undefined {
  const { arguments: values, ref, notifications } = params;
  const decided = [params, ref, notifications].filter(isJsonObject).flatMap((members) => Object.keys(members));
  if (decided.some((name) => foldedDecisive.has(folded(name)) && !decisive.includes(name))) {
    return 'a member is written in another case';
  }
  const twice = [params, ref, notifications, values].filter(isJsonObject).some(hasTwins);
  return twice ? 'two members differ only in case' : undefined;
}

function hasTwins(members: JsonObject): boolean {
  const names = Object.keys(members);
  return new Set(names.map(folded)).size < names.length;
}

/** Whether a reader who ignores case would find the same member twice, at any depth. */
export function hasTwinsWithin(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasTwinsWithin);
  return isJsonObject(value) && (hasTwins(value) || Object.values(value).some(hasTwinsWithin));
}

/** Folds case as Go's JSON decoder does: `ſ` is an s there, and the Kelvin sign a k. */
export function folded(name: string): string {
  return name.toUpperCase().toLowerCase();
}
