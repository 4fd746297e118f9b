import type { StatusReference } from '@countersign/delegation';
import { type Awaitable, ConfigError, failed, LruCache, oneAtATime, type Reading } from '@countersign/common';
import { type DocumentKind, fetchDocument, readRemoteUrl } from '../../remote/remote-json.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { TrustedIssuer } from '../token/issuers.js';
import type { VerifiedToken } from '../token/token-verifier.js';
import { RemoteStatusList } from './remote-status-list.js';
import { maxStatusListLength, statusAt, type StatusListToken, verifyStatusListToken } from './status-list-token.js';

/** Asks status lists whether a token still counts. */
export interface StatusLists {
  /** What is wrong with the token by the list that it refers to, if it refers to one. Never rejects. */
  problem(token: VerifiedToken, nowSeconds: number): Awaitable<Refusal | undefined>;
}

/** Most lists, and most inflated bytes of them, held at once for an issuer. */
const most = { lists: 256, bytes: 64 * 1024 ** 2 };
/** Lists of an issuer that are no longer held, and bytes of their addresses. */
const mostForgotten = { lists: 10_000, bytes: 1024 ** 2 };

/**
 * Bytes that an issuer may make us fetch. Each fetch reserves the largest list, which also bounds how many are under way.
 * A list that was never held may not use the rest, so that addresses without end stop no list that is in use.
 */
const allowance = { most: 64 * 1024 ** 2, perSecond: 1024 ** 2, leastOfFetch: 64 * 1024, rest: 12 * 1024 ** 2 };
const tooMuch = 'its issuer asks for too many or too large lists';

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
  const byIssuer = new Map<string, ListsOfIssuer>();

  async function problemBy(
    reference: StatusReference,
    issuer: TrustedIssuer,
    now: number,
  ): Promise<Refusal | undefined> {
    const url = readListUrl(reference, issuer);
    if (!url.ok) return refusal('token_invalid', url.problem);
    const lists = byIssuer.get(issuer.issuer) ?? new ListsOfIssuer(issuer, clockSkewSeconds);
    byIssuer.set(issuer.issuer, lists);
    const list = lists.at(url.value, reference.uri, now);
    if (list === undefined) return refusal('revocations_unavailable', `status list: ${tooMuch}`);
    const answer = await statusIn(list, reference.index, now);
    lists.forgetUnused();
    return answer;
  }

  return {
    problem: ({ claims: { statusReference }, issuer }, now) =>
      statusReference && problemBy(statusReference, issuer, now),
  };
}

/** The lists of one issuer, and what it may still make us fetch: it takes nothing from the lists of others. */
class ListsOfIssuer {
  readonly #issuer: TrustedIssuer;
  readonly #clockSkewSeconds: number;
  /** Least recently used first. */
  readonly #lists = new Map<string, RemoteStatusList>();
  /** When each list was issued that is no longer held: forgetting one must not bring back an older one. */
  readonly #forgotten = new LruCache<number>(mostForgotten.lists, mostForgotten.bytes);
  /** One at a time, because each takes several copies of its list. */
  readonly #verify = oneAtATime();
  #allowed = allowance.most;
  #allowedAt = -Infinity;

  constructor(issuer: TrustedIssuer, clockSkewSeconds: number) {
    this.#issuer = issuer;
    this.#clockSkewSeconds = clockSkewSeconds;
  }

  /** Undefined if the list is new and may not be fetched. */
  at(url: URL, uri: string, now: number): RemoteStatusList | undefined {
    const held = this.#lists.get(uri);
    if (held === undefined && !this.#mayFetch(now, true)) return undefined;
    const list = held ?? this.#newList(url, uri);
    this.#lists.delete(uri);
    this.#lists.set(uri, list);
    return list;
  }

  /** The list just used stays, however large it is. */
  forgetUnused(): void {
    let bytes = [...this.#lists.values()].reduce((sum, { size }) => sum + size, 0);
    for (const [uri, { size, newest }] of this.#lists) {
      if (this.#lists.size === 1 || (this.#lists.size <= most.lists && bytes <= most.bytes)) return;
      this.#lists.delete(uri);
      this.#forgotten.set(uri, newest, uri.length);
      bytes -= size;
    }
  }

  #newList(url: URL, uri: string): RemoteStatusList {
    const list: RemoteStatusList = new RemoteStatusList({
      fetch: async (now) => {
        if (!this.#mayFetch(now, list.newest === -Infinity)) return failed(tooMuch);
        return await this.#fetch(url, uri, now);
      },
      newest: this.#forgotten.get(uri),
      staleSeconds: this.#issuer.staleStatusSeconds,
      clockSkewSeconds: this.#clockSkewSeconds,
    });
    return list;
  }

  #mayFetch(now: number, isNew: boolean): boolean {
    const elapsed = Math.max(now - this.#allowedAt, 0);
    this.#allowed = Math.min(this.#allowed + elapsed * allowance.perSecond, allowance.most);
    this.#allowedAt = now;
    return this.#allowed - limits.maxBytes >= (isNew ? allowance.rest : 0);
  }

  async #fetch(url: URL, uri: string, now: number): Promise<Reading<StatusListToken>> {
    const issuer = this.#issuer;
    this.#allowed -= limits.maxBytes;
    let taken = 0;
    try {
      const fetched = await fetchDocument(url, issuer.remote, statusListJwt, limits);
      if (!fetched.ok) return fetched;
      const { bytes } = fetched.value;
      taken = bytes.length;
      const question = { issuer, uri, now, clockSkewSeconds: this.#clockSkewSeconds };
      return await this.#verify(() => verifyStatusListToken(bytes.toString('latin1'), question));
    } finally {
      this.#allowed += limits.maxBytes - Math.max(taken, allowance.leastOfFetch);
    }
  }
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
