import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agentsFromObjects } from '../../../src/keys/agents-from-objects.js';
import type { Agent, AgentDirectory } from '../../../src/keys/directory.js';
import { gateLink } from '../../../src/stages/chain/link-gate.js';
import { createLinkVerifier } from '../../../src/stages/chain/links.js';
import type { VerifiedToken } from '../../../src/stages/token/token-verifier.js';
import { keyPair, type TestKeyPair } from './link-keys.js';

const now = 1_800_000_000;
const audience = 'https://api.example';
const a = keyPair();
const b = keyPair();
const registered = agentsFromObjects([{ id: 'agent-a', jwk: a.jwk, capabilities: ['repo:read'] }]);

const encode = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64url');

function link(change: object = {}, header: object = {}, by: TestKeyPair = a): string {
  const head = { typ: 'delegation+jwt', alg: 'EdDSA', kid: a.thumbprint, ...header };
  const claims = {
    iss: 'agent-a',
    sub: 'agent-b',
    aud: audience,
    scope: 'repo:read',
    jti: 'j1',
    iat: now,
    exp: now + 60,
  };
  const input = `${encode(head)}.${encode({ ...claims, ...change })}`;
  return `${input}.${sign(null, Buffer.from(input), by.privateKey).toString('base64url')}`;
}

function verifier(agents: AgentDirectory = registered) {
  return createLinkVerifier({ agents, clockSkewSeconds: 5, maxLifetimeSeconds: 3600 });
}

async function codeOf(text: string, at: number = now, links = verifier()): Promise<string> {
  const verified = await links.verify([text], { token: undefined, audiences: [audience], now: at });
  return 'code' in verified ? verified.code : 'ok';
}

/** What is in use, not what is merely not collected yet. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc')();
  return process.memoryUsage().heapUsed;
}

/** One agent with one key, which a test can change. */
class OneAgent implements AgentDirectory {
  agent: Agent = { id: 'agent-a', capabilities: [], roles: [], status: 'active' };
  publicKey: KeyObject = a.publicKey;
  expires = now + 1000;
  asked = 0;

  findByThumbprint(thumbprint: string) {
    this.asked++;
    if (thumbprint !== a.thumbprint) return { kind: 'unknown' } as const;
    return {
      kind: 'found',
      agent: this.agent,
      key: { thumbprint, publicKey: this.publicKey, expires: this.expires },
    } as const;
  }

  statusOf = () => this.agent.status;
}

