import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditFile } from '../../src/log/audit-file.js';
import { isEvent, readWholeAuditLog } from '../../src/log/read-audit-log.js';
import { bundle } from '../bundle.js';
import { event, type Folder, temporaryFolder } from '../events.js';

type Child = ChildProcessByStdio<null, Readable, null>;

let programs: Folder;
let writer: string;

beforeAll(async () => {
  programs = temporaryFolder();
  writer = await bundle(new URL('../crash-writer.ts', import.meta.url), programs.path);
});

afterAll(() => programs[Symbol.dispose]());

/** Kills the writer once it has acknowledged so many records; returns all that it acknowledged. */
async function killAfter(child: Child, acknowledgements: number): Promise<string[]> {
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
    if (output.split('\n').length > acknowledgements) child.kill('SIGKILL');
  });
  await once(child, 'close');
  return output.split('\n').slice(0, -1);
}

async function read(directory: string): Promise<{ ids: string[]; sequences: number[] }> {
  const ids: string[] = [];
  const sequences: number[] = [];
  for await (const record of readWholeAuditLog(directory)) {
    if (isEvent(record)) ids.push(record.id);
    sequences.push(record.sequence);
  }
  return { ids, sequences };
}

describe('a process that is killed', () => {
  // Ten processes one after the other: seconds, unless the machine is busy.
  it('loses no acknowledged record in ten kills, and its log has no gap [F4, F5]', { timeout: 120_000 }, async () => {
    using folder = temporaryFolder();
    const acknowledged: string[] = [];
    for (let run = 0; run < 10; run++) {
      const child = spawn(process.execPath, [writer, folder.path, `run${run}`], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      acknowledged.push(...(await killAfter(child, 1 + run * 37)));
    }
    const { ids, sequences } = await read(folder.path);
    const known = new Set(ids);
    expect(acknowledged.length).toBeGreaterThan(1000);
    expect(acknowledged.filter((id) => !known.has(id))).toEqual([]);
    expect(known.size).toBe(ids.length);
    expect(sequences).toEqual(sequences.map((_, index) => index + 1));
  });

  it('a file at its size limit refuses records and stays intact [F4]', async () => {
    using folder = temporaryFolder();
    const child = spawn(
      'sh',
      ['-c', 'ulimit -f 20; exec "$@"', 'sh', process.execPath, writer, folder.path, 'run', 'fill'],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    );
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    const [code] = (await once(child, 'close')) as [number];
    expect(code).toBe(0);
    const lines = output.trimEnd().split('\n');
    const failures = lines.slice(-3);
    expect(failures.every((failure) => /AuditError: .* cannot be written \(EFBIG\)/.test(failure))).toBe(true);
    expect((await read(folder.path)).ids).toEqual(lines.slice(0, -3));
    expect(lines.length).toBeGreaterThan(5);
    expect(readFileSync(folder.log).at(-1)).toBe(0x0a);
    expect(statSync(folder.log).size).toBeLessThanOrEqual(20 * 1024);

    const sink = auditFile(folder.path);
    await sink.write(event('space again'));
    await sink.close?.();
    expect((await read(folder.path)).ids.at(-1)).toBe('space again');
  });

  it('a start on a full disk is refused and leaves no file [G5, F4]', async () => {
    using folder = temporaryFolder();
    const limited = ['-c', 'ulimit -f 0; exec "$@"', 'sh', process.execPath, writer, folder.path, 'run'];
    const child = spawn('sh', limited, { stdio: ['ignore', 'pipe', 'pipe'] });
    const [output] = await Promise.all([text(child.stderr), once(child, 'close')]);
    expect(output).toMatch(/ConfigError: auditFile: the log in .* cannot be opened: Error: EFBIG/);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});
