import type { AgentRegistration, GuardOptions } from '@countersign/core';
import { keyNamed, type TestKey } from '../support/keys.js';
import { ed25519Issuer, type TestIssuer } from '../support/tokens.js';

/** The principals. Every name and key is fixed, so that a case depends only on its seed, its number and the time. */
export const authority = 'fuzz.example';
export const origin = `https://${authority}`;
export const userId = 'user_1';
export const issuer: TestIssuer = ed25519Issuer('https://id.fuzz.example', 'fuzz-1');

export interface FuzzAgent {
  readonly id: string;
  readonly key: TestKey;
}

export const scopes: readonly string[] = ['things:read', 'things:write'];
export const first: FuzzAgent = agentNamed('agent-first');
export const second: FuzzAgent = agentNamed('agent-second');
export const third: FuzzAgent = agentNamed('agent-third');
/** Registered like the others: requests that it signs with stolen credentials must be refused. */
export const thief: FuzzAgent = agentNamed('agent-thief');

const registrations: readonly AgentRegistration[] = [first, second, third, thief].map(({ id, key }) => ({
  id,
  jwk: key.publicJwk,
  capabilities: scopes,
}));

export const policies = `@id("everything") permit(principal, action == Action::"use", resource);`;

/** The options of the host's guard, except agents and policy. */
export const guardOptions: Pick<GuardOptions, 'origin' | 'issuers' | 'dpop' | 'webBotAuth'> = {
  origin,
  issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } }],
  dpop: true,
  webBotAuth: true,
};

export { registrations as agents };

function agentNamed(id: string): FuzzAgent {
  return { id, key: keyNamed(`fuzz ${id}`) };
}
