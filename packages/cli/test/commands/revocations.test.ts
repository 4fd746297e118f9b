import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { findPostgres, type PostgresServer, startPostgres } from '../../../../test/support/postgres.js';
import { findRedis, type RedisServer, startRedis } from '../../../../test/support/redis.js';
import { run } from '../../../../test/support/run.js';
import { runCli } from '../run-cli.js';

const program = findRedis();
const programs = findPostgres();

describe.skipIf(program === undefined || programs === undefined)('countersign revoke, freeze and revocations', () => {
  let redis: RedisServer;
  let postgres: PostgresServer;
  const folder = mkdtempSync(join(tmpdir(), 'countersign-store-'));
  const file = join(folder, 'store-url');

  beforeAll(async () => {
    redis = await startRedis(program!);
    postgres = await startPostgres(programs!);
    const { host, user, database } = postgres.connection;
    writeFileSync(file, `postgres://${user}@/${database}?host=${encodeURIComponent(host)}\n`);
  });
  afterAll(async () => {
    await redis.stop();
    await postgres.stop();
    rmSync(folder, { recursive: true });
  });

  it.each(['redis', 'postgres'] as const)('change what all processes share in %s', async (kind) => {
    const store = ['--store', kind === 'redis' ? redis.url : file];
    for (const change of [
      ['revoke', 'agent', 'agent-1'],
      ['freeze', 'everything'],
      ['revocations', 'list'],
    ]) {
      const early = await runCli([...change, ...store]);
      expect([early.code, early.err]).toEqual([1, expect.stringContaining("'countersign revocations begin'")]);
    }
    expect(await runCli(['revocations', 'begin', ...store])).toMatchObject({ code: 0 });
    const revoked = await runCli(['revoke', 'agent', 'agent-1', '--until', '2099-01-01T00:00:00Z', ...store]);
    expect([revoked.code, revoked.err]).toEqual([0, expect.stringContaining('agent agent-1 is revoked. In force')]);
    await runCli(['revoke', 'subject', 'user_1', '--issuer', 'https://id.acme.dev', ...store]);
    await runCli(['freeze', 'tenant', 'acme:', ...store]);
    await runCli(['freeze', 'everything', ...store]);
    const { out } = await runCli(['revocations', 'list', ...store]);
    expect(out.split('\n').toSorted().slice(1)).toEqual([
      'agent       agent-1  until 2099-01-01T00:00:00.000Z',
      'frozen      everything',
      'frozen      tenant acme:',
      'subject     user_1  of issuer https://id.acme.dev',
    ]);
    expect(await runCli(['revocations', 'begin', ...store])).toMatchObject({
      err: expect.stringContaining('4 entries'),
    });
    for (const change of [
      ['unfreeze', 'tenant', 'acme'],
      ['restore', 'subject', 'user_1'],
    ]) {
      const missed = await runCli([...change, ...store]);
      expect([missed.code, missed.err]).toEqual([1, expect.stringContaining('nothing has changed')]);
    }
    const first = await runCli(['unfreeze', 'everything', ...store]);
    expect(first.err).toContain('The freeze of everything has ended; still frozen: tenant acme:, and');
    const last = await runCli(['unfreeze', 'tenant', 'acme:', ...store]);
    expect(last.err).toContain('The freeze of tenant acme: has ended; nothing else is, and');
    // Its agents that act for themselves would go on in silence.
    const byIssuer = await runCli(['freeze', 'tenant', 'https://id.acme.dev', ...store]);
    expect(byIssuer.err).toContain('Agents that act for themselves name no issuer');
    await runCli(['unfreeze', 'tenant', 'https://id.acme.dev', ...store]);
    await runCli(['restore', 'agent', 'agent-1', ...store]);
    const left = await runCli(['revocations', 'list', '--json', ...store]);
    expect(JSON.parse(left.out)).toEqual({ revoked: ['subject', 'user_1', 'https://id.acme.dev'] });
  });

  it.each(['redis', 'postgres'] as const)('end when they are done with %s', async (kind) => {
    const binary = fileURLToPath(new URL('../../bin/countersign.js', import.meta.url));
    const store = kind === 'redis' ? redis.url : file;
    const { exitCode, stderr } = await run(process.execPath, [binary, 'revocations', 'begin', '--store', store]);
    expect([exitCode, stderr]).toEqual([0, expect.stringContaining('The list of revocations is there')]);
  });

  it.each([
    [['revoke', 'agent', 'agent-1'], 'name the store with --store or COUNTERSIGN_STORE'],
    [['revoke', 'agent', 'agent-1', '--store', '/nowhere'], '--store must be a URL like redis://host'],
    [['revoke', 'agent', 'agent-1', '--store', 'redis://x', '--until', 'tomorrow'], '--until must be like'],
    [['revoke', 'agnet', 'agent-1', '--store', 'redis://x'], 'Allowed choices are agent'],
    [['freeze', 'tenant', '--store', 'redis://x'], 'name the tenant'],
    [['freeze', 'everything', 'now', '--store', 'redis://x'], "'everything' has no id"],
    [['revocations', 'list', '--store', 'postgres://x', '--prefix', 'p'], '--prefix is for Redis'],
  ])('say what is wrong with %j', async (argv, message) => {
    const { code, err } = await runCli(argv);
    expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  });

  it('take a thumbprint that begins with a dash', async () => {
    const thumbprint = `-${'A'.repeat(42)}`;
    expect(await runCli(['revoke', 'key', thumbprint, '--store', file])).toMatchObject({ code: 0 });
    expect(await runCli(['revocations', 'list', '--store', file])).toMatchObject({
      code: 0,
      out: expect.stringContaining(thumbprint),
    });
  });

  it('end with 1 if the store cannot be reached, or refuses what is revoked', async () => {
    const gone = await runCli(['revoke', 'agent', 'agent-1', '--store', 'redis://127.0.0.1:1']);
    expect([gone.code, gone.err]).toEqual([1, expect.stringContaining('cannot be reached')]);
    const wrong = await runCli(['revoke', 'key', 'no-thumbprint', '--store', file]);
    expect([wrong.code, wrong.err]).toEqual([1, expect.stringContaining('thumbprint')]);
  });
});
