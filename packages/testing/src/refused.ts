import { type RefusalCode, refusalCodes } from '@countersign/core';
import { ConfigError, isJsonObject, member } from '@countersign/common';
import { textOf } from './clients/exchange.js';

/** A response of any client: `Response`, supertest, `inject` of Fastify. */
export interface AnyResponse {
  readonly status?: number;
  readonly statusCode?: number;
}

/** How a response was refused. `code` is undefined if the guard did not refuse it. */
export interface Answer {
  readonly status: number | undefined;
  readonly code: RefusalCode | undefined;
}

/** @throws ConfigError if the body has to be awaited. */
export function readAnswer(response: unknown): Answer {
  const { status, statusCode, text, body, payload } = (response ?? {}) as Record<string, unknown>;
  const read = response instanceof Response ? textOf(response) : undefined;
  if (response instanceof Response && read === undefined) {
    throw new ConfigError(
      'toBeRefusedWith: the body of this Response has not been read. Write await assertRefused(response, code).',
    );
  }
  return {
    status: numberOf(status) ?? numberOf(statusCode),
    code: codeIn([read, text, payload, body].find((content) => typeof content === 'string') ?? body),
  };
}

/** The same, for the `Response` of any `fetch`, too. Its body can still be read after it. */
export async function readLater(response: AnyResponse | Response): Promise<Answer> {
  if (!(response instanceof Response) || textOf(response) !== undefined) return readAnswer(response);
  return { status: response.status, code: codeIn(await response.clone().text()) };
}

function codeIn(content: unknown): RefusalCode | undefined {
  const problem = typeof content === 'string' ? parsed(content) : content;
  if (!isJsonObject(problem)) return undefined;
  const code = member(problem, 'code');
  return refusalCodes.find((known) => known === code);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
