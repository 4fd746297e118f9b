import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Attack, type TestApp, type TestKit, testKit, type TestKitOptions } from '../src/index.js';
import '../src/vitest.js';
import { apps, policy } from './apps.js';

const scope = ['pr:read', 'pr:write:draft'];
const post = { method: 'POST', path: '/prs?draft=true', body: { title: 'Fix 1' } };

describe.each(Object.entries(apps))('the attacks on %s', (_name, createApp) => {
  let t: TestKit;
  let app: TestApp;
  beforeAll(async () => {
    t = await testKit({ policy: await policy() });
    app = await createApp(t.guard);
  });
  afterAll(() => t.close());

  async function refuseAll(attacks: readonly Attack[]): Promise<void> {
    const wrong: string[] = [];
    for (const { name, code, send } of attacks) {
      t.audit.clear();
      const response = await send(app);
      const text = await response.text();
      const found = (text.startsWith('{') ? (JSON.parse(text) as { code?: string }).code : undefined) ?? text;
      if (found !== code) wrong.push(`${name}: ${response.status} ${found}, not ${code}`);
    }
    expect(wrong).toEqual([]);
  }

  it('are refused with their codes when an agent acts for a user', async () => {
    const bot = t.agent('bot', { capabilities: scope });
    const attacks = t.attacks.for(bot.onBehalfOf('alice'), post);
    expect(attacks.length).toBeGreaterThanOrEqual(40);
    await refuseAll(attacks);
  });

  it('are refused with their codes when an agent acts for itself', async () => {
    await refuseAll(t.attacks.for(t.agent('loner', { capabilities: scope }), { path: '/prs' }));
  });
});

describe('the attacks', () => {
  it.each<Partial<TestKitOptions>>([
    { bearer: true },
    { dpop: true, webBotAuth: true, traffic: 'mixed' },
    { maxDelegationDepth: 1, maxAgeSeconds: 3600, clockSkewSeconds: 300 },
    { origin: 'http://localhost:3000', scopeMatch: 'exact' },
  ])('have the codes of the options %j', async (options) => {
    const t = await testKit({ policy: await policy(), ...options });
    const app = await apps['express']!(t.guard);
    const bot = t.agent('bot', { capabilities: scope });
    for (const caller of [bot, bot.onBehalfOf('alice')]) {
      for (const { name, code, send } of t.attacks.for(caller, { path: '/prs' })) {
        expect(await send(app), name).toBeRefusedWith(code);
      }
    }
    await t.close();
  });

  it('leave out what mixed traffic lets through to the login of the application', async () => {
    const t = await testKit({ policy: await policy(), traffic: 'mixed' });
    const app = await apps['express']!(t.guard);
    const bot = t.agent('bot', { capabilities: scope });
    for (const caller of [
      bot,
      bot.onBehalfOf('alice'),
      bot.delegate(t.agent('runner', { capabilities: scope }), { scope }),
    ]) {
      for (const { send, code } of t.attacks.for(caller, { path: '/prs' })) {
        expect(await send(app)).toBeRefusedWith(code);
      }
    }
    await t.close();
  });

  it('prove nothing when the honest request fails', async () => {
    const t = await testKit({ policy: await policy() });
    const [attack] = t.attacks.for(t.agent('idle'), { path: '/prs' });
    await expect(attack!.send(await apps['koa']!(t.guard))).rejects.toThrow(
      'the honest GET /prs was answered with 403, so attacks prove nothing',
    );
    await t.close();
  });

  it('are made for callers of the kit only', async () => {
    const t = await testKit({ policy: await policy() });
    expect(() => t.attacks.for({} as never, { path: '/prs' })).toThrow('this is no agent of a test kit');
    await t.close();
  });
});
