import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createAgent } from '@countersign/agent';
import { createAuthority, openSqlite } from '@countersign/authority';
import { agentsFromAuthority, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller } from '@countersign/node-http';
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from 'vitest';
import { loopback } from '../support/key-server.js';
import { findSpire, type Spire, startSpire } from '../support/spire.js';

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
    const began = performance.now();
    const agent = await createAgent({ spiffe: { socket: spire.socket }, authority: issuer });
    const response = await agent.fetch(origin);
    console.log(`with SPIRE: first call from nothing ${Math.round(performance.now() - began)} ms`);
    expect([response.status, await response.text()]).toEqual([200, reviewer]);
    const warm = performance.now();
    const again = await createAgent({ spiffe: { socket: spire.socket }, authority: issuer });
    expect((await again.fetch(origin)).status).toBe(200);
    console.log(`with SPIRE: first call of a second agent from nothing ${Math.round(performance.now() - warm)} ms`);
  });

  it('an agent calls on while its tokens and SVIDs are replaced', { timeout: 180_000 }, async () => {
    const { origin, issuer } = await guarded();
    const agent = await createAgent({ spiffe: { socket: spire.socket }, authority: issuer });
    const seen = new Set<string>();
    const fetching = await agent.withOwnToken();
    const until = Date.now() + 75_000;
    const failed: unknown[] = [];
    let calls = 0;
    while (Date.now() < until) {
      const { headers } = await fetching.signRequest({ method: 'GET', url: origin });
      seen.add(String(headers['authorization']));
      const response = await fetching.fetch(origin);
      calls += 1;
      if (response.status !== 200) failed.push([response.status, await response.text()]);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    console.log(`with SPIRE: ${calls} calls in 75 s with ${seen.size} tokens, ${failed.length} failed`);
    expect(failed).toEqual([]);
    expect(seen.size).toBeGreaterThan(1);
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
});
