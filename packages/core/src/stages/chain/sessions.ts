import type { Chain, Scope } from '@countersign/delegation';
import { bytesHeld, deepFreeze, LruCache, maxBytesRemembered } from '@countersign/common';
import type { Agent } from '../../keys/directory.js';
import type { Session } from '../../model/caller.js';
import type { KeyHolder } from '../possession/key-holder.js';
import type { VerifiedToken } from '../token/token-verifier.js';

/** All that a session depends on, as it was verified for this request. */
export interface SessionSource {
  readonly token: VerifiedToken | undefined;
  /**
   * What the subject and the prior actors of the token are called here, and whom they may mean: a directory may come to
   * know them.
   */
  readonly names: readonly string[];
  /** Hashes of the links, in order. */
  readonly links: readonly string[];
  /** Whose keys signed: the links, in order, and at the end the request. */
  readonly signers: readonly KeyHolder[];
}

/** A session with the source that it was made from, as it was then. */
export interface KnownSession {
  readonly session: Session;
  readonly source: SessionSource;
}

const maxRemembered = 10_000;

/**
 * The sessions of callers that were verified lately. A session is found again only if everything that it was made from
 * is the same: a token verified anew, or another registration of a signer, makes another session. Whether token, links,
 * keys and agents still count is not remembered: that is judged before, for each request.
 */
export class Sessions {
  readonly #remembered = new LruCache<KnownSession>(maxRemembered, maxBytesRemembered);

  find(source: SessionSource): KnownSession | undefined {
    const known = this.#remembered.get(keyOf(source));
    return known !== undefined && sameSource(known.source, source) ? known : undefined;
  }

  add(source: SessionSource, session: Session): KnownSession {
    // Other parts derive texts from a session and keep them with it.
    const bytes = 4 * bytesHeld(session);
    // Copied, because the agents belong to the directory, which may change them in place.
    const signers = source.signers.map((signer) => ({ ...signer, agent: copyOf(signer.agent) }));
    const known = { session, source: { ...source, signers } };
    const key = keyOf(source);
    this.#remembered.set(key, known, bytes);
    accounts.set(session.scope, (more) => this.#remembered.resize(key, known, more));
    return known;
  }
}

/** The account of each session, by the scope that its callers share. */
const accounts = new WeakMap<Scope, (moreBytes: number) => void>();

/** Counts what another part keeps with a session, so that the bound of the sessions is one for both. */
export function chargeSession(scope: Scope, moreBytes: number): void {
  accounts.get(scope)?.(moreBytes);
}

/** The agents registered here that an issuer with a namespace may mean, by the names that they have here. */
export interface AgentsMeant {
  readonly subject: readonly string[];
  /** Those before the sender, each by what the chain calls it. */
  readonly between: ReadonlyMap<string, string>;
}

export const nobodyMeant: AgentsMeant = { subject: [], between: new Map() };

const meantBy = new WeakMap<Chain, AgentsMeant>();

/** A chain names them within the namespace. What can only refuse more asks for them, too. */
export function keepMeant(chain: Chain, meant: AgentsMeant): void {
  if (meant.subject.length + meant.between.size > 0) meantBy.set(chain, meant);
}

export function meantIn(chain: Chain): AgentsMeant {
  return meantBy.get(chain) ?? nobodyMeant;
}

/** A thumbprint and a hash contain no space. */
function keyOf({ token, links, signers }: SessionSource): string {
  return `${signers.at(-1)?.thumbprint} ${token?.hash ?? ''} ${links.join(' ')}`;
}

function sameSource(known: SessionSource, { token, names, links, signers }: SessionSource): boolean {
  return (
    known.token === token &&
    sameList(known.links, links) &&
    sameList(known.names, names) &&
    sameList(known.signers, signers, sameHolder)
  );
}

function sameHolder(known: KeyHolder, { agent, thumbprint, vouchedBy, nameOnly }: KeyHolder): boolean {
  return (
    known.thumbprint === thumbprint &&
    known.vouchedBy === vouchedBy &&
    known.nameOnly === nameOnly &&
    known.agent.id === agent.id &&
    known.agent.owner === agent.owner &&
    sameList(known.agent.capabilities, agent.capabilities) &&
    sameList(known.agent.roles, agent.roles)
  );
}

function sameList<Item>(
  known: readonly Item[],
  items: readonly Item[],
  same: (one: Item, other: Item) => boolean = Object.is,
): boolean {
  if (known.length !== items.length) return false;
  for (let at = 0; at < items.length; at += 1) if (!same(known[at] as Item, items[at] as Item)) return false;
  return true;
}

function copyOf(agent: Agent): Agent {
  return deepFreeze({ ...agent, capabilities: [...agent.capabilities], roles: [...agent.roles] });
}
