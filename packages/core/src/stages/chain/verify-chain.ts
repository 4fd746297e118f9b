import {
  type ActingAgent,
  type Actor,
  type ChainRefusalCode,
  delegatedChain,
  type DelegatedChain,
  type DelegationClaims,
  type DelegationRefusal,
  type ScopeMatch,
} from '@countersign/delegation';
import { andThen, type Awaitable, deepFreeze } from '@countersign/common';
import type { AgentDirectory } from '../../keys/directory.js';
import type { Session } from '../../model/caller.js';
import { type KeyHolder, statusOf } from '../possession/key-holder.js';
import { type Refusal, type RefusalCode, refusal } from '../../model/refusal.js';
import type { LinkVerifier, SignedLink } from './links.js';
import { type AgentsMeant, keepMeant, type KnownSession, nobodyMeant, Sessions } from './sessions.js';
import type { VerifiedToken } from '../token/token-verifier.js';

/** Who acts, on whose behalf, and what that leaves it. */
export interface VerifiedChain {
  readonly session: Session;
  /** Whose keys signed: the links, in order, and at the end the request. Copies: a directory may change its agents. */
  readonly signers: readonly KeyHolder[];
}

/** What the request brings along to say for whom it acts. */
export interface ChainCredentials {
  /** Whose key signed the request. */
  readonly holder: KeyHolder;
  readonly token: VerifiedToken | undefined;
  /** Links as they were sent, in order. */
  readonly links: readonly string[];
  /** Of the origin that the request is for. */
  readonly audiences: readonly string[];
  /** Unix seconds. */
  readonly now: number;
}

export interface ChainParts {
  readonly agents: AgentDirectory;
  readonly linkVerifier: LinkVerifier;
  readonly maxDelegationDepth: number;
  readonly scopeMatch: ScopeMatch;
}

/** Never rejects. */
export type ChainVerifier = (credentials: ChainCredentials) => Awaitable<VerifiedChain | Refusal>;

/**
 * Binds token, links, signature and agents together: each counts only in the hands of the agent and key that it names,
 * and the laws of delegation hold from the subject down to the sender. The laws do not depend on the time, so they are
 * judged once for the same credentials.
 */
export function createChainVerifier(parts: ChainParts): ChainVerifier {
  const { agents, linkVerifier, maxDelegationDepth, scopeMatch } = parts;
  const sessions = new Sessions();

  return (credentials) => {
    const { holder, token, links, audiences, now } = credentials;
    return andThen(linkVerifier.verify(links, { token, audiences, now }), (signed) => {
      if ('code' in signed) return signed;
      const read = token && localNames(token, signed[0]?.delegator ?? holder, { agents, hasLinks: signed.length > 0 });
      return andThen(read, (named) =>
        named !== undefined && 'code' in named ? named : join(credentials, signed, named),
      );
    });
  };

  function join(
    { holder, token }: ChainCredentials,
    signed: readonly SignedLink[],
    { claims, meant }: Partial<ReadNames> = {},
  ): VerifiedChain | Refusal {
    const signers = [...signed.map(({ delegator }) => delegator), holder];
    const named = claims === undefined ? [] : [claims, ...claims.priorActors].map(({ subject }) => subject);
    const names = [...named, ...(meant?.subject ?? []), ...(meant?.between.values() ?? [])];
    const source = { token, names, links: signed.map(({ hash }) => hash), signers };
    const known = sessions.find(source);
    if (known !== undefined) return verifiedAs(known);

    const delegated = delegatedChain({
      root: token === undefined || claims === undefined ? {} : { token: claims, tokenHash: token.hash },
      links: signed.map((link) => ({ ...link, delegator: agentOf(link.delegator) })),
      actor: agentOf(holder),
      maxDepth: maxDelegationDepth,
      scopeMatch,
    });
    if (!delegated.ok) return refusalOf(delegated);
    return verifiedAs(sessions.add(source, sessionOf(holder, delegated, meant)));
  }
}

function verifiedAs({ session, source }: KnownSession): VerifiedChain {
  return { session, signers: source.signers };
}

export function refusalOf({ code, detail }: DelegationRefusal<ChainRefusalCode>): Refusal {
  return refusal(codeFor[code], detail);
}

/** The lists of the actor are copied, because they belong to the directory. */
export function sessionOf(
  { agent, thumbprint }: Pick<KeyHolder, 'agent'> & { readonly thumbprint?: string },
  delegated: DelegatedChain,
  meant: AgentsMeant = nobodyMeant,
): Session {
  const { chain, effectiveScope: scope, authorizationDetails } = delegated;
  keepMeant(chain, meant);
  const [first] = chain;
  return deepFreeze({
    actor: {
      id: agent.id,
      type: 'agent',
      ...(thumbprint === undefined ? {} : { keyId: thumbprint }),
      roles: [...agent.roles],
      capabilities: [...agent.capabilities],
      ...(agent.owner === undefined ? {} : { owner: agent.owner }),
    },
    subject: { id: first.id, type: first.type, ...(first.issuer === undefined ? {} : { issuer: first.issuer }) },
    chain,
    scope,
    ...(authorizationDetails === undefined ? {} : { authorizationDetails }),
  });
}

