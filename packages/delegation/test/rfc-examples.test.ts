import { describe, expect, it } from 'vitest';
import { type DelegationClaims, readClaims } from '../src/claims.js';
import { delegatedChain } from '../src/delegated-chain.js';
import { checkAudience, checkTimes } from '../src/validity.js';
import { AGENT, OTHER_THUMBPRINT, readVectors } from './support.js';

interface Token {
  readonly jwt: string;
}

interface Rfc8693 {
  readonly sec2_3: { readonly response: { readonly access_token: Token } };
  readonly sec4_1_act: object;
  readonly sec4_1_nested_act: {
    readonly claims: object;
    readonly currentActor: string;
    readonly priorActors: readonly string[];
  };
  readonly sec4_4_may_act: object;
  readonly appendixA_1_impersonation: {
    readonly request: { readonly subject_token: Token };
    readonly response: { readonly access_token: Token };
  };
  readonly appendixA_2_delegation: {
    readonly request: { readonly subject_token: Token; readonly actor_token: Token };
    readonly response: { readonly access_token: Token };
  };
}

const rfc8693 = readVectors('rfc8693/rfc8693-examples.json') as Rfc8693 | undefined;
const rfc9068 = readVectors('rfc9068/rfc9068-example.json') as { readonly claims: object } | undefined;

const payloadOf = ({ jwt }: Token): unknown =>
  JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString('utf8'));

function read(payload: unknown): DelegationClaims {
  const result = readClaims(payload);
  if (!result.ok) throw new Error(`not readable: ${result.code}`);
  return result.claims;
}

/** The ids of the agent's chain, or the refusal code. */
function chainFor(agent: string, payload: unknown): string | readonly string[] {
  const result = delegatedChain({
    root: { token: read(payload), tokenHash: OTHER_THUMBPRINT },
    links: [],
    actor: { ...AGENT, id: agent },
    maxDepth: 5,
  });
  return result.ok ? result.chain.map((hop) => hop.id) : result.code;
}

if (rfc8693 !== undefined) {
  describe('the examples of RFC 8693', () => {
    const { appendixA_1_impersonation: a1, appendixA_2_delegation: a2 } = rfc8693;

    it('§2.3: an exchanged token without an actor is not a delegation to anybody', () => {
      const payload = payloadOf(rfc8693.sec2_3.response.access_token);
      expect(read(payload)).toEqual({
        issuer: 'https://as.example.com',
        subject: 'bdc@example.com',
        audience: ['https://backend.example.com'],
        issuedAt: 1441917533,
        expiresAt: 1441917593,
        scope: ['api'],
        priorActors: [],
      });
      expect(chainFor('service', payload)).toBe('actor_missing');
      const options = { clockSkewSeconds: 0, maxLifetimeSeconds: 60 };
      expect(checkTimes(read(payload), { ...options, now: 1441917592 })).toBeUndefined();
      expect(checkTimes(read(payload), { ...options, now: 1441917593 })?.code).toBe('token_expired');
      expect(checkAudience(read(payload), ['https://backend.example.com'])).toBeUndefined();
      expect(checkAudience(read(payload), ['https://backend.example.com/api'])?.code).toBe('audience_mismatch');
    });

    it('§4.1: act names the actor; without a scope it gives nothing', () => {
      expect(read(rfc8693.sec4_1_act)).toMatchObject({ actor: { subject: 'admin@example.com' }, scope: [] });
      expect(chainFor('admin@example.com', rfc8693.sec4_1_act)).toEqual(['user@example.com', 'admin@example.com']);
      expect(chainFor('user@example.com', rfc8693.sec4_1_act)).toBe('actor_mismatch');
    });

    it('§4.1: C4 those nested in act are history: they cannot use the token', () => {
      const { claims, currentActor, priorActors } = rfc8693.sec4_1_nested_act;
      expect(read(claims).priorActors.map((actor) => actor.subject)).toEqual(priorActors);
      expect(chainFor(currentActor, claims)).toEqual(['user@example.com', ...priorActors, currentActor]);
      for (const prior of priorActors) expect(chainFor(prior, claims)).toBe('actor_mismatch');
    });

    it('§4.4: C3 may_act makes nobody an actor', () => {
      expect(read(rfc8693.sec4_4_may_act).actor).toBeUndefined();
      expect(chainFor('admin@example.com', rfc8693.sec4_4_may_act)).toBe('actor_missing');
    });

    it('A.1: impersonation is not delegation: no agent can use its tokens', () => {
      expect(read(payloadOf(a1.request.subject_token)).scope).toEqual(['orders', 'profile', 'history']);
      expect(chainFor('service', payloadOf(a1.request.subject_token))).toBe('actor_missing');
      expect(chainFor('service', payloadOf(a1.response.access_token))).toBe('actor_missing');
    });

    it('A.2: C9 only the exchanged token is a delegation, and only for its actor', () => {
      expect(chainFor('admin@example.net', payloadOf(a2.request.subject_token))).toBe('actor_missing');
      expect(chainFor('admin@example.net', payloadOf(a2.request.actor_token))).toEqual(['admin@example.net']);
      const payload = payloadOf(a2.response.access_token);
      expect(chainFor('admin@example.net', payload)).toEqual(['user@example.net', 'admin@example.net']);
      expect(chainFor('mallory@example.net', payload)).toBe('actor_mismatch');
      expect(read(payload).scope).toEqual(['status', 'feed']);
    });
  });
}

if (rfc9068 !== undefined) {
  it('the example of RFC 9068 is readable, but lives for 245 days', () => {
    const claims = read(rfc9068.claims);
    expect(claims).toEqual({
      issuer: 'https://authorization-server.example.com/',
      subject: '5ba552d67',
      audience: ['https://rs.example.com/'],
      expiresAt: 1639528912,
      issuedAt: 1618354090,
      id: 'dbe39bf3a3ba4238a513f51d6e1691c4',
      clientId: 's6BhdRkqt3',
      scope: ['openid', 'profile', 'reademail'],
      priorActors: [],
    });
    const options = { now: 1618354090, clockSkewSeconds: 0 };
    expect(checkTimes(claims, { ...options, maxLifetimeSeconds: 86_400 })?.code).toBe('token_lifetime_too_long');
    expect(checkTimes(claims, { ...options, maxLifetimeSeconds: 1639528912 - 1618354090 })).toBeUndefined();
    expect(checkAudience(claims, ['https://rs.example.com'])?.code).toBe('audience_mismatch');
  });
}

if (rfc8693 === undefined && rfc9068 === undefined) it('has no vectors to read here', () => undefined);
