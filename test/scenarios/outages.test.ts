import { rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type AgentDirectory,
  agentsFromJwks,
  agentsFromObjects,
  type GuardOptions,
  type PolicyEngine,
  type RefusalCode,
} from '@countersign/core';
import { expect, it } from 'vitest';
import { expectProblem, onEveryHost } from '../support/api.js';
import { keyNamed } from '../support/keys.js';
import { agents, issuer, reviewer, reviewerId } from '../support/world.js';

const loopback = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true };

/** A key server on a real socket, that can be switched off. */
async function keyServer(json: object): Promise<{ url: string; stop(): Promise<void> }> {
  const server = createServer((_request, response) => {
    response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify(json));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/jwks.json`,
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  };
}

const never = () => new Promise<never>(() => {});
const rejecting = () => Promise.reject(new Error('ECONNREFUSED 10.0.0.7:5432'));

onEveryHost('An outage of ours gets 503', (api) => {
  it('when the key server is down [A14]', async () => {
    const server = await keyServer({ keys: [{ ...reviewer.publicJwk, agent_id: reviewerId }] });
    await server.stop();
    const failing = await api.variant({ start: { guard: { agents: agentsFromJwks(server.url, loopback) } } });
    const { response } = await failing.refuses(failing.signed(), 503, 'keys_unavailable');
    expect(response.headers).not.toHaveProperty('www-authenticate');
    expect(response.headers).not.toHaveProperty('accept-signature');
  });

  it('unless the key server goes down after a fetch: its keys stay valid [A14]', async () => {
    const server = await keyServer({ keys: [{ ...reviewer.publicJwk, agent_id: reviewerId }] });
    const cached = await api.variant({ start: { guard: { agents: agentsFromJwks(server.url, loopback) } } });
    await cached.accepts(cached.signed(), 200);
    await server.stop();
    await cached.accepts(cached.signed(), 200);
  });

  it.each<[string, Partial<AgentDirectory>]>([
    ['rejects', { findByThumbprint: rejecting }],
    [
      'throws',
      {
        findByThumbprint: () => {
          throw new Error('no pool');
        },
      },
    ],
    ['says so', { findByThumbprint: () => ({ kind: 'unavailable', cause: 'no pool' }) }],
  ])('a directory that %s [A14]', async (_title, directory) => {
    const agents: AgentDirectory = {
      findByThumbprint: () => ({ kind: 'unknown' }),
      statusOf: () => 'unknown',
      ...directory,
    };
    const failing = await api.variant({ start: { guard: { agents } } });
    await failing.refuses(failing.signed(), 503, 'keys_unavailable');
  });

  it('when a directory cannot tell whether a vouched name is taken [C5]', async () => {
    const agents: AgentDirectory = { findByThumbprint: () => ({ kind: 'unknown' }), statusOf: rejecting };
    const failing = await api.variant({ start: { guard: { agents } } });
    const guest = keyNamed('guest');
    const token = await failing.token({ act: { sub: 'agent-guest' }, cnf: { jwk: guest.publicJwk } });
    await failing.refuses(failing.signed({ key: guest, token }), 503, 'keys_unavailable');
  });

  it.each([
    ['throws', rejecting],
    ['says neither', () => true as unknown as 'active'],
  ])('a directory that, asked whether a prior actor is suspended, %s [C7]', async (_title, statusOf) => {
    const held = agentsFromObjects(agents);
    const directory: AgentDirectory = { findByThumbprint: (thumbprint) => held.findByThumbprint(thumbprint), statusOf };
    const failing = await api.variant({ start: { guard: { agents: directory } } });
    const act = { sub: reviewerId, act: { sub: 'agent-before' } };
    await failing.refuses(await failing.pull({ act }), 503, 'keys_unavailable');
    // There is no lookup for an agent that does not exist.
    await failing.accepts(await failing.pull(), 201);
  });

  it("when the issuer's keys cannot be fetched, but not without a token [A14]", async () => {
    const server = await keyServer({ keys: [issuer.jwk] });
    await server.stop();
    const failing = await api.variant({
      config: { issuers: [{ issuer: issuer.issuer, jwksUri: server.url, ...loopback }] },
    });
    await failing.refuses(await failing.pull(), 503, 'issuer_unavailable');
    await failing.accepts(failing.signed(), 200);
  });

  it("unless the issuer's keys are fetched from a server [A14]", async () => {
    const server = await keyServer({ keys: [issuer.jwk] });
    const remote = await api.variant({
      config: { issuers: [{ issuer: issuer.issuer, jwksUri: server.url, ...loopback }] },
    });
    await remote.accepts(await remote.pull(), 201);
    await server.stop();
    await remote.accepts(await remote.pull(), 201);
  });

  it.each([
    ['rejects', { reserve: rejecting }],
    [
      'throws',
      {
        reserve: () => {
          throw new Error('no redis');
        },
      },
    ],
    ['is full', { reserve: () => 'full' as const }],
    ['says nothing', { reserve: () => undefined as never }],
  ])('a replay store that %s [A10]', async (_title, replay) => {
    const failing = await api.variant({ start: { guard: { replay } } });
    await failing.refuses(await failing.pull(), 503, 'replay_store_unavailable');
  });

  it.each<[string, Partial<GuardOptions>, RefusalCode]>([
    ['directory', { agents: { findByThumbprint: never, statusOf: never } }, 'keys_unavailable'],
    ['replay store', { replay: { reserve: never } }, 'replay_store_unavailable'],
    ['revocation source', { revocations: { findRevoked: never } }, 'revocations_unavailable'],
  ])('a %s that never answers [J3]', async (_title, guard, code) => {
    const failing = await api.variant({ start: { guard: { ...guard, lookupTimeoutSeconds: 1 } } });
    const { records } = await failing.refuses(await failing.pull(), 503, code);
    expect(records[0]?.detail).toBe('no answer within 1 s');
  });

  it('when a directory never answers whether a prior actor is suspended [J3]', async () => {
    const held = agentsFromObjects(agents);
    const directory: AgentDirectory = {
      findByThumbprint: (thumbprint) => held.findByThumbprint(thumbprint),
      statusOf: never,
    };
    const failing = await api.variant({ start: { guard: { agents: directory, lookupTimeoutSeconds: 1 } } });
    const act = { sub: reviewerId, act: { sub: 'agent-before' } };
    await failing.refuses(await failing.pull({ act }), 503, 'keys_unavailable');
  });

  it.each<[string, PolicyEngine['decide']]>([
    ['rejects', rejecting],
    [
      'throws',
      () => {
        throw new Error('no opa');
      },
    ],
  ])('a policy engine that %s [D4]', async (_title, decide) => {
    const failing = await api.variant({ start: { guard: { policy: { scopeVocabulary: [], decide } } } });
    const { records } = await failing.denies(await failing.pull(), 503, 'policy_unavailable');
    expect(records[0]).toMatchObject({ actor: { id: reviewerId }, action: 'pr.create' });
  });

  it.each([
    ['neither allow nor deny', { decision: 'maybe' }],
    ['a policy set that is no text', { policySet: Array.from({ length: 10_000 }, (_, index) => index) }],
    ['policies that are no texts', { policies: [{ id: 'x' }] }],
  ])('when a policy engine answers %s [D3, L3]', async (_title, wrong) => {
    const right = { decision: 'allow', cause: 'policy', policies: [], policySet: '', errors: [] };
    const answer = { ...right, ...wrong } as never;
    const failing = await api.variant({ start: { guard: { policy: { scopeVocabulary: [], decide: () => answer } } } });
    await failing.denies(await failing.pull(), 403, 'policy_error');
  });

  it('when the folder of the audit log is removed during writing [F4, F6]', async () => {
    const troubles: string[] = [];
    const failing = await api.variant({ start: { guard: { onTrouble: (text) => void troubles.push(text) } } });
    await failing.accepts(await failing.pull(), 201);
    rmSync(failing.auditFolder, { recursive: true });
    for (let count = 0; count < 5; count++) {
      expectProblem(await failing.send(await failing.pull()), 503, 'audit_unavailable');
    }
    expect(failing.running.handled).toEqual(['pr.create']);
    expect(troubles.map((text) => /could not be written \((\d) so far\)/.exec(text)?.[1])).toEqual(['1', '2', '4']);
  });

  it('when any other step of the verification fails', async () => {
    let broken = false;
    const clock = () => {
      if (!broken) return Date.now();
      broken = false;
      throw new Error('no clock');
    };
    const troubles: string[] = [];
    const failing = await api.variant({ start: { guard: { clock, onTrouble: (text) => void troubles.push(text) } } });
    broken = true;
    await failing.refuses(failing.signed(), 500, 'internal_error');
    expect(troubles[0]).toContain('no clock');
    await failing.accepts(failing.signed(), 200);
  });
});
