import { spawnSync } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditFile, fileWitness } from '@countersign/core';
import { verifyLog } from '@countersign/audit-verifier';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { run } from '../support/run.js';
import { blocksOf, readPage } from './blocks.js';

const hasGit = spawnSync('git', ['--version']).status === 0;
const recipe = blocksOf(readPage('docs/guides/audit-log.md')).find(({ code }) => code.includes('git push'))?.code ?? '';

let place: string;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'countersign-git-'));
});
afterAll(() => rm(place, { recursive: true, force: true }));

/** Runs a script as an auditor, without the git configuration of this machine. */
async function shell(script: string): Promise<void> {
  const who = { GIT_AUTHOR_NAME: 'auditor', GIT_AUTHOR_EMAIL: 'auditor@localhost' };
  const committer = { GIT_COMMITTER_NAME: 'auditor', GIT_COMMITTER_EMAIL: 'auditor@localhost' };
  const env = { PATH: process.env['PATH'], HOME: place, GIT_CONFIG_NOSYSTEM: '1', ...who, ...committer };
  const ran = await run('sh', ['-euc', script], { cwd: place, env, deadlineSeconds: 20 });
  expect(ran).toMatchObject({ exitCode: 0 });
}

it.runIf(hasGit)('the recipe for git pushes each checkpoint, and a clone of it shows a cut end [F6]', async () => {
  const work = join(place, 'work');
  await shell('git init -q --bare server.git && git clone -q server.git work 2>/dev/null');
  const checkIn = (): Promise<void> => shell(recipe.replace('/srv/witness', work));
  const folder = join(place, 'audit');
  const event = { time: '2026-11-24T12:00:00.000Z', phase: 'decision', decision: 'allow' } as const;
  const request = { id: 'r', method: 'GET', path: '/' };
  const sink = auditFile(folder, { witnesses: [fileWitness(join(work, 'acme.checkpoints'))] });
  for (const id of ['a', 'b', 'c']) await sink.write({ ...event, id, request });
  await checkIn();
  await sink.close?.();
  await checkIn();
  // Nothing new: no commit, and no error.
  await checkIn();

  await shell('git clone -q server.git clone && git -C clone rev-list --count HEAD | grep -qx 2');
  const checkpoints = await readFile(join(place, 'clone/acme.checkpoints'), 'utf8');
  const key = await readFile(join(folder, 'checkpoint.vkey'), 'utf8');
  expect(await verifyLog(folder, { key, checkpoints })).toMatchObject({ ok: true, sealed: 4 });
  await rm(join(folder, 'audit-000001.jsonl'));
  expect((await verifyLog(folder, { key, checkpoints })).findings).toMatchObject([{ kind: 'cut_tail', through: 4 }]);
});