describe('a link', () => {
  it.each(['EdDSA', 'Ed25519'])('is accepted when a registered key signed it with %s', async (alg) => {
    const text = link({}, { alg });
    expect(await verifier().verify([text], { token: undefined, audiences: [audience], now })).toMatchObject([
      {
        claims: { issuer: 'agent-a', subject: 'agent-b', scope: ['repo:read'], id: 'j1' },
        hash: createHash('sha256').update(text).digest('base64url'),
        delegator: { agent: { id: 'agent-a' }, thumbprint: a.thumbprint, vouchedBy: 'directory' },
      },
    ]);
  });

  it('need not be present', async () => {
    expect(await verifier().verify([], { token: undefined, audiences: [audience], now })).toEqual([]);
  });

  it.each<[string, string, string]>([
    ['signed by another key', link({}, {}, b), 'delegation_invalid'],
    ['signed by an unknown key', link({}, { kid: b.thumbprint }, b), 'delegation_invalid'],
    ['for another audience', link({ aud: 'https://other.example' }), 'delegation_audience_mismatch'],
    ['that is valid for a day', link({ exp: now + 86_400 }), 'delegation_invalid'],
    ['that has expired', link({ iat: now - 60, exp: now - 6 }), 'delegation_expired'],
    ['issued in the future', link({ iat: now + 6 }), 'delegation_expired'],
    ['with an unknown claim', link({ nbf: now }), 'delegation_malformed'],
  ])('%s is refused', async (_, text, code) => {
    expect(await codeOf(text)).toBe(code);
  });

  it('is refused when its signature is truncated, extended or has a non-canonical S [A15]', async () => {
    const [header, payload, signature = ''] = link().split('.');
    const bytes = Buffer.from(signature, 'base64url');
    // RFC 8032 §5.1.7: S + L verifies where only the equation is looked at.
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32).toReversed()).toString('hex')}`) + order;
    const malleable = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed();
    for (const other of [
      bytes.subarray(0, 63),
      Buffer.concat([bytes, Buffer.alloc(1)]),
      Buffer.concat([bytes.subarray(0, 32), malleable]),
      Buffer.alloc(64),
    ]) {
      expect(await codeOf([header, payload, other.toString('base64url')].join('.'))).toBe('delegation_invalid');
    }
  });

  it.each([
    ['RSA', generateKeyPairSync('rsa', { modulusLength: 2048 })],
    ['P-256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
    ['Ed448', generateKeyPairSync('ed448')],
  ])('is refused when it verifies with a key of type %s from the directory [B1]', async (_type, pair) => {
    const agents = new OneAgent();
    agents.publicKey = pair.publicKey;
    expect(await codeOf(link({}, {}, { ...a, privateKey: pair.privateKey }), now, verifier(agents))).toBe(
      'delegation_invalid',
    );
  });

  it('is refused for its signature first, so that a forger learns nothing about its claims', async () => {
    expect(await codeOf(link({ nbf: now }, {}, b))).toBe('delegation_invalid');
  });

  it('refuses the chain when it is not genuine, before later links are read', async () => {
    const verified = await verifier().verify([link(), link({}, {}, b), 'x'], {
      token: undefined,
      audiences: [audience],
      now,
    });
    expect(verified).toMatchObject({ code: 'delegation_invalid' });
  });
});

describe('a key that the issuer of the token vouches for [A11]', () => {
  const claims = { confirmation: { jkt: b.thumbprint, jwk: b.jwk }, actor: { subject: 'agent-guest' }, scope: [] };
  const token = { claims, namespace: 'partner:', hash: 'x', issuer: {} } as unknown as VerifiedToken;
  const guests = link({ iss: 'agent-guest' }, { kid: b.thumbprint }, b);

  it("verifies the first link, under the name in the issuer's namespace", async () => {
    expect(await verifier().verify([guests], { token, audiences: [audience], now })).toMatchObject([
      { claims: { issuer: 'partner:agent-guest' }, delegator: { vouchedBy: 'issuer' } },
    ]);
  });

  it('verifies no other link, and none without the token', async () => {
    const links = verifier();
    expect(await links.verify([link(), guests], { token, audiences: [audience], now })).toMatchObject({
      code: 'delegation_invalid',
    });
    expect(await links.verify([guests], { token: undefined, audiences: [audience], now })).toMatchObject({
      code: 'delegation_invalid',
    });
  });
});

describe('a link that was verified before [C7]', () => {
  it('is checked again each time for agent, key and time', async () => {
    const agents = new OneAgent();
    const links = verifier(agents);
    const text = link();
    expect(await codeOf(text, now, links)).toBe('ok');
    expect(await codeOf(text, now, links)).toBe('ok');
    expect(agents.asked).toBe(2);
    agents.agent = { ...agents.agent, status: 'suspended' };
    expect(await codeOf(text, now, links)).toBe('delegation_revoked');
    agents.agent = { ...agents.agent, status: 'active' };
    expect(await codeOf(text, now + 65, links)).toBe('delegation_expired');
    agents.expires = now;
    expect(await codeOf(text, now, links)).toBe('delegation_invalid');
    agents.expires = now + 1000;
    expect(await codeOf(text, now, links)).toBe('ok');
  });

  it('is cached within a bound of memory, so that large links evict each other only [A16]', async () => {
    const links = verifier();
    const fat = { authorization_details: [{ type: 'Repo', other: Array.from({ length: 990 }, () => ({})) }] };
    const before = heapUsed();
    for (let count = 0; count < 800; count++) {
      expect(await codeOf(link({ ...fat, jti: `j${count}` }), now, links)).toBe('ok');
    }
    // All of them take more than 50 MB.
    expect(heapUsed() - before).toBeLessThan(35_000_000);
    expect(await codeOf(link(), now, links)).toBe('ok');
  });

  it('is refused when the directory returns another key for its thumbprint', async () => {
    const agents = new OneAgent();
    const links = verifier(agents);
    const text = link();
    expect(await codeOf(text, now, links)).toBe('ok');
    agents.publicKey = b.publicKey;
    expect(await codeOf(text, now, links)).toBe('delegation_invalid');
    agents.publicKey = a.publicKey;
    expect(await codeOf(text, now, links)).toBe('ok');
  });

  it('is refused as our outage when the directory fails', async () => {
    const agents = new OneAgent();
    const links = verifier(agents);
    expect(await codeOf(link(), now, links)).toBe('ok');
    agents.findByThumbprint = () => {
      throw new Error('the database is down');
    };
    expect(await codeOf(link(), now, links)).toBe('keys_unavailable');
  });
});

function withIssTwice(part: string): string {
  const text = Buffer.from(part, 'base64url').toString();
  return Buffer.from(text.replace('{', '{"iss":"x","iss":"y",')).toString('base64url');
}

describe('gateLink', () => {
  it.each<[string, object]>([
    ['an extra header member', { jku: 'https://evil.example' }],
    ['another typ', { typ: 'at+jwt' }],
    ['a typ with the application/ prefix', { typ: 'application/delegation+jwt' }],
    ['no kid', { kid: undefined }],
    ['a kid that is not a thumbprint', { kid: 'key-1' }],
    ['alg none', { alg: 'none' }],
    ['a list of algorithms', { alg: ['EdDSA'] }],
  ])('refuses %s [B2, B3]', (_, header) => {
    expect(gateLink(link({}, header))).toMatchObject({ ok: false });
  });

  it('refuses a duplicate member in the header and in the payload', () => {
    const [head = '', payload = '', signature = ''] = link().split('.');
    expect(gateLink(`${withIssTwice(head)}.${payload}.${signature}`)).toMatchObject({ ok: false });
    expect(gateLink(`${head}.${withIssTwice(payload)}.${signature}`)).toMatchObject({ ok: false });
  });

  it('never throws, and refuses any text', () => {
    const part = fc.oneof(
      fc.string({ maxLength: 40 }),
      fc.json({ maxDepth: 3 }).map((json) => Buffer.from(json).toString('base64url')),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 4 }), (parts) => {
        expect(gateLink(parts.join('.')).ok).toBe(false);
      }),
      { numRuns: 300 },
    );
  });
});
