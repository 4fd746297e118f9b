import { type McpDecisions, outcomeOf } from '../decide/decisions.js';
import { isJsonObject, type JsonObject, memberOf } from '../decide/json-rpc.js';
import type { MapMessage } from './event-stream.js';
import type { Exchange } from './exchange.js';
import type { ClientRequest, RequestId } from '../wire/message.js';
import { sealState } from './request-state.js';
import type { Seal } from './seal.js';

/** A request that was permitted, and waits for its answer. */
export interface PendingRequest {
  readonly message: ClientRequest;
  readonly judged: Extract<Awaited<ReturnType<McpDecisions['judge']>>, { readonly ok: true }>;
}

/** Filters what the server sends in answer to one HTTP request. */
export interface AnswerFilter {
  /** The id of the request that waits for its answer. */
  readonly id: RequestId | null;
  readonly map: MapMessage;
  /** Records how the request ended, if its answer has not come. Call it, whatever happens. */
  end(): Promise<void>;
}

export function createAnswerFilter(
  { caller, decisions }: Exchange,
  seal: Seal,
  pending: PendingRequest | undefined,
): AnswerFilter {
  async function mapAnswer(answer: JsonObject, { message, judged }: PendingRequest): Promise<unknown> {
    const { result } = answer;
    if (!('result' in answer)) {
      await judged.end({ result: 'failed', code: String(memberOf(answer['error'], 'code')) });
      return answer;
    }
    const filtered = await judged.answer(result);
    await judged.end(filtered.ok ? outcomeOf(result) : { result: 'failed' });
    return filtered.ok
      ? withResult(answer, sealState(filtered.result, message, { seal, caller }))
      : denied(answer, filtered);
  }

  async function map(message: unknown): Promise<unknown> {
    if (Array.isArray(message)) return await mapAll(message);
    if (!isJsonObject(message)) return undefined;
    // A request or a notification of the server.
    if ('method' in message) return message;
    if (pending !== undefined && message['id'] === pending.message.id) return await mapAnswer(message, pending);
    // The answer to another request, such as one that a resumed stream repeats.
    const filtered = await decisions.filterUnasked(caller, message['result']);
    return filtered.ok ? withResult(message, filtered.result) : denied(message, filtered);
  }

  async function mapAll(messages: readonly unknown[]): Promise<readonly unknown[]> {
    const mapped: unknown[] = [];
    for (const message of messages) mapped.push(await map(message));
    return mapped.every((message, place) => message === messages[place]) ? messages : mapped.filter(isJsonObject);
  }

  return {
    id: pending?.message.id ?? null,
    map,
    end: async () => await pending?.judged.end({ result: 'aborted' }),
  };
}

function withResult(answer: JsonObject, result: unknown): JsonObject {
  return result === answer['result'] ? answer : { ...answer, result };
}

function denied({ id }: JsonObject, { denial }: { readonly denial: { readonly error: unknown } }): JsonObject {
  return { jsonrpc: '2.0', id, error: denial.error };
}
