import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../run-cli.js';
import { decision, temporaryFolder, writeLog } from './audit/write-log.js';

const template = temporaryFolder();
const log = template.file('log');
let folder: string;
beforeAll(async () => {
  await writeLog(log, [decision(1)]);
  folder = mkdtempSync(join(tmpdir(), 'countersign-private-'));
});
afterAll(() => {
  template[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

describe.each([
  ['prove', (out: string) => ['audit', 'prove', log, '2', '--out', out]],
  ['report', (out: string) => ['audit', 'report', log, '--out', out]],
  ['keygen', (out: string) => ['keygen', '--out', out]],
])('the file that %s writes', (name, argv) => {
  it('replaces a file only on request, and is readable only by its owner [K6]', async () => {
    const out = join(folder, `${name}.out`);
    writeFileSync(out, 'precious', { mode: 0o644 });
    const { code, err } = await runCli(argv(out));
    expect(code).toBe(1);
    expect(err).toMatch(/exists\. Choose another file, or --force/);
    expect(readFileSync(out, 'utf8')).toBe('precious');
    expect((await runCli([...argv(out), '--force'])).code).toBe(0);
    expect(readFileSync(out, 'utf8')).not.toBe('precious');
    expect(statSync(out).mode & 0o777).toBe(0o600);
  });

  it('is never written through a symbolic link [K6]', async () => {
    const victim = join(folder, `${name}.victim`);
    writeFileSync(victim, 'precious');
    for (const [target, args] of [
      [victim, []],
      [victim, ['--force']],
      [join(folder, `${name}.nowhere`), []],
    ] as const) {
      const link = join(folder, `${name}.link`);
      symlinkSync(target, link);
      expect((await runCli([...argv(link), ...args])).code).toBe(1);
      rmSync(link);
    }
    expect(readFileSync(victim, 'utf8')).toBe('precious');
    expect(readdirSync(folder).filter((file) => file.startsWith(`${name}.nowhere`))).toEqual([]);
  });
});
