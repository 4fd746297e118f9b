import type { Finding, LogReport } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { VerifiedPart } from '../../src/report/verified-part.js';

const file = 'audit-000001.jsonl';

function report(sealed: number, findings: readonly Finding[] = []): LogReport {
  const counts = { findings, findingCount: findings.length, size: 9, segments: 1, remarks: [] };
  return { ok: findings.length === 0, sealed, ...counts };
}

const found = (line: number, of: string): Finding => ({ kind: 'edited', message: '', file: of, line });

/** Which of the lines are covered, by their place; each says that it has this number, or is no record. */
function covered(of: LogReport, numbers: readonly (number | undefined)[]): readonly number[] {
  const part = new VerifiedPart(of);
  return numbers.flatMap((sequence, at) => {
    const line = sequence === undefined ? undefined : { sequence, prev: '', isEvent: true, record: {} };
    return part.covers({ line, place: { file, line: at + 1 } }) ? [at + 1] : [];
  });
}

describe('VerifiedPart', () => {
  it('covers as many lines as are sealed, whatever number the later ones claim', () => {
    expect(covered(report(3), [1, 2, 3, 4, 5])).toEqual([1, 2, 3]);
    expect(covered(report(3), [1, 2, 3, 1, 2, undefined, 3])).toEqual([1, 2, 3]);
    expect(covered(report(0), [1, 1])).toEqual([]);
    expect(covered(report(9), [1, 2])).toEqual([1, 2]);
  });

  it('begins where the oldest segment that is left begins', () => {
    expect(covered(report(12), [11, 12, 13])).toEqual([1, 2]);
    expect(covered(report(5), [11, 12])).toEqual([]);
    expect(covered(report(5), [undefined, 2])).toEqual([]);
  });

  it('covers nothing from the first line on of which something was found, and heeds no other file', () => {
    expect(covered(report(5, [found(3, file), found(2, 'checkpoints.txt')]), [1, 2, 3, 4, 5])).toEqual([1, 2]);
  });
});
