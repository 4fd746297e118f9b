import { createHmac, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startAuthority } from '../support/authority.js';
import { type AgentKey, assertion, newKey, post, type TokenAnswer } from '../support/client.js';

const grant = { grant_type: 'client_credentials' };
const now = () => Math.floor(Date.now() / 1000);

async function withAgents() {
  const running = await startAuthority();
  const [key, other] = [newKey(), newKey()];
  await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
  await running.authority.agents.add({ id: 'agent-b', jwk: other.jwk, capabilities: ['repo:read'] });
  return { running, key, other };
}

/** An assertion of any header and claims; undefined removes one. */
function rawAssertion(
  issuer: string,
  header: object,
  claims: object,
  makeSignature: (input: Buffer) => Uint8Array,
): string {
  const all = { iss: 'agent-a', sub: 'agent-a', aud: issuer, iat: now(), exp: now() + 60, jti: randomUUID() };
  const encoded = [header, { ...all, ...claims }].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const input = encoded.join('.');
  return `${input}.${Buffer.from(makeSignature(Buffer.from(input))).toString('base64url')}`;
}

const byKey =
  ({ privateKey }: AgentKey) =>
  (input: Buffer) =>
    sign(null, input, privateKey);

describe('private_key_jwt', () => {
  it.each<[string, object]>([
    ['without exp', { exp: undefined }],
    ['whose exp is a text', { exp: '9999999999' }],
    ['of six minutes', { exp: now() + 360 }],
    ['that is not valid yet', { nbf: now() + 600 }],
    ['without jti', { jti: undefined }],
    ['for no audience', { aud: undefined }],
    ['for an empty list of audiences', { aud: [] }],
    ['of one agent about another', { sub: 'agent-b' }],
    ['without sub', { sub: undefined }],
  ])('refuses an assertion %s [B4, B5, B6, B7]', async (_, claims) => {
    const { running, key } = await withAgents();
    const made = rawAssertion(running.issuer, { alg: 'EdDSA' }, claims, byKey(key));
    const response = await post(running, '/token', 'agent-a', key, grant, { assertion: made });
    expect(response.status).toBeGreaterThanOrEqual(400);
    expect(response.status).toBeLessThan(402);
    expect(((await response.json()) as TokenAnswer).access_token).toBeUndefined();
  });

  it('accepts the same assertion when nothing is wrong with it', async () => {
    const { running, key } = await withAgents();
    const made = rawAssertion(running.issuer, { alg: 'EdDSA' }, {}, byKey(key));
    expect((await post(running, '/token', 'agent-a', key, grant, { assertion: made })).status).toBe(200);
  });

  it('lets no header choose the algorithm, the key or the rules [A8, B1, B2]', async () => {
    const { running, key } = await withAgents();
    const { issuer } = running;
    const thief = newKey();
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
    const secret = Buffer.from(key.jwk.x, 'base64url');
    const hmac = (input: Buffer) => createHmac('sha256', secret).update(input).digest();
    for (const [index, made] of [
      rawAssertion(issuer, { alg: 'none' }, {}, () => Buffer.alloc(0)),
      rawAssertion(issuer, { alg: 'HS256' }, {}, hmac),
      rawAssertion(issuer, { alg: 'RS256' }, {}, (input) => sign('sha256', input, rsa)),
      rawAssertion(issuer, { alg: 'EdDSA', jwk: thief.jwk }, {}, byKey(thief)),
      rawAssertion(issuer, { alg: 'EdDSA', jku: `${issuer}/evil` }, {}, byKey(thief)),
      rawAssertion(issuer, { alg: 'EdDSA', kid: thief.thumbprint }, {}, byKey(thief)),
      rawAssertion(issuer, { alg: 'EdDSA', crit: ['b64'], b64: false }, {}, byKey(key)),
      rawAssertion(issuer, { alg: 'EdDSA', crit: ['exp'], exp: 1 }, {}, byKey(key)),
    ].entries()) {
      const response = await post(running, '/token', 'agent-a', key, grant, { assertion: made });
      const { error } = (await response.json()) as TokenAnswer;
      expect([index, response.status, error]).toEqual([index, 401, 'invalid_client']);
    }
  });

  it('refuses the assertion of an agent under the name of another, and every other way to authenticate [A11]', async () => {
    const { running, key, other } = await withAgents();
    const { issuer } = running;
    const send = async (parameters: Record<string, string>, headers: Record<string, string> = {}) =>
      (
        await fetch(`${issuer}/token`, {
          method: 'POST',
          headers,
          body: new URLSearchParams({ ...grant, ...parameters }),
        })
      ).status;
    const type = { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer' };
    const ofB = await assertion(issuer, 'agent-b', other);
    expect(await send({ client_id: 'agent-a', client_assertion: ofB, ...type })).toBe(400);
    const ofA = await assertion(issuer, 'agent-a', key);
    expect(await send({ client_id: 'agent-a', client_assertion: ofA })).toBe(400);
    const basic = `Basic ${Buffer.from('agent-a:x').toString('base64')}`;
    expect(await send({}, { authorization: basic })).toBe(401);
    expect(await send({ client_id: 'agent-a' })).toBe(401);
    expect(await send({ client_id: 'agent-a', client_assertion: ofA, ...type })).toBe(200);
  });

  it('takes no assertion that was made for another authority [O5, B5]', async () => {
    const [one, two] = [await withAgents(), await startAuthority()];
    await two.authority.agents.add({ id: 'agent-a', jwk: one.key.jwk, capabilities: ['repo:read'] });
    const forOne = await assertion(one.running.issuer, 'agent-a', one.key);
    expect((await post(two, '/token', 'agent-a', one.key, grant, { assertion: forOne })).status).toBe(401);
    expect((await post(one.running, '/token', 'agent-a', one.key, grant, { assertion: forOne })).status).toBe(200);
  });
});