/** The names in a token as they are read here. */
interface ReadNames {
  readonly claims: DelegationClaims;
  readonly meant: AgentsMeant;
}

interface Naming {
  readonly agents: AgentDirectory;
  /** Whether the agent that uses the token handed on by a link, so that it acted earlier than the sender. */
  readonly hasLinks: boolean;
}

/**
 * The agents of a token by the names that they have here: `user`, who uses it, as its key was found; all others within
 * the namespace of the issuer, which speaks for nobody outside it.
 */
function localNames(token: VerifiedToken, user: KeyHolder, naming: Naming): Awaitable<ReadNames | Refusal> {
  const { actor, priorActors, subjectType } = token.claims;
  const named = { claims: token.claims, meant: nobodyMeant };
  // A token of its own makes the agent the subject.
  if (actor === undefined && user.vouchedBy !== 'directory' && naming.hasLinks) return ownName(token, naming.agents);
  if (actor === undefined) return named;
  if (priorActors.length === 0 && user.vouchedBy === 'directory' && subjectType !== 'agent') return named;
  return namesWithin(token, actor, user, naming);
}

async function ownName(token: VerifiedToken, agents: AgentDirectory): Promise<ReadNames | Refusal> {
  const { claims, namespace } = token;
  const meant = await agentsMeant({ claims: { ...claims, subjectType: 'agent' }, namespace }, [], agents);
  return 'code' in meant ? meant : { claims, meant };
}

async function namesWithin(
  token: VerifiedToken,
  actor: Actor,
  user: KeyHolder,
  { agents, hasLinks }: Naming,
): Promise<ReadNames | Refusal> {
  const isVouched = user.vouchedBy !== 'directory';
  const { claims, namespace } = token;
  const meant = await agentsMeant(
    token,
    isVouched && hasLinks ? [actor, ...claims.priorActors] : claims.priorActors,
    agents,
  );
  if ('code' in meant) return meant;
  const within = (one: Actor) => ({ ...one, subject: namespace + one.subject });
  const priorActors = claims.priorActors.map(within);
  return { claims: { ...claims, priorActors, actor: isVouched ? within(actor) : actor }, meant };
}

/**
 * The agents registered here that a token may mean by its subject and by the earlier actors that it names: a chain ends
 * with the suspension of any of them, under its name here and within the namespace of the issuer.
 */
export async function agentsMeant(
  { claims, namespace }: Pick<VerifiedToken, 'claims' | 'namespace'>,
  earlier: readonly Actor[],
  agents: AgentDirectory,
): Promise<AgentsMeant | Refusal> {
  // Of a user the directory knows nothing.
  const subject = claims.subjectType === 'agent' ? [claims.subject.slice(namespace.length)] : [];
  const names = [...subject, ...earlier.map((agent) => agent.subject)];
  const statuses = await Promise.all(names.map((name) => statusOf(agents, name)));
  const within = namespace === '' ? [] : names.map((name) => statusOf(agents, namespace + name));
  const all = [...statuses, ...(await Promise.all(within))];
  if (all.includes('suspended')) return refusal('delegation_revoked', 'a prior actor is suspended');
  if (all.includes('unavailable')) return refusal('keys_unavailable');
  if (namespace === '') return nobodyMeant;
  const registered = new Set(names.filter((_name, index) => statuses[index] !== 'unknown'));
  const between = earlier.flatMap(({ subject: name }) =>
    registered.has(name) ? [[namespace + name, name] as const] : [],
  );
  return { subject: subject.filter((name) => registered.has(name)), between: new Map(between) };
}

function agentOf({ agent, thumbprint }: KeyHolder): ActingAgent {
  return { id: agent.id, keyId: thumbprint, capabilities: agent.capabilities };
}

const codeFor: Readonly<Record<ChainRefusalCode, RefusalCode>> = {
  actor_missing: 'token_delegation_invalid',
  actor_mismatch: 'token_not_bound_to_agent',
  confirmation_mismatch: 'token_not_bound_to_agent',
  scope_match_mismatch: 'token_invalid',
  link_signer_mismatch: 'delegation_invalid',
  link_parent_mismatch: 'delegation_invalid',
  link_delegate_mismatch: 'delegation_invalid',
  link_confirmation_mismatch: 'delegation_invalid',
  agent_repeated: 'delegation_invalid',
  delegation_too_deep: 'delegation_too_deep',
  redelegation_forbidden: 'delegation_wider',
  max_hops_wider: 'delegation_wider',
  scope_wider: 'delegation_wider',
  expiry_wider: 'delegation_wider',
  audience_wider: 'delegation_wider',
  authorization_details_wider: 'delegation_wider',
};
