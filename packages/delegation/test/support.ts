import { existsSync, readFileSync } from 'node:fs';
import {
  type ActingAgent,
  type DelegationClaims,
  type LinkClaims,
  parentHash,
  readClaims,
  readLink,
  type Scope,
} from '../src/index.js';

/** Any key thumbprint but the one below. */
export const OTHER_THUMBPRINT = 'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA';

/** The public key and thumbprint of RFC 8037, appendix A.2 and A.3. */
export const RFC8037_JWK = {
  kty: 'OKP',
  crv: 'Ed25519',
  x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo',
} as const;
export const RFC8037_THUMBPRINT = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';

export const NOW = 1_800_000_000;

/** A payload that every check accepts. */
export const PAYLOAD = {
  iss: 'https://id.example',
  sub: 'user_123',
  aud: 'https://api.example',
  exp: NOW + 300,
  iat: NOW,
  jti: 'delegation-1',
  client_id: 'agent-1',
  scope: 'repo:read pr:write',
  act: { sub: 'agent-1' },
};

export const AGENT: ActingAgent = {
  id: 'agent-1',
  keyId: RFC8037_THUMBPRINT,
  capabilities: ['pr', 'repo:read', 'release'],
};

/** The claims of {@link PAYLOAD} with some replaced; `undefined` leaves one out. */
export function claimsWith(replaced: Record<string, unknown> = {}): DelegationClaims {
  const read = readClaims({ ...PAYLOAD, ...replaced });
  if (!read.ok) throw new Error(`not readable: ${read.code}`);
  return read.claims;
}

/** The result of {@link readClaims}: `ok` or the code. */
export function verdict(replaced: Record<string, unknown>): string {
  const read = readClaims({ ...PAYLOAD, ...replaced });
  return read.ok ? 'ok' : read.code;
}

/** Reads published test vectors from beside the repository; warns if they are missing. */
export function readVectors(path: string): unknown {
  const url = new URL(`../../../../shared/vectors/${path}`, import.meta.url);
  if (!existsSync(url)) {
    console.warn(`NOT RUN: the tests that need the vectors ${path}, which are not beside this repository.`);
    return undefined;
  }
  return JSON.parse(readFileSync(url, 'utf8'));
}

/** The agent of that name, with its own key. */
export function agentNamed(id: string, capabilities: Scope = ['pr', 'repo', 'release']): ActingAgent {
  return { id, keyId: parentHash(id), capabilities };
}

/** A link payload that every check accepts. */
export const LINK_PAYLOAD = {
  iss: 'agent-1',
  sub: 'agent-2',
  aud: 'https://api.example',
  scope: 'repo:read',
  iat: NOW,
  exp: NOW + 60,
  jti: 'link-1',
};

/** The claims of {@link LINK_PAYLOAD} with some replaced; `undefined` leaves one out. */
export function linkWith(replaced: Record<string, unknown> = {}): LinkClaims {
  const read = readLink(JSON.parse(JSON.stringify({ ...LINK_PAYLOAD, ...replaced })));
  if (!read.ok) throw new Error(`not readable: ${read.code}`);
  return read.link;
}

/** The result of {@link readLink}: `ok` or the code. */
export function linkVerdict(replaced: Record<string, unknown>): string {
  const read = readLink({ ...LINK_PAYLOAD, ...replaced });
  return read.ok ? 'ok' : read.code;
}
