import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { finished, PassThrough, type Readable, type Writable } from 'node:stream';
import { type Caller, checkOptionNames, type Guard } from '@countersign/core';
import { decisionsOf } from '../decide/decisions.js';
import { errorCodes, isJsonObject, type JsonRpcError, memberOf } from '../decide/json-rpc.js';
import { listPages } from '../decide/list-pages.js';
import { type McpRules, readRules } from '../decide/rules.js';
import { createAnswerFilter, type PendingRequest } from '../wire/answer-filter.js';
import { ambiguity, argumentAmbiguity } from '../wire/ambiguity.js';
import {
  type ClientMessage,
  type ClientRequest,
  type MessageReading,
  readMessage,
  type RequestId,
} from '../wire/message.js';
import { parseServerJson } from '../wire/server-json.js';
import { linesOf, writeLine } from './lines.js';

/** The two ends of the pipe. */
export interface McpStdioStreams {
  /** From and to the client: standard input and output of this process. */
  readonly client: { readonly input: Readable; readonly output: Writable };
  /** To and from the server: standard input and output of the process that it runs in. */
  readonly server: { readonly input: Writable; readonly output: Readable };
}

/** Most messages that are read while one is being decided. */
const maxWaiting = 16;

/** Most bytes that a client leaves unread before the rest of a closing server's answers waits for it. */
const maxUnread = 16 * 1024 * 1024;

const optionNames: readonly string[] = ['tools', 'methods'] satisfies readonly (keyof McpRules)[];

/**
 * Guards an MCP server that talks over standard input and output. Every request of the client is decided for `caller`,
 * who is stated and not proved: see `guard.local`. Resolves when the server has closed its output, and every request has
 * its outcome in the log, also if the client leaves answers unread: up to 16 MiB of them once the server reads no more.
 * To end without a client that leaves more, destroy the server's output.
 *
 * @throws ConfigError which says what to do; Error when a message is longer than 16 Mi characters, or
 * one of the server has too many parts to be parsed.
 * @example
 * ```ts
 * const child = spawn('node', ['server.js'], { stdio: ['pipe', 'pipe', 'inherit'] });
 * const caller = guard.local({ agent: 'agent-desktop', subject: 'user_123' });
 * await guardMcpStdio(guard, caller, {
 *   client: { input: process.stdin, output: process.stdout },
 *   server: { input: child.stdin, output: child.stdout },
 * });
 * ```
 */
