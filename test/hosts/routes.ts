import { createHash } from 'node:crypto';
import type { Caller, Resource } from '@countersign/core';

/** The permissions of the routes of every host, so that hosts differ only in their framework. */
export const billing: Resource = { type: 'Dataset', id: 'billing' };
export const bucket: Resource = { type: 'Bucket', id: 'default' };

export function repoOf({ params }: { readonly params: Readonly<Record<'owner' | 'repo', string>> }): Resource {
  return { type: 'Repo', id: `${params.owner}/${params.repo}` };
}

export function recordOf({ params }: { readonly params: Readonly<Record<'id', string>> }): Resource {
  return { type: 'Record', id: params.id };
}

/** The answer of `GET /whoami`; without a caller an empty object. */
export function whoami(caller: Caller | undefined): object {
  return { actor: caller?.actor, subject: caller?.subject, chain: caller?.chain, scope: caller?.scope };
}

/** The answer of `POST /repos/:owner/:repo/pulls`. */
export function pullCreated(caller: Caller | undefined, body: unknown): object {
  return { actor: caller?.actor, subject: caller?.subject, chain: caller?.chain, body: body ?? null };
}

/** The answer of `PUT /upload`: reads the body as a stream. */
export async function received(body: AsyncIterable<unknown>): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const chunk of body) {
    hash.update(chunk as Buffer);
    bytes += (chunk as Buffer).length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

/** The response to an error: its status, without its text. */
export function failure(error: unknown): { readonly status: number; readonly body: object } {
  const { status, statusCode = status } = (error ?? {}) as { status?: unknown; statusCode?: unknown };
  return { status: typeof statusCode === 'number' ? statusCode : 500, body: { error: 'the handler failed' } };
}
