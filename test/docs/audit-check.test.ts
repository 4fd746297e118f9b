import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditFile } from '@countersign/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Ran, run } from '../support/run.js';
import { blocksOf, readPage } from './blocks.js';

let place: string;
let folder: string;
let segment: string;
let key: string;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'countersign-check-'));
  folder = join(place, 'audit');
  segment = join(folder, 'audit-000001.jsonl');
  const sink = auditFile(folder);
  for (const id of ['a', 'b', 'c', 'd', 'e']) {
    await sink.write({
      id,
      time: '2026-11-24T12:00:00.000Z',
      phase: 'decision',
      decision: 'allow',
      request: { id, method: 'GET', path: '/' },
    });
  }
  await sink.close?.();
  key = (await readFile(join(folder, 'checkpoint.vkey'), 'utf8')).trim();
});
afterAll(() => rm(place, { recursive: true, force: true }));

it('the check has the number of lines in its heading', () => {
  const page = readPage('docs/reference/audit-log.md');
  const code = blocksOf(page).findLast(({ language }) => language === 'js')?.code ?? '';
  const lines = code.split('\n').filter((line) => line !== '');
  expect(page.text).toContain(`## The check in ${lines.length} lines\n`);
});

// Python has no built-in Ed25519.
const hasPython = spawnSync('python3', ['-c', 'import cryptography']).status === 0;

describe.each([
  { language: 'js', file: 'check.mjs', program: process.execPath, isHere: true },
  { language: 'python', file: 'check.py', program: 'python3', isHere: hasPython },
])('the check on the page, in $language', ({ language, file, program, isHere }) => {
  beforeAll(async () => {
    const block = blocksOf(readPage('docs/reference/audit-log.md')).findLast((one) => one.language === language);
    await writeFile(join(place, file), block?.code ?? `no ${language} on the page`);
  });

  function check(vkey: string = key, log: string = folder): Promise<Ran> {
    return run(program, [join(place, file), log, vkey], { deadlineSeconds: 20 });
  }

  it.runIf(isHere)('accepts an intact log only [F6]', async () => {
    expect(await check()).toMatchObject({ exitCode: 0, stdout: '6 of 7 records are sealed and right.\n' });

    const text = await readFile(segment, 'utf8');
    const lines = text.trimEnd().split('\n');
    const wrong: readonly (readonly [string, RegExp])[] = [
      [text.replace('"id":"b"', '"id":"x"'), /^record 3 or the next one was changed\n$/],
      [`${lines.toSpliced(2, 1).join('\n')}\n`, /was changed/],
      [`${lines.slice(0, 4).join('\n')}\n`, /^6 records were sealed, 4 are there\n$/],
      [`${lines.slice(0, 5).join('\n')}\n${lines[5]?.replace('"id":"e"', '"id":"x"')}\n`, /^this is not the log that/],
    ];
    for (const [changed, says] of wrong) {
      await writeFile(segment, changed);
      expect(await check()).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(says) });
    }
    await writeFile(segment, text);
  });

  it.runIf(isHere)('refuses another log of the same signing key [N1]', async () => {
    const checkpointKey = generateKeyPairSync('ed25519').privateKey;
    const logs = ['a', 'b'].map((name) => join(place, `${language}-${name}`));
    for (const log of logs) await auditFile(log, { checkpointKey, origin: 'acme.dev/audit' }).close?.();
    const [a = '', b = ''] = logs;
    const keyOfA = (await readFile(join(a, 'checkpoint.vkey'), 'utf8')).trim();
    expect(await check(keyOfA, a)).toMatchObject({ exitCode: 0 });
    expect(await check(keyOfA, b)).toMatchObject({
      exitCode: 1,
      stderr: 'this key did not sign the last checkpoint\n',
    });
    await copyFile(join(a, 'checkpoints.txt'), join(b, 'checkpoints.txt'));
    expect(await check(keyOfA, b)).toMatchObject({ exitCode: 1, stderr: 'this log has another name than the key\n' });
  });

  it.runIf(isHere)('reports a wrong or missing key', async () => {
    const stranger = `${key.slice(0, -4)}${key.at(-4) === 'A' ? 'B' : 'A'}${key.slice(-3)}`;
    expect(await check(stranger)).toMatchObject({ exitCode: 1, stderr: 'this key did not sign the last checkpoint\n' });
    for (const none of ['acme.vkey', 'acme+1234abcd+AAAA', '']) {
      const { exitCode, stderr } = await check(none);
      expect({ exitCode, stderr }).toEqual({
        exitCode: 1,
        stderr: 'the second word must be a verifier key like name+id+base64: not the name of its file\n',
      });
    }
  });
});
