import { loadAgentKey } from '@countersign/agent';
import { keyFromSeed, type TestKey } from '../../support/keys.js';
import { type Claims, rawToken } from '../../support/tokens.js';

/** The start of validity of everything in the vectors, in unix seconds. */
export const now = 1_764_000_000;
export const api = 'https://api.acme.dev';

/** Seeds are counted up from these bytes, as in docs/reference/wire-vectors.md. */
const firstBytes = { orchestrator: 0x00, issuer: 0x20, runner: 0x40, crawler: 0x60 } as const;
export type KeyName = keyof typeof firstBytes;
export const keyNames = Object.keys(firstBytes) as KeyName[];

export const ids = {
  orchestrator: 'agent-orchestrator',
  runner: 'agent-test-runner',
  crawler: 'agent-crawler',
} as const;
export type AgentName = keyof typeof ids;
export const agentNames = Object.keys(ids) as AgentName[];

export function seedOf(name: KeyName): Buffer {
  return Buffer.from(Array.from({ length: 32 }, (_, index) => firstBytes[name] + index));
}

export function keyOf(name: KeyName): TestKey {
  return keyFromSeed(seedOf(name));
}

export function agentKeyOf(name: KeyName): ReturnType<typeof loadAgentKey> {
  return loadAgentKey(seedOf(name));
}

const userToken = {
  iss: 'https://id.acme.dev',
  sub: 'user_123',
  aud: api,
  client_id: ids.orchestrator,
  act: { sub: ids.orchestrator },
  scope: 'repo:read pr:write:draft',
  iat: now,
  exp: now + 600,
  jti: 'b6f0f2a8-0d0c-4d5e-9a59-3a0a7f6f3f11',
};

/** The token of docs/reference/wire-vectors.md, or one with other claims; undefined leaves a claim out. */
export function tokenOf(claims: Claims = {}): string {
  const header = { typ: 'at+jwt', alg: 'EdDSA', kid: 'issuer-1' };
  return rawToken(JSON.stringify(header), JSON.stringify({ ...userToken, ...claims }), (input) =>
    keyOf('issuer').sign(input),
  );
}
