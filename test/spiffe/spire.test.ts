import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type Agent, createServer as createSecureServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AgentPrivateKey, createAgent, generateAgentKey } from '@countersign/agent';
import { createAuthority, openSqlite } from '@countersign/authority';
import { agentsFromAuthority, agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller } from '@countersign/node-http';
import {
  agentsFromSpiffe,
  audienceForKey,
  fetchJwtSvid,
  openSpiffeWorkload,
  type SpiffeWorkload,
} from '@countersign/spiffe';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { startHost } from '../hosts/host.js';
import { hosts } from '../hosts/hosts.js';
import { loopback } from '../support/key-server.js';
import { findSpire, type Spire, startSpire } from '../support/spire.js';
import { worldConfig } from '../support/world.js';

const programs = findSpire();
const reviewer = 'spiffe://example.org/agent/reviewer';

/** A server whose listener is given later, because its address is needed first. */
async function serve(): Promise<{ readonly url: string; answer: RequestListener }> {
  const served = { url: '', answer: ((_request, response) => response.end()) as RequestListener };
  const server = createServer((request, response) => served.answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  served.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return served;
}

describe.skipIf(programs === undefined)('with a real SPIRE', () => {
  let spire: Spire;
  beforeAll(async () => {
    spire = await startSpire(programs ?? '');
    await spire.register('/agent/reviewer');
  }, 180_000);
  afterAll(() => spire.stop());

  /** An authority that has the bundle from the Workload API, and a guarded API that trusts it. */
  async function guarded() {
    const [ofAuthority, ofApi] = await Promise.all([serve(), serve()]);
    const [issuer, origin] = [ofAuthority.url, ofApi.url];
    const authority = await createAuthority({
      issuer,
      secret: 'secret-of-the-scenarios-0123456789-0123456789',
      store: await openSqlite(':memory:'),
      resources: [{ audience: 'https://api.acme.dev' }],
      spiffe: {
        trustDomains: { 'example.org': { socket: spire.socket } },
        workloads: [{ id: 'spiffe://example.org/agent/*', capabilities: ['repo:read'] }],
      },
    });
    onTestFinished(() => authority.close());
    ofAuthority.answer = authority.listener;
    const guard = await createGuard({
      origin,
      dangerouslyAllowHttpOrigin: true,
      agents: await agentsFromAuthority(issuer, loopback),
      issuers: [{ issuer, audience: 'https://api.acme.dev', ...loopback }],
      policy: await cedarFromText({ policies: 'permit (principal, action, resource);' }),
      audit: memoryAudit(),
    });
    onTestFinished(() => guard.close());
    const auth = agentAuth(guard, { everyRequest: true });
    ofApi.answer = async (request, response) => {
      if (await auth(request, response)) response.end(getCaller(request)?.actor.id);
    };
    return { origin, issuer };
  }

  it('a workload calls from nothing, and its SPIFFE ID is the actor', async () => {
    const { origin, issuer } = await guarded();
    const call = async (): Promise<number> => {
      const began = performance.now();
      const agent = await createAgent({ spiffe: { socket: spire.socket }, authority: issuer });
      const response = await agent.fetch(origin);
      expect([response.status, await response.text()]).toEqual([200, reviewer]);
      return performance.now() - began;
    };
    // The first signs again, because the API was started in the same second.
    await call();
    const times = [await call(), await call(), await call(), await call(), await call()].toSorted((a, b) => a - b);
    console.log(`with SPIRE: first calls of agents from nothing: ${times.map(Math.round).join(', ')} ms`);
  });

  it('a stolen JWT-SVID gets no token for another key [Q2]', async () => {
    const { issuer } = await guarded();
    const ask = async (token: string, key: AgentPrivateKey): Promise<unknown> => {
      const client_assertion_type = 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe';
      const form = { grant_type: 'client_credentials', client_assertion_type, client_assertion: token };
      const claims = { htm: 'POST', htu: `${issuer}/token`, iat: Math.floor(Date.now() / 1000), jti: randomUUID() };
      const input = [{ typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.publicJwk }, claims]
        .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.');
      const dpop = `${input}.${Buffer.from(key.sign(Buffer.from(input))).toString('base64url')}`;
      const body = new URLSearchParams(form);
      const response = await fetch(`${issuer}/token`, { method: 'POST', headers: { dpop }, body });
      return ((await response.json()) as { error?: unknown }).error;
    };
    const [own, thief] = [generateAgentKey(), generateAgentKey()];
    const bound = await fetchJwtSvid(spire.socket, { audience: audienceForKey(issuer, own.keyId) });
    expect([await ask(bound.token, thief), await ask(bound.token, own)]).toEqual(['invalid_client', undefined]);
    // SPIRE gives this one out twice.
    const plain = await fetchJwtSvid(spire.socket, { audience: issuer });
    expect((await fetchJwtSvid(spire.socket, { audience: issuer })).token).toBe(plain.token);
    expect([await ask(plain.token, own), await ask(plain.token, thief), await ask(plain.token, own)]).toEqual([
      undefined,
      'invalid_client',
      undefined,
    ]);
  });

  it('an agent calls on while its tokens and SVIDs are replaced', { timeout: 180_000 }, async () => {
    const { origin, issuer } = await guarded();
    const agent = await createAgent({ spiffe: { socket: spire.socket }, authority: issuer });
    const seen = new Set<string>();
    const fetching = await agent.withOwnToken();
    const failed: unknown[] = [];
    let calls = 0;
    for (let left = 100; left > 0; left -= seen.size > 1 ? 1 : 0) {
      const { headers } = await fetching.signRequest({ method: 'GET', url: origin });
      seen.add(String(headers['authorization']));
      const response = await fetching.fetch(origin);
      calls += 1;
      if (response.status !== 200) failed.push([response.status, await response.text()]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log(`with SPIRE: ${calls} calls with ${seen.size} tokens, ${failed.length} failed`);
    expect(failed).toEqual([]);
  });

  it('an agent survives SIGKILL of the SPIRE agent', { timeout: 120_000 }, async () => {
    const { origin, issuer } = await guarded();
    const agent = await createAgent({ spiffe: { socket: spire.socket }, authority: issuer });
    expect((await agent.fetch(origin)).status).toBe(200);
    await spire.killAgent();
    expect((await agent.fetch(origin)).status).toBe(200);
    await expect(createAgent({ spiffe: { socket: spire.socket }, authority: issuer })).rejects.toMatchObject({
      code: 'identity_unavailable',
    });
    await spire.startAgent();
    const back = await vi.waitFor(() => createAgent({ spiffe: { socket: spire.socket }, authority: issuer }), {
      interval: 100,
      timeout: 60_000,
    });
    expect((await back.fetch(origin)).status).toBe(200);
  });

  describe('with X.509-SVIDs', () => {
    // Here, because a workload with several IDs that asks for none gets any.
    beforeAll(() => spire.register('/api'), 60_000);

    it.each(
      hosts.flatMap((host) => [
        [host.name, host, false] as const,
        ...(host.http2 ? [[`${host.name} with HTTP/2`, host, true] as const] : []),
      ]),
    )('mTLS names a workload on %s', async (_name, host, http2) => {
      const folder = await mkdtemp(join(tmpdir(), 'spire-host-'));
      const mtls = await agentsFromSpiffe({
        trustDomains: { 'example.org': { socket: spire.socket } },
        agents: [{ id: 'spiffe://example.org/agent/*', capabilities: ['repo:read'] }],
        onTrouble: () => {},
      });
      const open = async (id: string) => await openSpiffeWorkload({ socket: spire.socket, id, onTrouble: () => {} });
      const [api, client] = [await open('spiffe://example.org/api'), await open(reviewer)];
      const running = await startHost(host, worldConfig(folder), {
        http2,
        tls: { options: mtls.tlsOptions(api), started: (server) => void mtls.follow(server, api) },
        guard: { mtls },
      });
      onTestFinished(async () => {
        for (const workload of [api, client]) workload.close();
        await running.close();
        mtls.close();
        await rm(folder, { recursive: true, force: true });
      });
      const answer = http2 ? await askHttp2(running.url, client) : await askHttps(running.url, client, api.id);
      expect(JSON.parse(answer)).toMatchObject({ actor: { id: reviewer } });
    });

    it('mTLS goes on under load while X.509-SVIDs are replaced on both sides, and the SPIRE agent is killed', {
      timeout: 240_000,
    }, async () => {
      const mtls = await agentsFromSpiffe({
        trustDomains: { 'example.org': { socket: spire.socket } },
        agents: [{ id: 'spiffe://example.org/agent/*' }],
        onTrouble: () => {},
      });
      const open = async (id: string) => await openSpiffeWorkload({ socket: spire.socket, id, onTrouble: () => {} });
      const [api, client] = [await open('spiffe://example.org/api'), await open(reviewer)];
      const server = createSecureServer(mtls.tlsOptions(api));
      mtls.follow(server, api);
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
      const origin = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const guard = await createGuard({
        origin,
        agents: agentsFromObjects([]),
        mtls,
        policy: await cedarFromText({ policies: 'permit (principal, action, resource);' }),
        audit: memoryAudit(),
      });
      const auth = agentAuth(guard, { everyRequest: true });
      server.on('request', (request, response) => {
        void auth(request, response).then((isIn) => isIn && response.end(getCaller(request)?.actor.id));
      });
      onTestFinished(async () => {
        server.close().closeAllConnections();
        for (const workload of [api, client]) workload.close();
        await guard.close();
      });
      const agent = client.httpsAgent({ server: api.id });
      onTestFinished(() => agent.destroy());

      const certificates = new Set<string>();
      const failed: unknown[] = [];
      let calls = 0;
      const over = new AbortController();
      const load = async (): Promise<void> => {
        while (!over.signal.aborted) {
          certificates.add(client.current().chain[0]?.serialNumber ?? '');
          const answer = await askTls(origin, agent).catch((error: unknown) => String(error));
          calls += 1;
          if (answer !== reviewer) failed.push(answer);
          // Some hundreds of calls a second, and a processor for the tests beside it.
          await new Promise((resolve) => setTimeout(resolve, 5));
        }
      };
      const seen = async (count: number): Promise<void> => {
        const patience = { timeout: 100_000, interval: 100 };
        await vi.waitFor(() => expect(certificates.size).toBeGreaterThanOrEqual(count), patience);
      };
      const events = (async () => {
        await seen(2);
        await spire.killAgent();
        await spire.startAgent();
        await seen(4);
      })().finally(() => over.abort());
      await Promise.all([load(), load(), load(), load(), events]);
      console.log(
        `with SPIRE: ${calls} calls over mTLS with ${certificates.size} certificates, ${failed.length} failed`,
      );
      expect(failed).toEqual([]);
    });
  });
});

async function askHttps(url: string, client: SpiffeWorkload, server: string): Promise<string> {
  const agent = client.httpsAgent({ server });
  onTestFinished(() => agent.destroy());
  return await askTls(`${url}/whoami`, agent);
}

async function askHttp2(url: string, client: SpiffeWorkload): Promise<string> {
  const { chain, privateKey } = client.current();
  const session = connectHttp2(url, {
    ca: [...(client.bundles().get('example.org') ?? [])].map(String),
    cert: chain.map(String).join(''),
    key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
    checkServerIdentity: () => undefined,
  });
  onTestFinished(() => session.destroy());
  let text = '';
  for await (const chunk of session.request({ ':path': '/whoami' })) text += String(chunk);
  return text;
}

async function askTls(url: string, agent: Agent): Promise<string> {
  const [response] = (await once(get(url, { agent }), 'response')) as [IncomingMessage];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return text;
}
