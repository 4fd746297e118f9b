import { once } from 'node:events';
import { request } from 'node:http';
import { audienceForKey } from '@countersign/spiffe';
import { describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { trustDomain } from '../../../../test/support/trust-domain.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { tokenExchange } from '../../src/tokens/client-agent.js';
import { api } from '../support/authority.js';
import { claimsOf, newKey, ownToken } from '../support/client.js';
import { keyProof, rules, startWithWorkloads, type WorkloadWorld } from '../support/workload.js';

const reviewer = 'spiffe://example.org/agent/reviewer';
const grant = { grant_type: 'client_credentials' };

async function refusal(response: Response): Promise<readonly [number, unknown]> {
  return [response.status, ((await response.json()) as { error?: unknown }).error];
}

const exchange = (subject: string) => ({
  grant_type: tokenExchange,
  subject_token: subject,
  subject_token_type: 'urn:ietf:params:oauth:token-type:access_token',
});

describe('a workload with a JWT-SVID', () => {
  it('gets a token for the key that it proved, without a registration', async () => {
    const world = await startWithWorkloads();
    const key = newKey();
    const token = await world.token('/agent/reviewer', {}, { key });
    expect(token).toMatchObject({ token_type: 'DPoP', scope: 'pr:write repo:read' });
    expect(claimsOf(token.access_token)).toMatchObject({
      iss: world.running.issuer,
      sub: reviewer,
      client_id: reviewer,
      aud: api,
      cnf: { jkt: key.thumbprint, jwk: key.jwk },
    });
    const metadata = await fetch(`${world.running.issuer}/.well-known/openid-configuration`);
    expect(await metadata.json()).toMatchObject({
      token_endpoint_auth_methods_supported: ['private_key_jwt', 'spiffe_jwt'],
    });
  });

  it('has the capabilities of the first rule that names it, and narrows them', async () => {
    const world = await startWithWorkloads();
    expect(await world.token('/ci/build/7')).toMatchObject({ scope: 'repo:read' });
    expect(await world.token('/agent/reviewer', { scope: 'pr:write:draft' })).toMatchObject({
      scope: 'pr:write:draft',
    });
    expect(await world.token('/ci/build', { scope: 'pr:write' })).toMatchObject({ error: 'invalid_scope' });
    expect(await world.token('/ci/build', { resource: 'https://no.acme.dev' })).toMatchObject({
      error: 'invalid_target',
    });
    expect(await world.running.authority.agents.get('spiffe://example.org/ci/build/7')).toMatchObject({
      owner: 'team:ci',
      workload: true,
      keys: [],
    });
  });

  it('gets a token that never outlives its JWT-SVID, also one that ends within a second', async () => {
    const world = await startWithWorkloads();
    for (const fraction of [0, 0.5]) {
      const exp = Math.floor(Date.now() / 1000) + 40;
      const claims = { exp: exp + fraction };
      const svid = world.domain.jwtSvid('/agent/reviewer', world.running.issuer, { claims });
      const token = await world.token('/agent/reviewer', {}, { svid });
      expect(claimsOf(token.access_token).exp).toBe(exp);
    }
  });

  it('has no facts but those of its rule, whatever an administrator writes', async () => {
    const world = await startWithWorkloads();
    await world.token('/agent/reviewer');
    const { agents } = world.running.authority;
    await expect(agents.update(reviewer, { capabilities: ['repo:read'] })).rejects.toMatchObject({
      code: 'agent_invalid',
    });
    expect(await agents.get(reviewer)).toMatchObject({ capabilities: expect.arrayContaining(['pr:write']) });
  });

  it('may send the same JWT-SVID twice, because SPIRE gives the same one out twice; never the same proof [Q2]', async () => {
    const world = await startWithWorkloads();
    const svid = world.domain.jwtSvid('/agent/reviewer', world.running.issuer);
    const key = newKey();
    const dpop = keyProof(`${world.running.issuer}/token`, key);
    expect((await world.post('', grant, { svid, headers: { dpop } })).status).toBe(200);
    expect((await world.post('', grant, { svid, key })).status).toBe(200);
    expect(await refusal(await world.post('', grant, { svid, headers: { dpop } }))).toEqual([
      400,
      'invalid_dpop_proof',
    ]);
  });

  it('is refused with a JWT-SVID that came with another key before, whatever the spelling of its signature [Q2]', async () => {
    const world = await startWithWorkloads();
    const svid = world.domain.jwtSvid('/agent/reviewer', world.running.issuer);
    const key = newKey();
    expect((await world.post('', grant, { svid, key })).status).toBe(200);
    // ECDSA: (r, n - s) verifies as (r, s) does.
    const [head, body, mac = Buffer.alloc(0)] = svid.split('.').map((part) => Buffer.from(part, 'base64url'));
    const order = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n;
    const s = order - BigInt(`0x${mac.toString('hex').slice(64)}`);
    const flipped = Buffer.concat([mac.subarray(0, 32), Buffer.from(s.toString(16).padStart(64, '0'), 'hex')]);
    const other = [head, body, flipped].map((part) => part?.toString('base64url')).join('.');
    for (const stolen of [svid, other]) {
      expect(await refusal(await world.post('', grant, { svid: stolen, key: newKey() }))).toEqual([
        401,
        'invalid_client',
      ]);
    }
    expect((await world.post('', grant, { svid: other, key })).status).toBe(200);
  });

  it('is refused with a JWT-SVID whose audience names another key, also one that was never used [Q2]', async () => {
    const world = await startWithWorkloads();
    const key = newKey();
    const audience = audienceForKey(world.running.issuer, key.thumbprint);
    const svid = world.domain.jwtSvid('/agent/reviewer', audience);
    expect(await refusal(await world.post('', grant, { svid, key: newKey() }))).toEqual([401, 'invalid_client']);
    for (let time = 0; time < 2; time += 1) expect((await world.post('', grant, { svid, key })).status).toBe(200);
    const elsewhere = world.domain.jwtSvid('/agent/reviewer', audienceForKey('https://other.acme.dev', key.thumbprint));
    expect(await refusal(await world.post('', grant, { svid: elsewhere, key }))).toEqual([401, 'invalid_client']);
  });

  it.each<readonly [string, (world: WorkloadWorld) => string]>([
    ['of a workload that no rule names', ({ domain, running }) => domain.jwtSvid('/other', running.issuer)],
    [
      'of a trust domain that is not trusted',
      ({ running }) => trustDomain('evil.org').jwtSvid('/agent/reviewer', running.issuer),
    ],
    [
      'that another domain signed with our ID [Q1]',
      ({ running }) => trustDomain().jwtSvid('/agent/reviewer', running.issuer),
    ],
    ['for another server [Q1]', ({ domain }) => domain.jwtSvid('/agent/reviewer', 'https://other.acme.dev')],
    [
      'for several servers [Q1]',
      ({ domain, running }) =>
        domain.jwtSvid('/agent/reviewer', '', { claims: { aud: [running.issuer, 'https://other.acme.dev'] } }),
    ],
    [
      'that has expired [Q1]',
      ({ domain, running }) => domain.jwtSvid('/agent/reviewer', running.issuer, { claims: { exp: 1_700_000_000 } }),
    ],
    [
      'whose ID is longer than names here',
      ({ domain, running }) => domain.jwtSvid(`/ci/${'a'.repeat(250)}`, running.issuer),
    ],
    ['that is no JWT [A16]', () => 'x'],
    ['that is absent', () => ''],
  ])('is refused with one %s', async (_what, svidOf) => {
    const world = await startWithWorkloads();
    expect(await refusal(await world.post('', grant, { svid: svidOf(world) }))).toEqual([401, 'invalid_client']);
    expect(await world.running.authority.agents.list()).toEqual([]);
  });

  it('is refused without a proof of its key, or with a bad one [Q2]', async () => {
    const world = await startWithWorkloads();
    const { issuer } = world.running;
    const key = newKey();
    const proofs = [
      '',
      'x',
      keyProof(`${issuer}/token`, key, { claims: { htu: `${issuer}/approval` } }),
      keyProof(`${issuer}/token`, key, { claims: { htm: 'GET' } }),
      keyProof(`${issuer}/token`, key, { claims: { iat: Math.floor(Date.now() / 1000) - 120 } }),
      keyProof(`${issuer}/token`, key, { claims: { iat: undefined } }),
      keyProof(`${issuer}/token`, key, { claims: { jti: undefined } }),
      keyProof(`${issuer}/token`, key, { header: { typ: 'JWT' } }),
      keyProof(`${issuer}/token`, key, { header: { jwk: newKey().jwk } }),
      // The neutral element: every signature of it verifies.
      keyProof(`${issuer}/token`, key, {
        header: { jwk: { ...key.jwk, x: Buffer.from([1, ...Array<number>(31).fill(0)]).toString('base64url') } },
      }),
    ];
    for (const dpop of proofs) {
      const response = await world.post('/agent/reviewer', grant, { headers: { dpop } });
      expect([dpop, ...(await refusal(response))]).toEqual([dpop, 400, 'invalid_dpop_proof']);
    }
  });

  it('is refused with the key of a registered agent [Q3]', async () => {
    const world = await startWithWorkloads();
    const key = newKey();
    await world.running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    expect(await refusal(await world.post('/agent/reviewer', grant, { key }))).toEqual([401, 'invalid_client']);
  });

  it('cannot claim the name of an agent with registered keys, nor be registered later [Q3]', async () => {
    const world = await startWithWorkloads();
    const { agents } = world.running.authority;
    await agents.add({ id: reviewer, jwk: newKey().jwk, capabilities: ['repo:read'] });
    expect(await refusal(await world.post('/agent/reviewer', grant))).toEqual([401, 'invalid_client']);
    await world.token('/ci/a');
    const id = 'spiffe://example.org/ci/a';
    await expect(agents.add({ id, jwk: newKey().jwk })).rejects.toMatchObject({ code: 'agent_exists' });
    await expect(agents.addKey(id, { jwk: newKey().jwk })).rejects.toMatchObject({ code: 'agent_invalid' });
  });

  it.each(['suspended', 'revoked'] as const)(
    'gets no token once it is %s, and its tokens are revoked [C7]',
    async (status) => {
      const world = await startWithWorkloads();
      const { agents } = world.running.authority;
      const ledger = createLedger(world.running.store, () => Math.floor(Date.now() / 1000));
      const token = await world.token('/agent/reviewer');
      const id = String(claimsOf(token.access_token).jti);
      expect(await ledger.find(id)).toBeDefined();
      await agents.setStatus(reviewer, status);
      expect(await refusal(await world.post('/agent/reviewer', grant))).toEqual([401, 'invalid_client']);
      expect(await ledger.find(id)).toBeUndefined();
    },
  );

  it('is in the published directory only while it may not act', async () => {
    const world = await startWithWorkloads();
    const published = async () => {
      const text = await (await fetch(`${world.running.issuer}/agents.jwt`)).text();
      return claimsOf(text)['agents'];
    };
    await world.token('/agent/reviewer');
    expect(await published()).toEqual([]);
    await world.running.authority.agents.setStatus(reviewer, 'suspended');
    expect(await published()).toMatchObject([{ agent_id: reviewer, status: 'suspended', keys: [] }]);
    await world.running.authority.agents.setStatus(reviewer, 'active');
    expect(await published()).toEqual([]);
  });

  it('acts for users and for workloads by rules of exchange', async () => {
    const world = await startWithWorkloads({
      exchange: [
        { tag: 'reviewers', from: ['spiffe://example.org/ci/a'] },
        { agents: ['spiffe://example.org/ci/a'], from: ['agent-a'] },
      ],
    });
    const key = newKey();
    await world.running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    const first = await ownToken(world.running, 'agent-a', key);
    const second = await world.token('/ci/a', exchange(first.access_token));
    const third = await world.token('/agent/reviewer', exchange(second.access_token));
    expect(claimsOf(third.access_token)).toMatchObject({
      sub: 'agent-a',
      act: { sub: reviewer, act: { sub: 'spiffe://example.org/ci/a' } },
      client_id: reviewer,
      scope: 'repo:read',
    });
    expect(await world.token('/ci/b', exchange(first.access_token))).toMatchObject({ error: 'invalid_grant' });
  });

  it('is refused with parameters that say two things, and other grants', async () => {
    const world = await startWithWorkloads();
    expect(await refusal(await world.post('/ci/a', grant, { parameters: { client_id: reviewer } }))).toEqual([
      401,
      'invalid_client',
    ]);
    expect(await refusal(await world.post('/ci/a', { grant_type: 'refresh_token' }))).toEqual([
      400,
      'unsupported_grant_type',
    ]);
    const { issuer } = world.running;
    const twice = `grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion_type=${encodeURIComponent('urn:ietf:params:oauth:client-assertion-type:jwt-spiffe')}`;
    const response = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: twice,
    });
    expect(await refusal(response)).toEqual([400, 'invalid_request']);
  });

  it('leaves registered agents as they were, whatever the length of their body', async () => {
    const world = await startWithWorkloads();
    const { issuer } = world.running;
    const key = newKey();
    await world.running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    expect(await ownToken(world.running, 'agent-a', key)).toMatchObject({ token_type: 'Bearer', scope: 'repo:read' });
    const large = await fetch(`${issuer}/token`, {
      method: 'POST',
      body: new URLSearchParams({ a: 'x'.repeat(60_000) }),
    });
    expect(large.status).toBe(413);
    const json = await fetch(`${issuer}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{}',
    });
    expect(await refusal(json)).toEqual([400, 'invalid_request']);
    // A client that goes away in the middle of its body harms nobody.
    const cut = request(`${issuer}/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded', 'content-length': '100' },
    });
    cut.on('error', () => {});
    cut.write('grant_type=');
    await once(world.running.server, 'request');
    cut.destroy();
    await vi.waitFor(
      async () => expect(await ownToken(world.running, 'agent-a', key)).toHaveProperty('scope'),
      patiently,
    );
  });

  it('is answered 503 while the bundle of its domain cannot be had [A14]', async () => {
    const troubles: string[] = [];
    const world = await startWithWorkloads({
      spiffe: { trustDomains: { 'example.org': { url: 'http://127.0.0.1:1/' } }, workloads: rules },
      onTrouble: (message) => troubles.push(message),
    });
    expect(await refusal(await world.post('/agent/reviewer', grant))).toEqual([503, 'temporarily_unavailable']);
    expect(troubles.join()).toContain('the bundle of example.org');
  });
});
