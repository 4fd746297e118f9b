import { randomUUID } from 'node:crypto';
import type { HttpRequest } from './request.js';

/** What the audit log says of a request. The query stays out: it may hold secrets. */
export interface RequestFacts {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly remoteAddress?: string;
}

export function requestFacts({ method, target, remoteAddress }: HttpRequest): RequestFacts {
  const path = target.replace(/^https?:\/\/[^/?#]*/i, '').split(/[?#]/, 1)[0] || '/';
  return { id: randomUUID(), method, path, ...(remoteAddress === undefined ? {} : { remoteAddress }) };
}
