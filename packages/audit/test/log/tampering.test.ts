import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  checkProof,
  type FindingKind,
  leafHash,
  type LogReport,
  proveRecord,
  splitCheckpoints,
  verifyLog,
} from '@countersign/audit-verifier';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditFile } from '../../src/log/audit-file.js';
import { checkpointSigner } from '../../src/checkpoints/checkpoint-signer.js';
import { LogChain } from '../../src/log/log-chain.js';
import { event, type Folder, temporaryFolder } from '../events.js';

const { privateKey } = generateKeyPairSync('ed25519');
const origin = 'acme.dev/audit/1';
const events = 60;

/** Small segments, many checkpoints. */
async function writeLog(directory: string, about: string): Promise<void> {
  const sink = auditFile(directory, {
    origin,
    checkpointKey: privateKey,
    checkpointEvery: { records: 7 },
    maxSegmentBytes: 6000,
  });
  for (let count = 0; count < events; count += 3) {
    await Promise.all([0, 1, 2].map((more) => sink.write(event(`${about}-${count + more}`))));
  }
  await sink.close?.();
}

/** Only whoever has a log with its key can write another of its name: it goes on from the same first record. */
function beginAs(from: Folder, to: Folder): void {
  const [first = ''] = readFileSync(from.log, 'utf8').split('\n');
  writeFileSync(to.log, `${first}\n`);
  const [note = ''] = splitCheckpoints(readFileSync(join(from.path, 'checkpoints.txt'), 'utf8'));
  writeFileSync(join(to.path, 'checkpoints.txt'), `${note}\n`);
}

/** A log as lines in segments, for whoever wants to change it. */
class Log {
  readonly folder: Folder = temporaryFolder();
  readonly #files: string[];
  segments: string[][];

  constructor(template: Folder) {
    cpSync(template.path, this.folder.path, { recursive: true });
    this.#files = readdirSync(this.folder.path).filter((name) => name.endsWith('.jsonl'));
    this.segments = this.#files.map((name) => readFileSync(this.path(name), 'utf8').split('\n').slice(0, -1));
  }

  path(name: string): string {
    return join(this.folder.path, name);
  }

  get lines(): string[] {
    return this.segments.flat();
  }

  /** Puts other lines in place of all, where the segments end as before; what is more goes into the last. */
  set lines(lines: readonly string[]) {
    const rest = [...lines];
    const lengths = this.segments.map(({ length }) => length);
    this.segments = lengths.map((length, index) => rest.splice(0, index === lengths.length - 1 ? rest.length : length));
  }

  get checkpoints(): string[] {
    return splitCheckpoints(readFileSync(this.path('checkpoints.txt'), 'utf8'));
  }

  set checkpoints(notes: readonly string[]) {
    writeFileSync(this.path('checkpoints.txt'), notes.map((note) => `${note}\n`).join(''));
  }

