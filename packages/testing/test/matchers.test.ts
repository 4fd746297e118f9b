import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertRecorded, assertRefused, type TestApp, type TestKit, testKit } from '../src/index.js';
import '../src/vitest.js';
import { apps, policy } from './apps.js';

let t: TestKit;
let app: TestApp;
beforeAll(async () => {
  t = await testKit({ policy: await policy() });
  app = await apps['express']!(t.guard);
});
afterAll(() => t.close());

const problem = { status: 403, code: 'policy_denied', title: 'Policy does not permit this.' };

describe('toBeRefusedWith', () => {
  it.each<[string, object]>([
    ['inject', { statusCode: 403, payload: JSON.stringify(problem), body: JSON.stringify(problem) }],
    ['supertest', { status: 403, text: JSON.stringify(problem), body: problem }],
    ['a client that parses', { status: 403, body: problem }],
  ])('reads a response of %s', async (_name, response) => {
    expect(response).toBeRefusedWith('policy_denied');
    expect(response).toBeRefusedWith();
    expect(response).not.toBeRefusedWith('token_expired');
    await assertRefused(response, 'policy_denied');
  });

  it('leaves the body of a Response to assertRefused', async () => {
    const response = Response.json(problem, { status: 403 });
    expect(() => expect(response).toBeRefusedWith()).toThrow('Write await assertRefused(response, code)');
    await assertRefused(response, 'policy_denied');
    expect(await response.json()).toEqual(problem);
  });

  it('says what it saw instead', async () => {
    const allowed = { status: 200, text: '{"code":"mine"}' };
    expect(() => expect(allowed).toBeRefusedWith('policy_denied')).toThrow(
      'expected the response to be refused with policy_denied; it was status 200 and no refusal',
    );
    expect(() => expect({ status: 403, body: problem }).not.toBeRefusedWith()).toThrow('403 policy_denied');
    await expect(assertRefused(allowed)).rejects.toThrow('to be refused by the guard');
    expect(undefined).not.toBeRefusedWith();
  });
});

describe('toHaveRecorded', () => {
  it('finds a record by some of its members', async () => {
    const bot = t.agent('bot', { capabilities: ['pr:read'] });
    await bot.fetch(app, '/prs');
    const record = { actor: 'bot', decision: 'allow', action: 'pr.list', path: '/prs' } as const;
    expect(t.audit).toHaveRecorded({ ...record, resource: { type: 'Repo' }, scope: ['pr:read'] });
    expect(t.audit).toHaveRecorded({ ...record, policies: [expect.stringContaining('list')] });
    await assertRecorded(t.audit, { actor: 'bot', outcome: 'finished' });
    const outcome = { actor: 'bot', outcome: 'finished' };
    expect(() => expect(t.audit).toHaveRecorded(outcome)).toThrow('Write await assertRecorded');
    expect(t.audit).not.toHaveRecorded({ ...record, scope: [] });
    expect(t.audit.last()).toMatchObject({ decision: 'allow' });
    await assertRecorded(t.audit, record);
    t.audit.clear();
    expect(t.audit).not.toHaveRecorded({ actor: 'bot' });
    expect(t.audit.last()).toBeUndefined();
  });

  it('says what was recorded instead', async () => {
    t.audit.clear();
    expect(() => expect(t.audit).toHaveRecorded({ actor: 'bot' })).toThrow('nothing was recorded');
    await t.unsigned.fetch(app, '/prs');
    await expect(assertRecorded(t.audit, { actor: 'bot' })).rejects.toThrow('"code":"signature_required"');
    expect(() => expect([]).toHaveRecorded({})).toThrow('expect t.audit of a test kit');
  });
});
