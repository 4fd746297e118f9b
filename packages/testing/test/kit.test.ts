import { agentAuth, permit } from '@countersign/express';
import express from 'express';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FastifyInstance } from 'fastify';
import { agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { type FailingPart, type TestApp, type TestKit, testKit, type TestKitOptions } from '../src/index.js';
import '../src/vitest.js';
import { apps, policy } from './apps.js';

const pr = { method: 'POST', body: { title: 'Fix' } };
const capabilities = ['pr:read', 'pr:write:draft'];
const open: TestKit[] = [];
afterEach(async () => {
  for (const t of open.splice(0)) await t.close();
});

async function start(options: Partial<TestKitOptions> = {}): Promise<{ t: TestKit; app: TestApp }> {
  const t = await testKit({ policy: await policy(), ...options });
  open.push(t);
  return { t, app: await apps['express']!(t.guard) };
}

describe('an agent of the kit', () => {
  it('acts for itself with its capabilities', async () => {
    const { t, app } = await start();
    const bot = t.agent('bot', { capabilities });
    expect((await bot.fetch(app, '/prs')).status).toBe(200);
    expect(await bot.fetch(app, '/prs', pr)).toBeRefusedWith('policy_denied');
    expect(await t.agent('idle').fetch(app, '/prs')).toBeRefusedWith('policy_denied');
  });

  it('acts for a user until the clock passes the end of its token', async () => {
    const { t, app } = await start();
    const alice = t.agent('bot', { capabilities }).onBehalfOf('alice', { ttlSeconds: 120 });
    const response = await alice.fetch(app, '/prs', pr);
    expect([response.status, await response.json()]).toEqual([201, { for: 'alice', title: 'Fix' }]);
    t.clock.advance(200);
    expect(await alice.fetch(app, '/prs', pr)).toBeRefusedWith('token_expired');
  });

  it('hands on to another agent, which acts in the chain', async () => {
    const { t, app } = await start();
    const alice = t.agent('bot', { capabilities }).onBehalfOf('alice');
    const runner = alice.delegate(t.agent('runner', { capabilities }), { scope: 'pr:read' });
    expect((await runner.fetch(app, '/prs')).status).toBe(200);
    expect(t.audit).toHaveRecorded({ actor: 'runner', subject: 'alice', scope: ['pr:read'] });
    expect(await runner.fetch(app, '/prs', pr)).toBeRefusedWith('policy_denied');
  });

  it('cannot act for a user without a scope when it has no capabilities', async () => {
    const { t } = await start();
    expect(() => t.agent('bot').onBehalfOf('alice')).toThrow(
      "onBehalfOf: the agent 'bot' has no capabilities, which are the default of 'scope'. Give it some, or name a scope.",
    );
  });

  it('rejects at its first use when its token cannot be made', async () => {
    const { t } = await start();
    await expect(t.agent('other').onBehalfOf('alice', { scope: 'a', ttlSeconds: 0 }).token).rejects.toThrow(
      'lifetimeSeconds',
    );
  });

  it('cannot be registered twice', async () => {
    const { t } = await start();
    t.agent('bot');
    expect(() => t.agent('bot')).toThrow("agent 'bot' is registered twice");
  });
});

describe('a client without a key', () => {
  it('sends to the origin of the kit', async () => {
    const { t, app } = await start();
    expect(await t.unsigned.fetch(app, '/prs')).toBeRefusedWith('signature_required');
  });
});

describe('revocations', () => {
  it.each<[string, (t: TestKit, alice: { delegation: { delegation: string; issuer: string } }) => void, string]>([
    ['a delegation', (t, { delegation }) => t.revocations.revoke(delegation), 'delegation_revoked'],
    ['a user', (t) => t.revocations.revoke({ subject: 'alice' }), 'delegation_revoked'],
    ['an agent', (t) => t.agents.suspend('bot'), 'agent_suspended'],
  ])('take effect with the next request when a test revokes %s', async (_name, revoke, code) => {
    const { t, app } = await start();
    const alice = t.agent('bot', { capabilities }).onBehalfOf('alice');
    expect((await alice.fetch(app, '/prs')).status).toBe(200);
    revoke(t, alice);
    expect(await alice.fetch(app, '/prs')).toBeRefusedWith(code as 'agent_suspended');
  });
});

describe('an outage', () => {
  it.each<[FailingPart, string]>([
    ['agents', 'keys_unavailable'],
    ['audit', 'audit_unavailable'],
    ['policy', 'policy_unavailable'],
    ['replay', 'replay_store_unavailable'],
    ['revocations', 'revocations_unavailable'],
    ['approvals', 'approvals_unavailable'],
  ])('of %s refuses with its code until it ends', async (part, code) => {
    const { t, app } = await start();
    const bot = t.agent('bot', { capabilities });
    t.fail(part);
    const ask = async (): Promise<Response> => await bot.fetch(app, '/merge', { method: 'POST' });
    expect(await ask()).toBeRefusedWith(code as 'keys_unavailable');
    t.recover();
    expect(await ask()).toBeRefusedWith('approval_required');
  });

  it('of an unknown part is an error of the test', async () => {
    const { t } = await start();
    expect(() => t.fail('database' as FailingPart)).toThrow("there is no part 'database'");
  });
});

describe('approvals', () => {
  const merge = { method: 'POST' };

  it('let the same request through, once', async () => {
    const { t, app } = await start();
    const bot = t.agent('bot', { capabilities });
    expect(() => t.approvals.approve('carol')).toThrow('nothing waits');
    expect(await bot.fetch(app, '/merge', merge)).toBeRefusedWith('approval_required');
    expect(t.approvals.pending).toMatchObject([{ action: 'pr.merge', actor: { id: 'bot' } }]);
    t.approvals.approve('carol', { reason: 'tested' });
    expect(t.approvals.pending).toEqual([]);
    expect((await bot.fetch(app, '/merge', merge)).status).toBe(204);
    expect(t.audit).toHaveRecorded({ decision: 'allow', approvers: ['carol'] });
    expect(await bot.fetch(app, '/merge', merge)).toBeRefusedWith('approval_used');
    t.approvals.clear();
    expect(await bot.fetch(app, '/merge', merge)).toBeRefusedWith('approval_required');
  });

  it('do not count when the person is in another group, or people deny', async () => {
    const { t, app } = await start();
    const bot = t.agent('bot', { capabilities });
    await bot.fetch(app, '/merge', merge);
    t.approvals.approve('carol', { groups: ['interns'] });
    expect(await bot.fetch(app, '/merge', merge)).toBeRefusedWith('approval_invalid');
    t.approvals.clear();
    await bot.fetch(app, '/merge', merge);
    t.approvals.deny({ reason: 'not today' });
    expect(await bot.fetch(app, '/merge', merge)).toBeRefusedWith('approval_denied');
  });
});

describe('the kit', () => {
  it('serves several applications, and is not closed by one', async () => {
    const { t } = await start();
    const bot = t.agent('bot', { capabilities });
    for (const name of ['fastify', 'express', 'fastify']) {
      const app = await apps[name]!(t.guard);
      expect((await bot.fetch(app, '/prs')).status).toBe(200);
      if (name === 'fastify') await (app as FastifyInstance).close();
    }
  });

  it('stands beside another with its own agents', async () => {
    const [one, two] = [await start(), await start()];
    const bot = one.t.agent('bot', { capabilities });
    expect((await bot.fetch(one.app, '/prs')).status).toBe(200);
    expect(await bot.fetch(two.app, '/prs')).toBeRefusedWith('signature_invalid');
  });

  it('leaves an engine that it was given open for another kit', async () => {
    const close = vi.fn();
    const engine = Object.assign(await policy(), { close });
    await (await start({ policy: engine })).t.close();
    const { t, app } = await start({ policy: engine });
    expect((await t.agent('bot', { capabilities }).fetch(app, '/prs')).status).toBe(200);
    expect(close).not.toHaveBeenCalled();
  });

  it('collects what the guard reports', async () => {
    const { t } = await start({ mode: 'observe' });
    expect(t.troubles).toEqual([expect.stringContaining("mode is 'observe'")]);
    expect(() => t.attacks.for(t.agent('bot'), { path: '/prs' })).toThrow("mode is 'observe'");
  });

  it('refuses to run in production', async () => {
    vi.stubEnv('NODE_ENV', 'production');
    await expect(testKit({ policy: await policy() })).rejects.toThrow('NODE_ENV is production');
  });

  it('hands out keys that no guard accepts [A11]', async () => {
    const { t } = await start();
    const bot = t.agent('bot', { capabilities });
    expect(() => agentsFromObjects([bot.registration])).toThrow('a key of @countersign/testing');
    const guard = createGuard({
      origin: 'https://api.acme.dev',
      agents: agentsFromObjects([]),
      policy: await cedarFromText({ policies: 'permit(principal, action, resource);' }),
      audit: memoryAudit(),
      issuers: [{ issuer: 'https://issuer.test', jwks: t.jwks }],
    });
    await expect(guard).rejects.toThrow('a key of @countersign/testing');
  });
});

describe('a router that a test mounts without its application', () => {
  const router = express.Router();
  router.get('/prs', permit('pr.list', { type: 'Repo', id: 'acme/api' }), (_request, response) => {
    response.json([]);
  });

  it('serves people and agents behind the guard of a mixed kit, and nobody without one', async () => {
    const { t } = await start({ traffic: 'mixed' });
    const guarded = express().use(agentAuth(t.guard), router);
    expect((await t.unsigned.fetch(guarded, '/prs')).status).toBe(200);
    expect((await t.agent('bot', { capabilities }).fetch(guarded, '/prs')).status).toBe(200);
    expect(await t.agent('idle').fetch(guarded, '/prs')).toBeRefusedWith('policy_denied');
    expect(await t.unsigned.fetch(express().use(router), '/prs')).toBeRefusedWith('not_authenticated');
  });
});
