import { createPublicKey } from 'node:crypto';
import { type DelegationClaims, LINK_TYPE, type LinkClaims, readClaims, readLink } from '@countersign/delegation';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { headerProblems } from '../token-header.js';
import type { Presented } from './presented.js';
import { linkVerifies, type Trust } from './trust.js';

/** The result of verifying a signature. `unchecked`: no file with keys was given. */
export type Proof = 'verified' | 'invalid' | 'unchecked';

export interface ReadToken {
  readonly text: string;
  readonly claims: DelegationClaims;
  readonly proof: Proof;
}

export interface ReadLink {
  readonly text: string;
  readonly claims: LinkClaims;
  /** The claimed signing key: `kid`. */
  readonly keyId: string;
  readonly proof: Proof;
}

/** The credentials of a chain, up to the first that does not parse. */
export interface Credentials {
  readonly token?: ReadToken;
  readonly links: readonly ReadLink[];
  readonly problems: readonly string[];
}

export async function readCredentials({ token, links }: Presented, trust: Trust, now: number): Promise<Credentials> {
  const problems: string[] = [];
  const root = token === undefined ? undefined : await readToken(token, trust, problems);
  const read: ReadLink[] = [];
  for (const [index, text] of (token !== undefined && root === undefined ? [] : links).entries()) {
    const link = await readOneLink(
      text,
      { name: `Link ${index + 1}`, root: index === 0 ? root : undefined, trust, now },
      problems,
    );
    if (link === undefined) break;
    read.push(link);
  }
  return { ...(root !== undefined && { token: root }), links: read, problems };
}

async function readToken(text: string, { verifyToken }: Trust, problems: string[]): Promise<ReadToken | undefined> {
  const decoded = decode(text);
  const read = readClaims(decoded?.payload);
  if (!read.ok) {
    problems.push(`A guard refuses the claims of the token: ${read.code} (${read.detail}).`);
    return undefined;
  }
  problems.push(...headerProblems(decoded?.header ?? {}).map((problem) => `The token: ${problem}`));
  if (verifyToken === undefined) return { text, claims: read.claims, proof: 'unchecked' };
  const problem = await verifyToken(text);
  if (problem !== undefined) problems.push(`The signature of the token ${problem}.`);
  return { text, claims: read.claims, proof: problem === undefined ? 'verified' : 'invalid' };
}

interface LinkParts {
  readonly name: string;
  /** The parent token of the first link; its issuer may vouch for the key. */
  readonly root: ReadToken | undefined;
  readonly trust: Trust;
  readonly now: number;
}

async function readOneLink(text: string, parts: LinkParts, problems: string[]): Promise<ReadLink | undefined> {
  const { name } = parts;
  const decoded = decode(text);
  const read = readLink(decoded?.payload);
  if (!read.ok) {
    problems.push(`${name}: a guard refuses its claims: ${read.code} (${read.detail}).`);
    return undefined;
  }
  const { typ, kid } = decoded?.header ?? {};
  if (typ !== LINK_TYPE || typeof kid !== 'string' || Object.keys(decoded?.header ?? {}).length !== 3) {
    problems.push(`${name}: its header is not { typ: ${LINK_TYPE}, alg, kid } of a link.`);
  }
  const keyId = String(kid);
  const { proof, problem } = await verifyLink(text, { ...parts, keyId, issuer: read.link.issuer });
  if (problem !== undefined) problems.push(`${name}: ${problem}.`);
  return { text, claims: read.link, keyId, proof };
}

async function verifyLink(
  text: string,
  { keyId, issuer, root, trust, now }: LinkParts & { readonly keyId: string; readonly issuer: string },
): Promise<{ readonly proof: Proof; readonly problem?: string }> {
  const vouched =
    root?.proof === 'verified' && root.claims.confirmation?.jkt === keyId ? root.claims.confirmation : undefined;
  if (vouched?.jwk !== undefined && trust.agents?.byKey(keyId) === undefined) {
    const valid = await linkVerifies(text, createPublicKey({ key: { ...vouched.jwk }, format: 'jwk' }));
    return valid ? { proof: 'verified' } : { proof: 'invalid', problem: 'its signature does not verify' };
  }
  if (trust.agents === undefined) return { proof: 'unchecked' };
  const found = trust.agents.byKey(keyId);
  if (found === undefined) return { proof: 'invalid', problem: 'the key that signed it is not in the agents.json' };
  const { agent, key } = found;
  if (!(await linkVerifies(text, key.publicKey))) return { proof: 'invalid', problem: 'its signature does not verify' };
  if (agent.id !== issuer) return { proof: 'invalid', problem: 'the key that signed it belongs to another agent' };
  if (agent.status !== 'active') return { proof: 'verified', problem: 'the agent that signed it is suspended' };
  const valid = (key.notBefore ?? 0) <= now && now < (key.expires ?? Infinity);
  return valid ? { proof: 'verified' } : { proof: 'verified', problem: 'the key that signed it is not valid now' };
}

type JsonObject = Readonly<Record<string, unknown>>;

function decode(text: string): { readonly header: JsonObject; readonly payload: JsonObject } | undefined {
  try {
    return { header: { ...decodeProtectedHeader(text) }, payload: { ...decodeJwt(text) } };
  } catch {
    return undefined;
  }
}
