import { createHash } from 'node:crypto';
import type { Finding, LogReport } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { VerifiedPart } from '../../src/report/verified-part.js';

const file = 'audit-000001.jsonl';

interface Line {
  readonly sequence?: number | undefined;
  readonly text?: string;
  /** Default: the hash of the line before. */
  readonly prev?: string;
  /** False for a sealed line that is not a record. Default: true. */
  readonly isJson?: boolean;
}

/** Lines as they are read. */
function placed(lines: readonly Line[]) {
  let prev = '0'.repeat(64);
  return lines.map(({ sequence, text = '', prev: other, isJson = true }, at) => {
    const frame = sequence === undefined ? undefined : { sequence, prev: other ?? prev, isEvent: true };
    const hash = createHash('sha256').update(JSON.stringify({ frame, text })).digest();
    prev = hash.toString('hex');
    return { frame, line: frame && isJson ? { ...frame, record: {} } : undefined, hash, place: { file, line: at + 1 } };
  });
}

/** A verification that sealed the first lines; the first has the number that it states. */
function report(sealed: number, lines: readonly Line[], findings: readonly Finding[] = []): LogReport {
  const last = placed(lines)[sealed - (lines[0]?.sequence ?? 1)];
  const counts = { findings, findingCount: findings.length, size: 9, segments: 1, endsWithSeal: false, remarks: [] };
  const ok = findings.length === 0;
  return { ok, sealed, ...(last && { sealedHash: last.hash.toString('hex') }), ...counts };
}

const found = (line: number, of: string): Finding => ({ kind: 'edited', message: '', file: of, line });
const numbered = (...numbers: (number | undefined)[]): Line[] => numbers.map((sequence) => ({ sequence }));

/** The covered lines by their place, and whether the log is unchanged. */
function read(of: LogReport, lines: readonly Line[]): { readonly covered: readonly number[]; readonly same: boolean } {
  const part = new VerifiedPart(of);
  const covered = placed(lines).flatMap((line, at) => (part.covers(line) ? [at + 1] : []));
  return { covered, same: !part.isChanged };
}

/** Unchanged since its verification. */
function covered(sealed: number, lines: readonly Line[], findings?: readonly Finding[]): readonly number[] {
  const { covered: places, same } = read(report(sealed, lines, findings), lines);
  expect(same).toBe(true);
  return places;
}

describe('VerifiedPart', () => {
  it('covers the sealed number of lines, whatever number later lines claim', () => {
    expect(covered(3, numbered(1, 2, 3, 4, 5))).toEqual([1, 2, 3]);
    expect(covered(3, numbered(1, 2, 3, 1, 2, undefined, 3))).toEqual([1, 2, 3]);
    expect(covered(0, numbered(1, 1))).toEqual([]);
  });

  it('begins at the oldest remaining segment', () => {
    expect(covered(12, numbered(11, 12, 13))).toEqual([1, 2]);
    expect(covered(10, numbered(11, 12))).toEqual([]);
    expect(covered(5, numbered(11, 12))).toEqual([]);
    expect(covered(5, numbered(undefined, 2))).toEqual([]);
  });

  it('covers no line after the first finding in its own file', () => {
    const findings = [found(3, file), found(2, 'checkpoints.txt')];
    expect(covered(5, numbered(1, 2, 3, 4, 5), findings)).toEqual([1, 2]);
  });

  it('follows sealed lines that are not records', () => {
    expect(covered(3, [{ sequence: 1 }, { sequence: 2, isJson: false }, { sequence: 3 }])).toEqual([1, 2, 3]);
  });

  it('accepts a log that has grown since', () => {
    const verified = report(2, numbered(1, 2, 3));
    expect(read(verified, numbered(1, 2, 3, 4, 5))).toEqual({ covered: [1, 2], same: true });
  });

  const original = numbered(1, 2, 3, 4);
  it.each<[string, readonly Line[]]>([
    ['the last sealed line', original.with(2, { sequence: 3, text: 'x' })],
    ['one before, with all links anew', original.with(1, { sequence: 2, text: 'x' })],
    [
      'one before, and no link',
      original
        .with(0, { sequence: 1, text: 'x' })
        .with(1, { sequence: 2, prev: placed(original)[1]?.frame?.prev ?? '' }),
    ],
    ['a line into none', original.with(1, {})],
    ['a line taken out', original.toSpliced(1, 1)],
    ['the end cut off', original.slice(0, 2)],
    ['everything taken away', []],
    ['lines put before', [...numbered(1, 2), ...original]],
    ['the first number to a lower one', original.with(0, { sequence: -1 })],
    ['the first number to a higher one', original.with(0, { sequence: 9 })],
  ])('tells of a change in between: %s', (_name, lines) => {
    expect(read(report(3, original), lines).same).toBe(false);
  });
});
