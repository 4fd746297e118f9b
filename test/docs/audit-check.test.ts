import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { auditFile } from '@countersign/core';
import { transformWithEsbuild } from 'vite';
import { afterAll, beforeAll, expect, it } from 'vitest';
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

  const code = blocksOf(readPage('docs/audit-log.md')).at(-1)?.code ?? '';
  const { code: plain } = await transformWithEsbuild(code, 'check.ts');
  await writeFile(join(place, 'check.mjs'), plain);
});
afterAll(() => rm(place, { recursive: true, force: true }));

function check(vkey: string = key): Promise<Ran> {
  return run(process.execPath, [join(place, 'check.mjs'), folder, vkey], { env: {}, deadlineSeconds: 20 });
}

it('F6 the check on the page accepts a log that is right, and nothing else', async () => {
  expect(await check()).toMatchObject({ exitCode: 0, stdout: '6 of 7 records are sealed and right.\n' });

  const text = await readFile(segment, 'utf8');
  const lines = text.trimEnd().split('\n');
  const wrong: readonly (readonly [string, RegExp])[] = [
    [text.replace('"id":"b"', '"id":"x"'), /record 3 or the next one was changed/],
    [`${lines.toSpliced(2, 1).join('\n')}\n`, /was changed/],
    [`${lines.slice(0, 4).join('\n')}\n`, /6 records were sealed, 4 are there/],
    [`${lines.slice(0, 5).join('\n')}\n${lines[5]?.replace('"id":"e"', '"id":"x"')}\n`, /not the log that was sealed/],
  ];
  for (const [changed, says] of wrong) {
    await writeFile(segment, changed);
    expect(await check()).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(says) });
  }
  await writeFile(segment, text);
  const stranger = key.replace(/(.{4})$/, 'AAA=');
  expect(await check(stranger)).toMatchObject({ exitCode: 1 });
});
