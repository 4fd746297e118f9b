import {
  type ActingAgent,
  type AuthorizationDetail,
  delegatedChain,
  intersectScopes,
  minimalScope,
  parentHash,
  type Scope,
} from '@countersign/delegation';
import { type Credentials, type Proof, readCredentials, type ReadLink, type ReadToken } from './credentials.js';
import { guardDefaults } from '@countersign/common';
import { endingKeys, hopsLeft, revocable, untimely } from './ends.js';
import type { Presented } from './presented.js';
import { requestSignature } from './request-signature.js';
import type { KnownKey, Trust } from './trust.js';
import { detailsThatCoverNothing } from './unknown-details.js';

/** A delegation and its delegate. */
export interface Grant {
  readonly by: 'token' | 'link';
  readonly from: string;
  /** For a link: the claimed signing key. */
  readonly keyId?: string;
  readonly proof: Proof;
  readonly id?: string;
  readonly scope: Scope;
  /** The details that apply after all earlier delegations. */
  readonly effectiveScope: Scope;
  /** Unix seconds, like every time here. */
  readonly issuedAt?: number;
  readonly expiresAt: number;
  readonly audience: readonly string[];
  readonly maxHops?: number;
  readonly boundToKey?: string;
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

export interface Member {
  readonly id: string;
  readonly role: 'subject' | 'earlier actor' | 'delegator' | 'actor';
  /** The delegation to this member; the first has none, and an earlier actor has that of the token. */
  readonly grant?: Grant;
  /** From the agents.json. */
  readonly capabilities?: Scope;
}

/** The facts about a chain; `--json` prints them. */
export interface ChainFacts {
  readonly kind: Presented['kind'];
  /** Time of the inspection, in unix seconds. */
  readonly now: number;
  readonly members: readonly Member[];
  /** The signature of the request, if one was given. */
  readonly signature?: { readonly keyId?: string; readonly proof: Proof };
  /** Whether every signature in it has verified. */
  readonly verified: boolean;
  readonly effectiveScope: Scope;
  /** Whether the capabilities of every signer are known, so that the scope is exact. */
  readonly capabilitiesKnown: boolean;
  readonly audience: readonly string[];
  /** The earliest expiry of its delegations. */
  readonly expiresAt?: number;
  readonly hopsLeft: number;
  /** Its keys that expire. */
  readonly endingKeys: readonly { readonly agent: string; readonly keyId: string; readonly expiresAt: number }[];
  /** Revoking any of these ends the chain. */
  readonly revocable: readonly Readonly<Record<string, string>>[];
  /** Whether a guard would accept it, if its signatures verify: there are no problems. */
  readonly ok: boolean;
  /** Why a guard would refuse it. */
  readonly problems: readonly string[];
}

export async function chainFacts(presented: Presented, trust: Trust, now: number): Promise<ChainFacts> {
  const credentials = await readCredentials(presented, trust, now);
  const { request } = presented;
  const signature = request === undefined ? undefined : await requestSignature(request, trust, now);
  const members = membersOf(credentials, trust);
  const grants = [credentials.token, ...credentials.links].filter((one) => one !== undefined);
  const signers = signersOf(credentials, trust, signature?.keyId);
  const chain = grants.length === 0 ? undefined : lawful(credentials, signers);
  const known = signers.every(({ known: found }) => found !== undefined);
  const proofs = [...grants.map(({ proof }) => proof), ...(signature === undefined ? [] : [signature.proof])];
  const problems = [
    ...presented.problems,
    ...credentials.problems,
    ...(signature?.problems ?? []),
    ...(chain?.ok === false ? [lawProblem(chain, members)] : []),
    ...detailsThatCoverNothing(credentials),
    ...untimely(credentials, now),
  ];
  return {
    kind: presented.kind,
    now,
    members,
    ...(signature !== undefined && {
      signature: { ...(signature.keyId !== undefined && { keyId: signature.keyId }), proof: signature.proof },
    }),
    verified: proofs.length > 0 && proofs.every((proof) => proof === 'verified'),
    effectiveScope: chain?.ok === true ? chain.effectiveScope : [],
    capabilitiesKnown: known,
    audience: grants.at(-1)?.claims.audience ?? [],
    ...(grants.length > 0 && { expiresAt: Math.min(...grants.map(({ claims }) => claims.expiresAt)) }),
    hopsLeft: hopsLeft(credentials, members.length - 1),
    endingKeys: endingKeys(signers),
    revocable: revocable(credentials, members, signers),
    ok: problems.length === 0,
    problems,
  };
}

function lawProblem(
  { code, detail }: { readonly code: string; readonly detail: string },
  members: readonly Member[],
): string {
  const repeated = members.find(({ id }, index) => members.findIndex((other) => other.id === id) < index);
  const who = code === 'agent_repeated' && repeated !== undefined ? ` It is ${repeated.id}.` : '';
  return `A guard refuses the chain: ${code} (${detail}${who})`;
}

/** An agent that signed a link or will sign the request, with its entry in agents.json. */
interface Signer {
  readonly id: string;
  readonly keyId: string;
  readonly known: KnownKey | undefined;
  readonly keys: readonly KnownKey[];
}

function signersOf({ token, links }: Credentials, { agents }: Trust, requestKey: string | undefined): Signer[] {
  const last = links.at(-1)?.claims;
  const actor = last?.subject ?? token?.claims.actor?.subject ?? token?.claims.subject;
  const bound = (last === undefined ? token?.claims.confirmation : last.confirmation)?.jkt;
  const delegators = links.map(({ claims, keyId }): Signer => {
    const known = agents?.byKey(keyId);
    return { id: known?.agent.id ?? claims.issuer, keyId, known, keys: known === undefined ? [] : [known] };
  });
  if (actor === undefined) return delegators;
  const keyId = requestKey ?? bound;
  const keys =
    keyId === undefined ? (agents?.byId(actor) ?? []) : [agents?.byKey(keyId)].filter((key) => key !== undefined);
  const known = keys[0];
  const id = requestKey === undefined ? actor : (known?.agent.id ?? actor);
  return [...delegators, { id, keyId: keyId ?? '', known, keys }];
}

/** Checks the laws of delegation. Unknown capabilities do not narrow the scope. */
function lawful({ token, links }: Credentials, signers: readonly Signer[]): ReturnType<typeof delegatedChain> {
  const everything = [token, ...links].flatMap((one) => one?.claims.scope ?? []);
  const agents = signers.map(({ id, keyId, known }): ActingAgent => {
    return { id, keyId, capabilities: known?.agent.capabilities ?? everything };
  });
  const actor = agents.at(-1) ?? { id: '', keyId: '', capabilities: [] };
  return delegatedChain({
    root: token === undefined ? {} : { token: token.claims, tokenHash: parentHash(token.text) },
    links: links.map(({ text, claims }, index) => ({
      claims,
      hash: parentHash(text),
      delegator: agents[index] ?? actor,
    })),
    actor,
    maxDepth: guardDefaults.maxDelegationDepth,
  });
}

function membersOf({ token, links }: Credentials, trust: Trust): Member[] {
  const members: Member[] = [];
  let left: Scope | undefined;
  const match = token?.claims.scopeMatch;
  const add = (id: string, role: Member['role'], grant?: Omit<Grant, 'effectiveScope'>): void => {
    const capabilities = trust.agents?.byId(id)[0]?.agent.capabilities;
    const isAgent = grant !== undefined || (role === 'delegator' && members.length === 0);
    for (const given of [grant?.scope, isAgent ? capabilities : undefined]) {
      if (given !== undefined)
        left = left === undefined ? minimalScope(given, match) : intersectScopes(left, given, match);
    }
    const known = isAgent && capabilities !== undefined ? { capabilities } : {};
    members.push({
      id,
      role,
      ...known,
      ...(grant !== undefined && { grant: { ...grant, effectiveScope: left ?? [] } }),
    });
  };

  if (token !== undefined) {
    const { subject, actor, priorActors } = token.claims;
    add(subject, 'subject', actor === undefined ? grantBy(token) : undefined);
    for (const prior of priorActors.toReversed()) add(prior.subject, 'earlier actor');
    if (actor !== undefined) add(actor.subject, 'delegator', grantBy(token));
  } else if (links[0] !== undefined) add(links[0].claims.issuer, 'delegator');
  for (const link of links) add(link.claims.subject, 'delegator', grantBy(link));
  return members.map((member, index) =>
    index > 0 && index === members.length - 1 ? { ...member, role: 'actor' } : member,
  );
}

function grantBy(credential: ReadToken | ReadLink): Omit<Grant, 'effectiveScope'> {
  const { claims, proof } = credential;
  const { issuer, id, scope, issuedAt, expiresAt, audience, maxHops, confirmation, authorizationDetails } = claims;
  return {
    by: 'keyId' in credential ? 'link' : 'token',
    from: issuer,
    ...('keyId' in credential && { keyId: credential.keyId }),
    proof,
    ...(id !== undefined && { id }),
    scope,
    ...(issuedAt !== undefined && { issuedAt }),
    expiresAt,
    audience,
    ...(maxHops !== undefined && { maxHops }),
    ...(confirmation !== undefined && { boundToKey: confirmation.jkt }),
    ...(authorizationDetails !== undefined && { authorizationDetails }),
  };
}
