import type { Chain } from '@countersign/delegation';
import { describe, expect, it, vi } from 'vitest';
import { type Refusal, refusal } from '../../../src/model/refusal.js';
import type { Revocable } from '../../../src/stages/revocation/revocable.js';
import { RevocationSet } from '../../../src/stages/revocation/revocation-set.js';
import type { RevocationSource } from '../../../src/stages/revocation/revocable.js';
import { createRevocationChecks } from '../../../src/stages/revocation/check-revocations.js';
import type { VerifiedToken } from '../../../src/stages/token/token-verifier.js';

const actorKey = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';
const chain: Chain = [
  { id: 'user_123', type: 'user', proof: 'issuer', issuer: 'https://id.acme.dev', scope: [] },
  { id: 'agent-1', type: 'agent', proof: 'issuer', issuer: 'https://id.acme.dev', keyId: actorKey, scope: [] },
];
const token = {} as VerifiedToken;

const lookupTimeoutSeconds = 2;

function checkWith(sources: readonly RevocationSource[], status?: () => Refusal | undefined) {
  const time = { now: 1000 };
  const clock = (): number => time.now * 1000;
  const own = new RevocationSet();
  const asked = vi.fn(async (_token: VerifiedToken, _now: number) => status?.());
  const statusLists = { problem: asked };
  const checks = createRevocationChecks({ own, sources, lookupTimeoutSeconds, statusLists, clock });
  const check = checks.ofChain(chain, token);
  return { time, own, asked, check };
}

const revokes = (match: (named: Revocable) => boolean): RevocationSource => ({
  findRevoked: async (named) => named.find(match),
});

describe('createRevocationChecks', () => {
  it('asks every source, and returns undefined when nothing is revoked', async () => {
    const sources = [revokes(() => false), revokes(() => false)].map((source) => ({
      findRevoked: vi.fn(source.findRevoked),
    }));
    const { check, asked } = checkWith(sources);
    expect(await check()).toBeUndefined();
    for (const { findRevoked } of sources) expect(findRevoked).toHaveBeenCalledWith(expect.any(Array), 1000);
    expect(asked).toHaveBeenCalledTimes(1);
  });

  it('sees what this process revokes while a source is asked [C7]', async () => {
    const findRevoked = async () => {
      own.add({ agent: 'agent-1' }, time.now);
      return undefined;
    };
    const { time, own, check } = checkWith([{ findRevoked }]);
    expect(await check()).toMatchObject({ code: 'agent_suspended' });
  });

  it('asks each by the time when it is asked, for the sources before it may be slow [J3]', async () => {
    const findRevoked = vi.fn(async () => {
      time.now += 1.5;
      return undefined;
    });
    const { time, check, asked } = checkWith([{ findRevoked }, { findRevoked }]);
    expect(await check()).toBeUndefined();
    expect(findRevoked.mock.calls.map((call: unknown[]) => call[1])).toEqual([1000, 1001.5]);
    expect(asked).toHaveBeenCalledWith(token, 1003);
    // The answers are as old as the question.
    await check();
    expect(findRevoked).toHaveBeenCalledTimes(4);
  });

  it.each<[string, (named: Revocable) => boolean, string]>([
    ['the acting agent', (named) => 'agent' in named && named.agent === 'agent-1', 'agent_suspended'],
    ['the key that signed', (named) => 'key' in named, 'key_not_valid'],
    ['an ancestor', (named) => 'agent' in named && named.agent === 'user_123', 'delegation_revoked'],
    ['the subject', (named) => 'subject' in named, 'delegation_revoked'],
    ['the issuer', (named) => !('subject' in named) && 'issuer' in named, 'delegation_revoked'],
  ])('refuses the request when %s is revoked [C7]', async (_title, match, code) => {
    const { check } = checkWith([revokes(() => false), revokes(match)]);
    expect(await check()).toMatchObject({ code, status: 401 });
  });

  it.each<[string, unknown]>([
    ['rejects', async () => Promise.reject(new Error('down'))],
    [
      'throws',
      () => {
        throw new Error('down');
      },
    ],
    [
      'throws a value without text',
      () => {
        throw Object.create(null);
      },
    ],
    ['answers null', () => null],
    ['answers true', async () => true],
    ['answers with a name that was not asked for', () => ({ agent: 'agent-9' })],
    ['answers with promises', () => [Promise.reject(new Error('down'))] as never],
  ])('refuses the request as an outage when a source %s [B11]', async (_title, findRevoked) => {
    const { check } = checkWith([{ findRevoked } as RevocationSource]);
    expect(await check()).toMatchObject({ code: 'revocations_unavailable', status: 503, fault: 'server' });
  });

  it('applies revocations of this process at once, and those of others after a second [D13]', async () => {
    let revoked = false;
    const source = { findRevoked: vi.fn(async (named: readonly Revocable[]) => (revoked ? named[0] : undefined)) };
    const { check, own, time, asked } = checkWith([source]);
    expect(await check()).toBeUndefined();
    revoked = true;
    time.now += 0.9;
    expect(await check()).toBeUndefined();
    expect(source.findRevoked).toHaveBeenCalledTimes(1);
    expect(asked).toHaveBeenCalledTimes(1);
    own.add({ subject: 'user_123' }, time.now);
    expect(await check()).toMatchObject({ code: 'delegation_revoked' });
    own.delete({ subject: 'user_123' });
    time.now += 0.1;
    expect(await check()).toMatchObject({ code: 'agent_suspended' });
  });

  it('refuses a token again after its status list refused it [B11]', async () => {
    const { check } = checkWith([], () => refusal('token_revoked'));
    expect(await check()).toMatchObject({ code: 'token_revoked' });
    expect(await check()).toMatchObject({ code: 'token_revoked' });
  });

  it('asks again when the clock was set back', async () => {
    const source = { findRevoked: vi.fn(async () => undefined) };
    const { check, time } = checkWith([source]);
    await check();
    time.now -= 3600;
    await check();
    expect(source.findRevoked).toHaveBeenCalledTimes(2);
  });

  it('asks again at once after an outage', async () => {
    let down = true;
    const { check } = checkWith([
      {
        async findRevoked() {
          if (down) throw new Error('down');
          return undefined;
        },
      },
    ]);
    expect(await check()).toMatchObject({ code: 'revocations_unavailable' });
    down = false;
    expect(await check()).toBeUndefined();
  });
});

