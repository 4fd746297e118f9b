import type { StatusReference } from '@countersign/delegation';
import { type Awaitable, ConfigError, LruCache, type Reading } from '@countersign/common';
import { type DocumentKind, fetchDocument, readRemoteUrl } from '../../remote/remote-json.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { TrustedIssuer } from '../token/issuers.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import { RemoteStatusList } from './remote-status-list.js';
import { maxStatusListLength, statusAt, verifyStatusListToken } from './status-list-token.js';

/** Asks status lists whether a token still counts. */
export interface StatusLists {
  /** What is wrong with the token by the list that it refers to, if it refers to one. Never rejects. */
  problem(token: VerifiedToken, nowSeconds: number): Awaitable<Refusal | undefined>;
}

/** Most lists, and most inflated bytes of them, held at once. */
const most = { lists: 256, bytes: 64 * 1024 ** 2 };
const maxForgotten = 10_000;

const statusListJwt: DocumentKind = {
  accept: 'application/statuslist+jwt',
  contentType: /^application\/statuslist\+jwt\s*(?:;|$)/i,
  name: 'application/statuslist+jwt',
};
const limits = { timeoutMilliseconds: 5000, maxBytes: maxStatusListLength };

/**
 * Status lists (draft-ietf-oauth-status-list), each fetched by the rules for the keys of its issuer and verified with
 * them. Whatever keeps a list from being read refuses the request: a token that may be revoked does not count.
 */
export function createStatusLists({ clockSkewSeconds }: { readonly clockSkewSeconds: number }): StatusLists {
  /** Least recently used first. */
  const lists = new Map<string, RemoteStatusList>();
  /** When each list was issued that is no longer held: forgetting one must not bring back an older one. */
  const forgotten = new LruCache<number>(maxForgotten);

  function listAt(url: URL, uri: string, issuer: TrustedIssuer): RemoteStatusList {
    const key = JSON.stringify([issuer.issuer, uri]);
    const list =
      lists.get(key) ??
      new RemoteStatusList({
        fetch: async (now) => {
          const fetched = await fetchDocument(url, issuer.remote, statusListJwt, limits);
          if (!fetched.ok) return fetched;
          const question = { issuer, uri, now, clockSkewSeconds };
          return await verifyStatusListToken(fetched.value.bytes.toString('latin1'), question);
        },
        newest: forgotten.get(key),
        staleSeconds: issuer.staleStatusSeconds,
        clockSkewSeconds,
      });
    lists.delete(key);
    lists.set(key, list);
    return list;
  }

  /** The list just used stays, however large it is. */
  function forgetUnused(): void {
    let bytes = [...lists.values()].reduce((sum, { size }) => sum + size, 0);
    for (const [key, { size, newest }] of lists) {
      if (lists.size === 1 || (lists.size <= most.lists && bytes <= most.bytes)) return;
      lists.delete(key);
      forgotten.set(key, newest);
      bytes -= size;
    }
  }

  async function problemBy(
    reference: StatusReference,
    issuer: TrustedIssuer,
    now: number,
  ): Promise<Refusal | undefined> {
    const url = readListUrl(reference, issuer);
    if (!url.ok) return refusal('token_invalid', url.problem);
    const answer = await statusIn(listAt(url.value, reference.uri, issuer), reference.index, now);
    forgetUnused();
    return answer;
  }

  return {
    problem: ({ claims: { statusReference }, issuer }, now) =>
      statusReference && problemBy(statusReference, issuer, now),
  };
}

async function statusIn(list: RemoteStatusList, index: number, now: number): Promise<Refusal | undefined> {
  for (const look of ['current', 'afterMiss'] as const) {
    const read = await list[look](now);
    if (!read.ok) return refusal('revocations_unavailable', `status list: ${read.problem}`);
    const status = statusAt(read.value, index);
    if (status === 0) return undefined;
    if (status !== undefined) return refusal('token_revoked', `its status is ${status}`);
  }
  // §8.3: no statement can be made about what is not in the list.
  return refusal('token_invalid', 'its status is beyond the end of its status list');
}

/** An issuer may name any address, so it is held to the rules for the addresses in our own configuration. */
function readListUrl({ uri }: StatusReference, issuer: TrustedIssuer): Reading<URL> {
  try {
    return { ok: true, value: readRemoteUrl('status list', uri, issuer.remote) };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return { ok: false, problem: error.message };
  }
}
