import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Caller } from '@countersign/core';
import { origin } from './world.js';

/** The request as an application sees it: what the oracle compares with what was signed. */
export interface Seen {
  readonly actor: string;
  readonly keyId: string;
  readonly subject: string;
  readonly chain: readonly string[];
  readonly scope: readonly string[];
  readonly method: string;
  /** The request target as the framework shows it. */
  readonly target: string;
  /** The path as an application reads it that routes by `URL`. */
  readonly urlPath: string;
  readonly headers: IncomingHttpHeaders;
  /** SHA-256 of the body, where the handler reads it itself. */
  readonly bodyHash: string | null;
  /** The body, where a parser of the framework has read it. */
  readonly parsed: string | null;
}

/** Below this prefix the framework's parser reads the body. */
export const parsedPrefix = '/json/';

export interface Served {
  readonly request: IncomingMessage;
  readonly target: string;
  readonly caller: Caller | undefined;
  /** Absent: nothing has read the body yet. */
  readonly parsed?: unknown;
}

/** The response of the only handler. */
export async function seen(served: Served): Promise<Seen> {
  const { request, target, caller } = served;
  if (caller === undefined) throw new Error('the handler ran without a caller');
  const { actor, subject, chain, scope } = caller;
  return {
    actor: actor.id,
    keyId: actor.keyId ?? '',
    subject: subject.id,
    chain: chain.map(({ id }) => id),
    scope,
    method: request.method ?? '',
    target,
    urlPath: pathOf(target),
    headers: request.headers,
    bodyHash: 'parsed' in served ? null : await hashOf(request),
    parsed: 'parsed' in served ? (JSON.stringify(served.parsed) ?? null) : null,
  };
}

export function isParsed(target: string): boolean {
  return target.replace(/^https?:\/\/[^/]*/i, '').startsWith(parsedPrefix);
}

function pathOf(target: string): string {
  try {
    return new URL(target.startsWith('/') ? origin + target : target).pathname;
  } catch {
    return '';
  }
}

async function hashOf(body: AsyncIterable<unknown>): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body) hash.update(chunk as Buffer);
  return hash.digest('hex');
}