  async verify(checkpoints?: string, vkey = key): Promise<LogReport> {
    for (const [index, lines] of this.segments.entries()) {
      const path = this.path(this.#files[index]!);
      if (lines.length === 0) rmSync(path, { force: true });
      else writeFileSync(path, lines.map((line) => `${line}\n`).join(''));
    }
    return await verifyLog(this.folder.path, { key: vkey, ...(checkpoints === undefined ? {} : { checkpoints }) });
  }

  /** Links everything anew, as one does who knows how the log is made, but has not its key. */
  relink(): void {
    const chain = new LogChain();
    this.segments = this.segments.map((lines) =>
      lines.map((line) => {
        const { sequence: _sequence, version: _version, prev: _prev, ...record } = parse(line);
        const start = record['segment'] as object | undefined;
        const renewed = start && { segment: { ...start, size: chain.size, frontier: chain.frontier } };
        return String(chain.append(JSON.stringify({ ...record, ...renewed }))).trimEnd();
      }),
    );
  }

  [Symbol.dispose](): void {
    this.folder[Symbol.dispose]();
  }
}

function parse(line: string): Record<string, unknown> {
  return JSON.parse(line) as Record<string, unknown>;
}

function kinds(report: LogReport): FindingKind[] {
  return [...new Set(report.findings.map(({ kind }) => kind))].toSorted();
}

/** Whether a finding of the kind names the record. */
function names(report: LogReport, kind: FindingKind, sequence: number): boolean {
  return report.findings.some(
    (finding) => finding.kind === kind && finding.from! <= sequence && sequence <= (finding.through ?? finding.from!),
  );
}

let template: Folder;
/** The name of the log, and its verifier key. */
let name: string;
let key: string;
let size: number;

beforeAll(async () => {
  template = temporaryFolder();
  await writeLog(template.path, 'a');
  key = readFileSync(join(template.path, 'checkpoint.vkey'), 'utf8').trim();
  name = key.split('+')[0]!;
  using log = new Log(template);
  size = log.lines.length;
});
afterAll(() => template[Symbol.dispose]());

/** Runs with records chosen at will, none of them the last, which nothing seals. */
async function forSome(tamper: (log: Log, at: number, other: number) => Promise<void>, numRuns = 12): Promise<void> {
  const place = fc.integer({ min: 1, max: size - 1 });
  await fc.assert(
    fc.asyncProperty(place, place, async (at, other) => {
      using log = new Log(template);
      await tamper(log, at, other);
    }),
    { numRuns },
  );
}

it('an untouched log verifies', async () => {
  using log = new Log(template);
  expect(log.segments.length).toBeGreaterThan(4);
  expect(log.checkpoints.length).toBeGreaterThan(8);
  const report = await log.verify(log.checkpoints.join('\n'));
  expect(report).toMatchObject({ ok: true, findings: [], size, sealed: size - 1, remarks: [] });
});

describe('verifyLog names the finding when [F6]', () => {
  it('a record is edited', () =>
    forSome(async (log, at, other) => {
      const line = log.lines[at - 1]!;
      // Any character of it, also of its number, its link, its punctuation.
      const position = (other * 7919) % line.length;
      const changed = `${line.slice(0, position)}${line[position] === '1' ? '2' : '1'}${line.slice(position + 1)}`;
      log.lines = log.lines.with(at - 1, changed);
      const report = await log.verify();
      expect(names(report, 'edited', at)).toBe(true);
      // The first record of a segment holds the name of the log, too, which the key is compared with.
      if (parse(line)['segment'] !== undefined) return;
      expect(kinds(report)).toEqual(['edited']);
      expect(report.findingCount).toBe(1);
    }, 30));

  it('several records are edited', () =>
    forSome(async (log, at, other) => {
      log.lines = log.lines.map((line, index) => (index === at - 1 || index === other - 1 ? edit(line) : line));
      const report = await log.verify();
      expect(kinds(report)).toEqual(['edited']);
      expect([names(report, 'edited', at), names(report, 'edited', other)]).toEqual([true, true]);
    }));

  it('neighbours are edited', () =>
    forSome(async (log, at, other) => {
      // The last but one has the last as its only witness, which nothing vouches for.
      const through = Math.min(size - 2, at + (other % 5));
      const from = Math.min(at, through);
      log.lines = log.lines.map((line, index) => (index >= from - 1 && index < through ? edit(line) : line));
      expect((await log.verify()).findings).toMatchObject([{ kind: 'edited', from, through }]);
    }));

  it('records are removed', () =>
    forSome(async (log, at, other) => {
      const [from, through] = [Math.min(at, other), Math.max(at, other)];
      log.lines = log.lines.filter((_, index) => index < from - 1 || index > through - 1);
      const report = await log.verify();
      expect(report.findings).toMatchObject([{ kind: 'removed', from, through }]);
    }));

  it('two records swap places', () =>
    forSome(async (log, at, other) => {
      if (at === other) return;
      const lines = log.lines;
      log.lines = lines.with(at - 1, lines[other - 1]!).with(other - 1, lines[at - 1]!);
      const report = await log.verify();
      expect(report.ok).toBe(false);
      expect(names(report, 'reordered', Math.min(at, other)) || names(report, 'reordered', Math.max(at, other))).toBe(
        true,
      );
      expect(kinds(report)).not.toContain('removed');
    }));

  it('a record is repeated', () =>
    forSome(async (log, at, other) => {
      const [from, to] = [Math.min(at, other), Math.max(at, other)];
      log.lines = log.lines.toSpliced(to, 0, log.lines[from - 1]!);
      const report = await log.verify();
      expect(report.findings).toMatchObject([{ kind: 'duplicated', from, through: from }]);
    }));

  it('the end is cut off, between records or within one', () =>
    forSome(async (log, at) => {
      log.lines = log.lines.slice(0, at);
      const report = await log.verify();
      const expected = at < size - 1 ? [{ kind: 'cut_tail', from: at + 1, through: size - 1 }] : [];
      expect(report.findings).toMatchObject(expected);
      const last = readdirSync(log.folder.path)
        .filter((name) => name.endsWith('.jsonl'))
        .at(-1)!;
      appendFileSync(log.path(last), '{"sequence":');
      const torn = await verifyLog(log.folder.path, { key });
      expect(torn.findings).toMatchObject(expected);
      expect(torn.remarks).toEqual([`${last} ends with 12 bytes that are no whole record.`]);
    }));

  it('the end and its checkpoints are cut off, but only with a checkpoint kept elsewhere', () =>
    forSome(async (log, at) => {
      const all = log.checkpoints;
      log.lines = log.lines.slice(0, at);
      log.checkpoints = all.filter((note) => Number(note.split('\n')[1]) <= at);
      const report = await log.verify(all.at(-1));
      if (at < size - 1) expect(names(report, 'cut_tail', at + 1)).toBe(true);
      expect(report.ok).toBe(at === size - 1);
    }));

  it('the whole log is rewritten with correct links', () =>
    forSome(async (log, at) => {
      const decisions = log.lines.map((line, index) => (line.includes('"allow"') ? index : -1));
      const changed = decisions.find((index) => index >= at - 1) ?? decisions.findLast((index) => index >= 0)!;
      log.lines = log.lines.with(changed, log.lines[changed]!.replace('"allow"', '"deny"'));
      log.relink();
      const report = await log.verify();
      expect(kinds(report)).toEqual(['rewritten']);
      expect(names(report, 'rewritten', changed + 1)).toBe(true);
      // Without the checkpoints of its key it is as good as any log, and says that nothing of it is sealed.
      rmSync(log.path('checkpoints.txt'));
      expect(kinds(await log.verify())).toEqual(['checkpoint_removed']);
    }));

  it('the log is forked', async () => {
    using other = temporaryFolder();
    beginAs(template, other);
    await writeLog(other.path, 'b');
    using log = new Log(template);
    using fork = new Log(other);
    for (const note of fork.checkpoints.slice(1)) {
      const report = await log.verify(note);
      expect(kinds(report)).toEqual(['forked']);
      expect(report.findings[0]?.message).toContain('sealed elsewhere');
    }
    // Also when the other history lies beside this one.
    log.checkpoints = [...log.checkpoints, fork.checkpoints[3]!];
    expect(kinds(await log.verify())).toEqual(['forked']);
  });

  it('another key, or the key of another log, is given', async () => {
    using log = new Log(template);
    const stranger = checkpointSigner(name, generateKeyPairSync('ed25519').privateKey);
    expect(kinds(await log.verify(undefined, stranger.verifierKey))).toEqual(['wrong_key']);
    const otherName = checkpointSigner('acme.dev/audit/2', privateKey);
    expect(kinds(await log.verify(undefined, otherName.verifierKey))).toEqual(['wrong_key']);
  });

  it('the whole log is rewritten and sealed with another key', async () => {
    using log = new Log(template);
    const stranger = checkpointSigner(name, generateKeyPairSync('ed25519').privateKey);
    log.lines = log.lines.map((line) => line.replace('agent-code-reviewer-01', 'agent-code-reviewer-02'));
    log.relink();
    const chain = new LogChain();
    const sizes = new Set(log.checkpoints.map((note) => Number(note.split('\n')[1])));
    const notes: string[] = [];
    for (const line of log.lines) {
      if (sizes.has(chain.size)) notes.push(stranger.sign({ size: chain.size, root: chain.root }));
      const { sequence: _s, version: _v, prev: _p, ...record } = parse(line);
      chain.append(JSON.stringify(record));
    }
    log.checkpoints = notes;
    expect(kinds(await log.verify())).toEqual(['wrong_key']);
  });

  it('a segment is missing', async () => {
    using log = new Log(template);
    for (const [index, lines] of log.segments.slice(0, -1).entries()) {
      const kept = log.segments;
      log.segments = kept.with(index, []);
      const from = parse(lines[0]!)['sequence'];
      const report = await log.verify();
      expect(report.findings).toMatchObject([{ kind: 'removed', from, through: parse(lines.at(-1)!)['sequence'] }]);
      log.segments = kept;
    }
  });

  it('the oldest segments are missing without `archived`', async () => {
    using log = new Log(template);
    for (const number of [1, 2]) rmSync(log.path(`audit-00000${number}.jsonl`));
    expect((await verifyLog(log.folder.path, { key })).findings).toMatchObject([{ kind: 'removed', from: 1 }]);
    expect(await verifyLog(log.folder.path, { key, archived: true })).toMatchObject({ ok: true, sealed: size - 1 });
    const third = log.path('audit-000003.jsonl');
    writeFileSync(
      third,
      readFileSync(third, 'utf8').replace(
        /"frontier":\["(.)/,
        (_, digit) => `"frontier":["${digit === 'a' ? 'b' : 'a'}`,
      ),
    );
    expect((await verifyLog(log.folder.path, { key, archived: true })).ok).toBe(false);
  });

  it('no segment begins without a checkpoint in an archived log', async () => {
    using log = new Log(template);
    const sealed = new Set(log.checkpoints.map((note) => Number(note.split('\n')[1])));
    for (const [index, [first = '']] of log.segments.entries()) {
      if (index > 0) expect(sealed).toContain(Number(parse(first)['sequence']) - 1);
      const report = await verifyLog(log.folder.path, { key, archived: true });
      expect(report).toMatchObject({ ok: true, sealed: size - 1, segments: log.segments.length - index });
      rmSync(log.path(`audit-${String(index + 1).padStart(6, '0')}.jsonl`));
    }
  });

  it('two segments swap names', async () => {
    using log = new Log(template);
    renameSync(log.path('audit-000002.jsonl'), log.path('x'));
    renameSync(log.path('audit-000003.jsonl'), log.path('audit-000002.jsonl'));
    renameSync(log.path('x'), log.path('audit-000003.jsonl'));
    const from = parse(log.segments[1]![0]!)['sequence'];
    const report = await verifyLog(log.folder.path, { key });
    expect(report.findings).toMatchObject([{ kind: 'reordered', from, file: 'audit-000003.jsonl' }]);
  });

  it('a checkpoint is removed', async () => {
    using log = new Log(template);
    const all = log.checkpoints;
    // The log holds no record of the first, which seals its first record alone.
    for (const [index, note] of [...all.entries()].slice(1)) {
      log.checkpoints = all.toSpliced(index, 1);
      const report = await log.verify();
      expect(kinds(report)).toEqual(['checkpoint_removed']);
      expect(report.findings[0]?.message).toContain(` ${note.split('\n')[1]} records`);
    }
  });

  it('a checkpoint is edited', async () => {
    using log = new Log(template);
    const all = log.checkpoints;
    for (const [index, note] of all.entries()) {
      const [name, count, ...rest] = note.split('\n');
      log.checkpoints = all.with(index, [name, Number(count) - 1, ...rest].join('\n'));
      expect(kinds(await log.verify())).toContain('checkpoint_edited');
    }
  });
});

describe('proofs', () => {
  it('every sealed record, and no other, has a proof that checks without the log', async () => {
    using log = new Log(template);
    const [line = ''] = log.lines.slice(8);
    const id = String(parse(line)['id']);
    const proven = await proveRecord(log.folder.path, { id, key });
    if (!proven.ok) throw new Error(proven.problem);
    expect(proven.sequence).toBe(9);
    expect(checkProof(proven.proof, key)).toMatchObject({
      ok: true,
      line,
      record: parse(line),
      checkpoint: { origin: name, size: size - 1 },
    });
    const bytes = Buffer.from(proven.proof);
    for (let at = 0; at < bytes.length; at += 3) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(checkProof(changed.toString('utf8'), key).ok, `byte ${at}`).toBe(false);
    }
    const stranger = checkpointSigner(name, generateKeyPairSync('ed25519').privateKey);
    expect(checkProof(proven.proof, stranger.verifierKey)).toEqual({ ok: false, problem: 'wrong_key' });
    expect(checkProof('', key)).toEqual({ ok: false, problem: 'malformed' });
  });

  it('each record is proved by its sequence number', async () => {
    using log = new Log(template);
    for (let sequence = 1; sequence < size; sequence += 5) {
      const proven = await proveRecord(log.folder.path, { sequence, key });
      expect(proven.ok && checkProof(proven.proof, key)).toMatchObject({ ok: true, line: log.lines[sequence - 1] });
    }
    expect(await proveRecord(log.folder.path, { sequence: size, key })).toEqual({
      ok: false,
      problem: 'not_sealed_yet',
    });
    expect(await proveRecord(log.folder.path, { id: 'unknown', key })).toEqual({ ok: false, problem: 'not_found' });
  });

  it('a damaged log gives no proof', async () => {
    using log = new Log(template);
    log.lines = log.lines.with(3, log.lines[3]!.replace('2026', '2025'));
    await log.verify();
    expect(await proveRecord(log.folder.path, { sequence: 11, key })).toEqual({ ok: false, problem: 'log_damaged' });
  });
});

function edit(line: string): string {
  return line.replace('2026', '2025').replace('version":1', 'version":2');
}

it.each([
  ['recovered', { bytes: { toString: 1, valueOf: 1 }, sha256: 'f'.repeat(64), file: 'x' }],
  ['checkpoint', { size: { toString: 1, valueOf: 1 }, root: `${'A'.repeat(43)}=` }],
])('a log that ends with a %s record of the wrong types does not start [F10]', async (phase, content) => {
  using folder = temporaryFolder();
  await writeLog(folder.path, 'whole');
  const last = segmentFiles(folder).at(-1) ?? '';
  const path = join(folder.path, last);
  const line = readFileSync(path, 'utf8').split('\n').at(-2) ?? '';
  const { sequence } = JSON.parse(line) as { readonly sequence: number };
  const prev = leafHash(Buffer.from(line)).toString('hex');
  const time = '2026-01-01T00:00:00Z';
  const forged = JSON.stringify({ sequence: sequence + 1, time, phase, [phase]: content, prev });
  appendFileSync(path, `${forged}\n`);
  expect(() => auditFile(folder.path, { checkpointKey: privateKey })).toThrow(/does not follow from the records/);
  expect(readFileSync(path, 'utf8')).toContain(forged);
});

function segmentFiles({ path }: Folder): string[] {
  return readdirSync(path).filter((name) => name.endsWith('.jsonl'));
}
