import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditFile } from '../../src/log/audit-file.js';
import { bundle } from '../bundle.js';
import { event, type Folder, temporaryFolder } from '../events.js';
import { contents, segments, verify } from '../log-folder.js';

let programs: Folder;
let program: string;

beforeAll(async () => {
  programs = temporaryFolder();
  program = await bundle(new URL('../reporting-writer.ts', import.meta.url), programs.path);
});

afterAll(() => programs[Symbol.dispose]());

interface Settings {
  readonly maxSegmentBytes?: number;
  readonly hoursAhead?: number;
}

/** A process that writes to a log what it is told. */
class Writer {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #answers: AsyncIterator<string>;

  constructor(path: string, { maxSegmentBytes = 1_000_000, hoursAhead = 0 }: Settings) {
    const settings = [`${maxSegmentBytes}`, `${hoursAhead}`];
    this.#child = spawn(process.execPath, [program, path, ...settings], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#answers = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]();
  }

  static async start(folder: Folder, settings: Settings = {}): Promise<Writer> {
    const writer = new Writer(folder.path, settings);
    expect(await writer.#answer()).toBe('ready');
    return writer;
  }

  async write(id: string): Promise<string> {
    this.#child.stdin.write(`${id}\n`);
    return await this.#answer();
  }

  async close(): Promise<void> {
    const closed = once(this.#child, 'close');
    this.#child.stdin.end();
    expect(await closed).toEqual([0, null]);
  }

  async #answer(): Promise<string> {
    const { value } = (await this.#answers.next()) as { value?: string };
    return value ?? 'gone';
  }
}

/** Makes the lock look as if a process of another container held it: whether that lives, nobody can tell. */
function hideOwner(folder: Folder): void {
  const path = join(folder.path, 'audit.lock');
  const hidden = readFileSync(path, 'utf8').replace(/pid:\[\d+\]/, 'pid:[1]');
  expect(hidden).toContain('pid:[1]');
  writeFileSync(path, hidden);
}

const configurations: [string, string[], Settings, Settings][] = [
  ['configured alike', ['B', 'A', 'B', 'A', 'A', 'B'], {}, {}],
  ['of which the later one has smaller segments', ['B', 'A', 'B', 'A', 'A', 'B'], {}, { maxSegmentBytes: 1024 }],
  ['of which the earlier one has smaller segments', ['A', 'A', 'B', 'B', 'A'], { maxSegmentBytes: 1024 }, {}],
  ['of which the later one has a clock that is ahead', ['B', 'A', 'B', 'B', 'A'], {}, { hoursAhead: 25 }],
  ['of which the earlier one has a clock that is ahead', ['A', 'A', 'B', 'B', 'A'], { hoursAhead: 25 }, {}],
];

describe('two processes in different containers [F6]', () => {
  it.each(configurations)('%s: only the later one is acknowledged from its start on', async (...configuration) => {
    const [name, order, first, second] = configuration;
    using folder = temporaryFolder();
    const early = await Writer.start(folder, first);
    for (let count = 0; count < 7; count++) expect(await early.write(`early ${count}`)).toBe('written');
    hideOwner(folder);
    const late = await Writer.start(folder, second);
    const answers: string[] = [];
    for (const [index, who] of order.entries()) {
      answers.push(await (who === 'A' ? early : late).write(`${who}${index}`));
    }
    expect(answers).toEqual(order.map((who) => (who === 'A' ? 'file_replaced' : 'written')));
    await early.close();
    expect(await late.write('last')).toBe('written');
    await late.close();

    const after = auditFile(folder.path);
    await after.write(event('after'));
    await after.close?.();
    const acknowledged = order.map((who, index) => `${who}${index}`).filter((id) => id.startsWith('B'));
    const written = (await contents(folder)).filter((one) => !['segment', 'checkpoint'].includes(one));
    expect(written.slice(7)).toEqual([...acknowledged, 'last', 'after']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
    expect(segments(folder).length > 1).toBe(name !== 'configured alike');
  });
});
