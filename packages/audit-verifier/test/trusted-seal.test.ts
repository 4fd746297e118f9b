import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readKeptCheckpoints } from '../src/checkpoint-file.js';
import { verifyOnce } from '../src/log-pass.js';
import { leafHash } from '../src/merkle.js';
import { readVerifierKey } from '../src/note.js';
import { verifyLog } from '../src/verify-log.js';
import { key, SmallLog, someRoot } from './small-log.js';

/** Two segments, checkpoints after records 4, 8 and 13, and some records that nothing seals. */
let log: SmallLog;
/** Its files as they were. */
let original: ReadonlyMap<string, Buffer>;
const size = 16;

beforeAll(() => {
  log = new SmallLog();
  log.seal();
  log.startSegment();
  for (const id of ['d', 'e', 'f']) log.add({ id, phase: 'authentication' });
  log.seal();
  for (const id of ['g', 'h', 'i']) log.add({ id, phase: 'outcome' });
  log.add({ phase: 'checkpoint', checkpoint: { size: 8, root: someRoot } });
  log.add({ id: 'j', phase: 'decision' });
  log.seal();
  for (const id of ['k', 'l', 'm']) log.add({ id, phase: 'decision' });
  expect(log.size).toBe(size);
  original = new Map(readdirSync(log.path).map((name) => [name, readFileSync(log.file(name))]));
});
afterAll(() => log[Symbol.dispose]());

type Lines = readonly Buffer[];

function linesOf(name: string): Lines {
  const text = original.get(name)?.toString('latin1') ?? '';
  return text
    .split('\n')
    .slice(0, -1)
    .map((line) => Buffer.from(line, 'latin1'));
}

const segments = ['audit-000001.jsonl', 'audit-000002.jsonl'];
const firstLength = 4;

/** Writes the log with other lines; the second segment begins where it did. */
function write(lines: Lines, checkpoints = original.get('checkpoints.txt') ?? Buffer.alloc(0)): void {
  const parts = [lines.slice(0, firstLength), lines.slice(firstLength)];
  for (const [index, name] of segments.entries()) {
    const part = parts[index] ?? [];
    rmSync(log.file(name), { force: true });
    if (part.length > 0)
      writeFileSync(log.file(name), `${part.map((line) => line.toString('latin1')).join('\n')}\n`, 'latin1');
  }
  writeFileSync(log.file('checkpoints.txt'), checkpoints);
}

/** Links the lines from one on anew, as one does who has not the key. */
function relinked(lines: Lines, from: number): Lines {
  let prev = lines[from] && leafHash(lines[from]).toString('hex');
  return lines.map((line, index) => {
    if (index <= from || prev === undefined) return line;
    const linked = Buffer.from(line.toString('latin1').replace(/"[0-9a-f]{64}"\}$/, `"${prev}"}`), 'latin1');
    prev = leafHash(linked).toString('hex');
    return linked;
  });
}

function insert(line: Buffer, members: string): Buffer {
  const text = line.toString('latin1');
  const end = text.lastIndexOf(',"prev"');
  return Buffer.from(`${text.slice(0, end)},${members}${text.slice(end)}`, 'latin1');
}

const at = fc.nat({ max: size - 1 });
const change: fc.Arbitrary<(lines: Lines) => Lines> = fc.oneof(
  fc.tuple(at, fc.nat(), fc.integer({ min: 0, max: 255 })).map(([index, position, byte]) => (lines: Lines) => {
    const line = Buffer.from(lines[index] ?? []);
    if (line.length > 0) line[position % line.length] = byte;
    return index < lines.length ? lines.with(index, line) : lines;
  }),
  fc
    .tuple(
      at,
      fc.constantFrom('"sequence":3', '"\\u0073equence":3', '"\\u0070rev":"0"', 'no JSON', '"phase":"segment"'),
    )
    .map(([index, members]) => (lines: Lines) => {
      const line = lines[index];
      return line === undefined ? lines : lines.with(index, insert(line, members));
    }),
  at.map((index) => (lines: Lines) => relinked(lines, index)),
  at.map((index) => (lines: Lines) => lines.toSpliced(index, 1)),
  fc.tuple(at, at).map(([from, to]) => (lines: Lines) => {
    const line = lines[from];
    return line === undefined ? lines : lines.toSpliced(to, 0, line);
  }),
  at.map((index) => (lines: Lines) => lines.slice(0, index)),
);

describe('lines under a checkpoint, which are not parsed, [F6]', () => {
  const verifierKey = readVerifierKey(key);
  if (typeof verifierKey === 'string') throw new Error(verifierKey);

  it('give the same findings as parsing each line', async () => {
    const notes = readKeptCheckpoints(log.checkpoints).notes.map((note) => `${note}\n`);
    const changes = fc.array(change, { maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(changes, fc.subarray(notes), fc.boolean(), fc.boolean(), async (some, left, keeps, archived) => {
        const lines = some.reduce((all, one) => one(all), segments.flatMap(linesOf) as Lines);
        write(lines, Buffer.from(left.join('')));
        const checkpoints = keeps ? [notes.join('')] : [];
        const kept = checkpoints.map((text) => ({
          name: 'the checkpoints kept elsewhere',
          ...readKeptCheckpoints(text),
        }));
        const closely = async () =>
          (await verifyOnce({ directory: log.path, key: verifierKey, kept, archived }, 0)).report;
        const quickly = async () => verifyLog(log.path, { key, checkpoints, archived });
        const outcomes = await Promise.allSettled([closely(), quickly()]);
        expect(outcomes[1]).toEqual(outcomes[0]);
      }),
      { numRuns: 50 },
    );
  });

  it.each([
    ['sealed', 7],
    ['not sealed', 14],
  ])('cause a finding when any byte of a record that is %s was changed', async (_name, sequence) => {
    const lines = segments.flatMap(linesOf);
    const line = lines[sequence - 1] ?? Buffer.alloc(0);
    // Every third, for the sake of time.
    for (let position = 0; position < line.length; position += 3) {
      const changed = Buffer.from(line);
      changed[position]! ^= 1;
      write(lines.with(sequence - 1, changed));
      const { findings } = await verifyLog(log.path, { key });
      expect(findings, changed.toString()).toMatchObject([{ kind: 'edited', from: sequence, through: sequence }]);
    }
  });

  it('cause a finding when a change was relinked, but not to the end', async () => {
    const lines = segments.flatMap(linesOf);
    const changed = lines.with(5, insert(lines[5] ?? Buffer.alloc(0), '"more":1'));
    write([...relinked(changed, 5).slice(0, 10), ...lines.slice(10)]);
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([
      { kind: 'edited', from: 10, through: 10 },
      { kind: 'rewritten', from: 5, through: 8 },
    ]);
  });
});
