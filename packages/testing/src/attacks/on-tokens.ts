import { createHmac, randomUUID } from 'node:crypto';
import { generateAgentKey } from '@countersign/agent';
import type { MintDelegationOptions } from '@countersign/delegation';
import type { HeldToken } from '../caller.js';
import { strangeKey } from '../issuer.js';
import type { Attempt, RequestKind } from './attempt.js';
import type { Forge } from './forge.js';

const needs = ({ hasToken }: RequestKind): boolean => hasToken;

/** What is wrong with the token, or with who uses it. */
export const onTokens: readonly Attempt[] = [
  {
    name: 'a token not covered',
    code: 'credential_uncovered',
    needs,
    make: (forge) => forge.signed({ uncovered: ['authorization'] }),
  },
  {
    name: 'a token stolen by another agent',
    code: 'token_not_bound_to_agent',
    needs,
    make: (forge, _send, { accomplice }) => forge.signed({ key: accomplice().key }),
  },
  minted('an expired token', 'token_expired', ({ now }) => ({ now: now - 7200 })),
  minted('a token of the future', 'token_expired', ({ now }) => ({ now: now + 600 })),
  minted('a token that lives for a day', 'token_invalid', () => ({ lifetimeSeconds: 86_400 })),
  minted('a token for another API', 'token_audience_mismatch', () => ({ audience: 'https://elsewhere.test' })),
  minted('a token signed by a stranger', 'token_invalid', () => ({ key: strangeKey() })),
  minted('a token of an unknown issuer', 'token_issuer_unknown', () => ({ issuer: 'https://stranger.test' })),
  minted('a token for another agent', 'token_not_bound_to_agent', () => ({ agent: 'somebody-else' })),
  minted('a token for another key', 'token_not_bound_to_agent', () => ({
    agentKeyThumbprint: generateAgentKey().keyId,
  })),
  rewritten('more scope written into the token', 'token_invalid', ({ scope }) => ({
    scope: `${String(scope)} everything:all`,
  })),
  rewritten('another user written into the token', 'token_invalid', () => ({ sub: 'mallory' })),
  {
    name: 'a token without its signature',
    code: 'token_malformed',
    needs,
    make: (forge) => retold(forge, ([header, payload]) => `${header}.${payload}.`),
  },
  {
    name: 'a token that says it needs no signature',
    code: 'token_malformed',
    needs,
    make: (forge) => retold(forge, ([, payload]) => `${encoded({ typ: 'at+jwt', alg: 'none' })}.${payload}.`),
  },
  {
    name: 'a token signed with a guessed secret',
    code: 'token_invalid',
    needs,
    make: (forge) =>
      retold(forge, ([, payload]) => {
        const input = `${encoded({ typ: 'at+jwt', alg: 'HS256' })}.${payload}`;
        return `${input}.${createHmac('sha256', 'secret').update(input).digest('base64url')}`;
      }),
  },
  {
    name: 'a token of another type',
    code: 'token_invalid',
    needs,
    make: (forge) =>
      retold(forge, ([, payload, signature]) => `${encoded({ typ: 'JWT', alg: 'EdDSA' })}.${payload}.${signature}`),
  },
  {
    name: 'a revoked token',
    code: 'delegation_revoked',
    needs,
    make: async (forge, _send, { guard }) => {
      const id = randomUUID();
      guard.revocations.revoke({ delegation: id, issuer: forge.world.issuer.issuer });
      return await forge.withToken(forge.mint(tokenOf(forge), { id }));
    },
  },
];

/** Which the agents may be that send the request, whatever they hold. */
export const onAgents: readonly Attempt[] = [
  {
    name: 'a suspended agent',
    code: 'agent_suspended',
    make: async (forge, _send, { accomplice, registry }) => {
      const { id, key } = accomplice();
      registry.suspend(id);
      return await forge.signed({ key });
    },
  },
  {
    name: 'an agent that was taken out',
    code: 'signature_invalid',
    make: async (forge, _send, { accomplice, registry }) => {
      const { id, key } = accomplice();
      registry.remove(id);
      return await forge.signed({ key });
    },
  },
];

function minted(
  name: string,
  code: Attempt['code'],
  change: (forge: Forge) => Partial<MintDelegationOptions>,
): Attempt {
  return { name, code, needs, make: (forge) => forge.withToken(forge.mint(tokenOf(forge), change(forge))) };
}

/** Other claims under the signature of the issuer. */
function rewritten(
  name: string,
  code: Attempt['code'],
  change: (claims: Readonly<Record<string, unknown>>) => object,
): Attempt {
  return {
    name,
    code,
    needs,
    make: (forge) =>
      retold(forge, ([header, payload, signature]) => {
        const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>;
        return `${header}.${encoded({ ...claims, ...change(claims) })}.${signature}`;
      }),
  };
}

type Jws = readonly [header: string, payload: string, signature: string];

async function retold(forge: Forge, write: (parts: Jws) => string): ReturnType<Attempt['make']> {
  const parts = (await tokenOf(forge).text).split('.') as unknown as Jws;
  return await forge.withToken(write(parts));
}

export function tokenOf({ by }: Forge): HeldToken {
  if (by.token === undefined) throw new TypeError('attacks: the caller holds no token');
  return by.token;
}

function encoded(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
