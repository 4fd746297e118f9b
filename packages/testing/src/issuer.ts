import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { testKeyId } from '@countersign/common';
import type { IssuerOptions } from '@countersign/core';
import { type AuthorizationDetail, mintDelegation, type MintDelegationOptions } from '@countersign/delegation';
import { secondsOf, type TestClock } from './clock.js';

/** What a token allows, and for how long. */
export interface TokenOptions {
  /** A list, or text separated by spaces. Default: all capabilities of the agent. */
  readonly scope?: string | readonly string[];
  /** Whole seconds by the clock of the kit. Default 300. */
  readonly ttlSeconds?: number;
  /** Limits to single resources and actions (RFC 9396). Default: none. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** How often the agent may hand it on. Default: as often as the guard accepts. */
  readonly maxHops?: number;
}

/** The issuer of tokens whom the guard of a kit trusts. */
export interface TestIssuer {
  readonly issuer: string;
  readonly trust: IssuerOptions;
  /** Its public keys, marked: no guard accepts them. */
  readonly jwks: { readonly keys: readonly object[] };
  mint(token: TokenToMint, change?: Partial<MintDelegationOptions>): Promise<string>;
}

export interface TokenToMint {
  readonly id?: string;
  readonly user: string;
  readonly agent: string;
  readonly keyId: string;
  readonly options: TokenOptions & { readonly scope: string | readonly string[] };
}

export function createIssuer(origin: string, clock: TestClock): TestIssuer {
  const issuer = 'https://issuer.test';
  const { publicKey, privateKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' });
  return {
    issuer,
    trust: { issuer, jwks: { keys: [{ ...jwk }] } },
    jwks: { keys: [{ ...jwk, kid: testKeyId }] },
    mint: async ({ id = randomUUID(), user, agent, keyId, options }, change = {}) => {
      const { ttlSeconds = 300, ...limits } = options;
      return await mintDelegation({
        issuer,
        key: privateKey,
        user,
        agent,
        agentKeyThumbprint: keyId,
        audience: origin,
        lifetimeSeconds: ttlSeconds,
        now: secondsOf(clock),
        id,
        ...limits,
        ...change,
      });
    },
  };
}

/** A key that no guard knows. */
export function strangeKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}
