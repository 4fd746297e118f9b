import { randomUUID } from 'node:crypto';
import type { Forwarded } from './proxies.js';
import type { HttpRequest } from '../../model/request.js';
import { pathOf } from './target.js';

/** What the audit log says of a request. The query stays out: it may hold secrets. */
export interface RequestFacts {
  readonly id: string;
  readonly method: string;
  readonly path: string;
  readonly remoteAddress?: string;
}

/** `forwarded` is what proxies of our own say; their word on the client's address counts. */
export function requestFacts({ method, target, ...connection }: HttpRequest, forwarded: Forwarded): RequestFacts {
  const remoteAddress = forwarded.remoteAddress ?? connection.remoteAddress;
  return {
    id: randomUUID(),
    method,
    path: pathOf(target),
    ...(remoteAddress === undefined ? {} : { remoteAddress }),
  };
}