export async function guardMcpStdio(
  guard: Guard,
  caller: Caller,
  { client, server }: McpStdioStreams,
  options: McpRules = {},
): Promise<void> {
  checkOptionNames('guardMcpStdio', options, optionNames);
  const rules = readRules('guardMcpStdio', options);
  const decisions = decisionsOf(guard, rules);
  const pending = new Map<unknown, PendingRequest>();
  /** Ids of cancelled requests, which the server may still answer. */
  const cancelled = new Set<unknown>();
  const ownQuestions = new Map<unknown, (answer: unknown) => void>();
  /** Aborts when the server writes no more. */
  const ended = new AbortController();
  /** Aborts when the server reads no more, so that it may have exited. */
  const closing = new AbortController();

  /** Asks the server something in our own name. Undefined: it ended without an answer. */
  async function askServer(method: string, params: object): Promise<unknown> {
    const id = `countersign-${randomUUID()}`;
    if (ended.signal.aborted) return undefined;
    const answer = new Promise<unknown>((resolve) => void ownQuestions.set(id, resolve));
    await writeLine(server.input, JSON.stringify({ jsonrpc: '2.0', id, method, params }), ended.signal);
    const message = await answer;
    ownQuestions.delete(id);
    return message === undefined ? undefined : (memberOf(message, 'result') ?? {});
  }

  function answerError(id: RequestId | null, error: JsonRpcError): Promise<void> {
    return writeLine(client.output, JSON.stringify({ jsonrpc: '2.0', id, error }), ended.signal);
  }

  /** Whether the message may go on. */
  async function admitRequest(message: ClientRequest): Promise<boolean> {
    const { id, method, params, approval } = message;
    if (pending.has(id) || cancelled.has(id)) {
      await answerError(id, { code: errorCodes.invalidRequest, message: 'Invalid request: the id is in use' });
      return false;
    }
    const ambiguous = argumentAmbiguity(message, rules);
    const decision = await decisions.decide(
      caller,
      { method, params },
      {
        list: (listed) => listPages(listed, message, (page) => askServer(listed, page)),
        approval,
        ...(ambiguous && { ambiguity: ambiguous }),
      },
    );
    if (decision.ok) {
      pending.set(id, { message, decision });
      return true;
    }
    const { error, result } = decision.denial;
    if (result === undefined) await answerError(id, error);
    else await writeLine(client.output, JSON.stringify({ jsonrpc: '2.0', id, result }), ended.signal);
    return false;
  }

  async function admit(message: ClientMessage): Promise<boolean> {
    const problem = ambiguity(message);
    if (problem !== undefined) {
      await answerError(message.kind === 'request' ? message.id : null, problem);
      return false;
    }
    if (message.kind === 'request') return await admitRequest(message);
    if (message.kind === 'response') return true;
    const denial = await decisions.refuseNotification(caller, message);
    if (denial !== undefined) await answerError(null, denial.error);
    if (denial !== undefined) return false;
    if (message.method === 'notifications/cancelled') {
      const id = memberOf(message.params, 'requestId');
      const request = pending.get(id);
      if (request === undefined) return true;
      pending.delete(id);
      cancelled.add(id);
      await request.decision.end({ result: 'cancelled' });
    }
    return true;
  }

  async function pass(reading: MessageReading): Promise<void> {
    if (!reading.ok) await answerError(reading.id, { code: reading.code, message: reading.problem });
    else if (await admit(reading.message)) await writeLine(server.input, JSON.stringify(reading.value), ended.signal);
  }

  const inOrder = new PassThrough({ objectMode: true, highWaterMark: maxWaiting });

  // An answer waits for no decision: the server may ask its client something before it answers what a decision asks.
  async function read(): Promise<void> {
    for await (const line of linesOf(client.input)) {
      const reading = readMessage(line);
      if (reading.ok && reading.message.kind === 'response') await pass(reading);
      else if (!inOrder.write(reading)) await once(inOrder, 'drain');
    }
    inOrder.end();
  }

  // One after another: a cancellation must not overtake its call.
  async function toServer(): Promise<void> {
    for await (const reading of inOrder as AsyncIterable<MessageReading>) await pass(reading);
    server.input.end();
  }

  function take(id: unknown): PendingRequest | undefined {
    const request = pending.get(id);
    pending.delete(id);
    cancelled.delete(id);
    return request;
  }

  async function toClient(): Promise<void> {
    const map = createAnswerFilter({ caller, decisions, pendingOf: take });
    for await (const line of linesOf(server.output)) {
      const message = parsed(line);
      const answerOurs = isJsonObject(message) ? ownQuestions.get(message['id']) : undefined;
      if (answerOurs !== undefined) {
        answerOurs(message);
        continue;
      }
      if (message === undefined) guard.report('the MCP server wrote a line that is no message; it was dropped');
      const mapped = message === undefined ? undefined : await map(message);
      if (mapped === undefined) continue;
      // Only reading on shows whether a closing server has ended, so its last answers are buffered for a slow client.
      const until = client.output.writableLength < maxUnread ? closing.signal : ended.signal;
      await writeLine(client.output, mapped === message ? line : JSON.stringify(mapped), until);
    }
  }

  async function endPending(): Promise<void> {
    for (const { decision } of pending.values()) await decision.end({ result: 'aborted' });
  }

  function end(): void {
    closing.abort();
    ended.abort();
  }

  finished(server.input, { readable: false }, () => closing.abort());
  finished(server.output, { writable: false }, end);

  // Either end may be gone while something is written to it.
  for (const writable of [server.input, client.output]) writable.on('error', () => {});
  let failure: unknown;
  const fail = (error: unknown): void => {
    failure ??= error;
    server.output.destroy();
  };
  void read().catch(fail);
  const passing = toServer().catch(fail);
  try {
    await toClient().catch((error: unknown) => {
      failure ??= error;
    });
    if (failure !== undefined) throw failure;
  } finally {
    end();
    for (const answer of ownQuestions.values()) answer(undefined);
    client.input.destroy();
    inOrder.destroy();
    server.input.end();
    await endPending();
    // A call that was being decided is pending only now.
    await passing;
    await endPending();
  }
}

function parsed(line: string): unknown {
  try {
    return parseServerJson(line);
  } catch (error) {
    if (error instanceof RangeError) throw error;
    return undefined;
  }
}
