import type { Caller } from '@countersign/core';
import { outcomeOf } from '../decide/call-end.js';
import type { McpDecision, McpDecisions } from '../decide/decisions.js';
import { isJsonObject, type JsonObject, type JsonRpcError, memberOf } from '../decide/json-rpc.js';
import type { ClientRequest } from './message.js';

/** A request that was permitted, and waits for its answer. */
export interface PendingRequest {
  readonly message: ClientRequest;
  readonly decision: Extract<McpDecision, { readonly ok: true }>;
}

/** What becomes of a message of the server: the very same value passes as it came, undefined is dropped. */
export type MapMessage = (message: unknown) => Promise<unknown>;

export interface AnswerFilterParts {
  readonly caller: Caller;
  readonly decisions: McpDecisions;
  /** The request that has this id and waits for its answer. */
  readonly pendingOf: (id: unknown) => PendingRequest | undefined;
}

/** Filters what a server sends to one caller, and records how the requests ended that it answers. */
export function createAnswerFilter({ caller, decisions, pendingOf }: AnswerFilterParts): MapMessage {
  async function map(message: unknown): Promise<unknown> {
    if (!isJsonObject(message)) return undefined;
    // A request or a notification of the server.
    if ('method' in message) {
      if (message['method'] === 'notifications/tools/list_changed') decisions.toolsChanged();
      return message;
    }
    const pending = pendingOf(message['id']);
    if (pending !== undefined) return await mapAnswer(message, pending);
    // The answer to another request, such as one that a resumed stream repeats.
    const filtered = await decisions.filterUnasked(caller, message['result']);
    return filtered.ok ? withResult(message, filtered.result) : withError(message, filtered.denial.error);
  }

  async function mapAll(messages: readonly unknown[]): Promise<readonly unknown[]> {
    const mapped: unknown[] = [];
    for (const message of messages) mapped.push(await map(message));
    return mapped.every((message, place) => message === messages[place]) ? messages : mapped.filter(isJsonObject);
  }

  // A batch holds messages, and no batch.
  return async (message) => (Array.isArray(message) ? await mapAll(message) : await map(message));
}

function withResult(answer: JsonObject, result: unknown): JsonObject {
  return result === answer['result'] ? answer : { ...answer, result };
}

function withError({ id }: JsonObject, error: unknown): JsonObject {
  return { jsonrpc: '2.0', id, error };
}

function isError(error: unknown): error is JsonRpcError {
  return typeof memberOf(error, 'code') === 'number' && typeof memberOf(error, 'message') === 'string';
}

async function mapAnswer(answer: JsonObject, { decision }: PendingRequest): Promise<unknown> {
  if (!('result' in answer)) {
    const { error } = answer;
    await decision.end({ result: 'failed', code: String(memberOf(error, 'code')) });
    const told = isError(error) ? decision.answerError(error) : error;
    return told === error ? answer : withError(answer, told);
  }
  const { result } = answer;
  const filtered = await decision.answer(result);
  await decision.end(filtered.ok ? outcomeOf(result) : { result: 'failed' });
  return filtered.ok ? withResult(answer, filtered.result) : withError(answer, filtered.denial.error);
}
