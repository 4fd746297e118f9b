import { type Caller, type Guard, refusal } from '@countersign/core';
import type { McpDecisions } from '../decide/decisions.js';
import { errorCodes, isJsonObject, type JsonRpcRequest, memberOf } from '../decide/json-rpc.js';
import { isRequestId, type RequestId } from '../wire/message.js';

/** An answer that is given before the SDK sees the request. */
export interface EarlyAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** As many messages as the SDKs take in a batch. Each is a decision and a record. */
export const mostMessages = 100;

/** The answer to a batch that no SDK takes. */
export function refuseHugeBatch(message: unknown): EarlyAnswer | undefined {
  if (!Array.isArray(message) || message.length <= mostMessages) return undefined;
  const error = {
    code: errorCodes.invalidRequest,
    message: `Invalid request: a batch has at most ${mostMessages} messages`,
  };
  return earlyAnswer(400, { jsonrpc: '2.0', error, id: null });
}

interface EarlyParts {
  readonly guard: Guard;
  readonly decisions: McpDecisions;
}

/**
 * Refuses requests whose caller lacks a scope that their rule requires. Before the SDK sees them, because only then the
 * answer can be a 403 with a challenge, which names every scope that any of them requires.
 */
export async function refuseEarly(
  message: unknown,
  caller: Caller,
  { guard, decisions }: EarlyParts,
): Promise<EarlyAnswer | undefined> {
  const huge = refuseHugeBatch(message);
  if (huge !== undefined) return huge;
  const lacking = await lackingIn(Array.isArray(message) ? message : [message], caller, decisions);
  // In a batch the others may run, so the SDK asks and answers for all of them.
  if (Array.isArray(message) && lacking.every(({ refused }) => refused === 'result')) return undefined;
  const scopes = new Set<string>();
  let answer: unknown;
  for (const { id, request } of lacking) {
    const decision = await decisions.decide(caller, request);
    // Cannot be: it lacks a scope.
    if (decision.ok) return undefined;
    const { error, result, missingScope } = decision.denial;
    answer = { jsonrpc: '2.0', id, ...(result === undefined ? { error } : { result }) };
    if (result === undefined) for (const scope of missingScope?.split(' ') ?? []) scopes.add(scope);
  }
  if (scopes.size > 0) {
    const { headers } = guard.respond(refusal('insufficient_scope', undefined, [...scopes].join(' ')));
    return earlyAnswer(403, answer, { 'www-authenticate': headers['www-authenticate'] ?? 'Bearer' });
  }
  return answer === undefined ? undefined : earlyAnswer(200, answer);
}

interface Lacking {
  readonly id: RequestId;
  readonly request: JsonRpcRequest;
  readonly refused: 'error' | 'result';
}

/** The requests whose caller lacks a scope. */
async function lackingIn(
  messages: readonly unknown[],
  caller: Caller,
  decisions: McpDecisions,
): Promise<readonly Lacking[]> {
  const lacking: Lacking[] = [];
  for (const one of messages) {
    const method = memberOf(one, 'method');
    const id = memberOf(one, 'id');
    // The SDK refuses any other id, which may be too deep to be written back.
    if (!isJsonObject(one) || typeof method !== 'string' || !isRequestId(id)) continue;
    const request = { method, params: one['params'] };
    const refused = await decisions.lacksScope(caller, request);
    if (refused !== undefined) lacking.push({ id, request, refused });
  }
  return lacking;
}

export function earlyAnswer(status: number, message: unknown, headers: Record<string, string> = {}): EarlyAnswer {
  return {
    status,
    headers: { 'content-type': 'application/json', 'cache-control': 'no-store', ...headers },
    body: JSON.stringify(message),
  };
}