const atSecond1000 = (): number => 1_000_000;

describe('ofApproval', () => {
  const issuer = 'https://approvals.acme.dev';
  const claims = {
    issuer,
    id: 'approval-0001',
    audience: ['https://api.acme.dev'],
    binding: '',
    askedAt: 900,
    issuedAt: 950,
    expiresAt: 1200,
    approvers: ['carol', 'dave'].map((id) => ({ id, groups: ['managers'], decidedAt: 950 })),
    breakGlass: false,
  };

  function revoking(revoked: Revocable) {
    const own = new RevocationSet();
    own.add(revoked, 0);
    const statusLists = { problem: async () => undefined };
    const checks = createRevocationChecks({ own, sources: [], lookupTimeoutSeconds, statusLists, clock: atSecond1000 });
    return checks.ofApproval(claims, 'acme:')();
  }

  it.each<Revocable>([
    { issuer },
    { delegation: 'approval-0001' },
    { delegation: 'approval-0001', issuer },
    { subject: 'acme:dave' },
    { subject: 'acme:dave', issuer },
    { subject: 'dave', issuer },
  ])('refuses an approval if %o is revoked [C11]', async (revoked) => {
    expect(await revoking(revoked)).toMatchObject({
      code: 'approval_invalid',
      detail: expect.stringMatching('revoked'),
    });
  });

  it.each<Revocable>([
    { issuer: 'https://id.acme.dev' },
    { delegation: 'approval-0001', issuer: 'https://id.acme.dev' },
    { subject: 'dave' },
    { subject: 'dave', issuer: 'https://id.acme.dev' },
    { agent: 'dave' },
  ])('does not refuse it if %o is revoked', async (revoked) => {
    expect(await revoking(revoked)).toBeUndefined();
  });
});
