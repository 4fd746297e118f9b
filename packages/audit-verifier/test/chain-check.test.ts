import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ChainCheck } from '../src/chain-check.js';
import { type Finding, Findings } from '../src/finding.js';
import { noPrev, readLogLine } from '../src/log-line.js';
import { leafHash } from '../src/merkle.js';

const size = 14;
/** Each file holds so many lines. */
const perFile = 5;

const original: readonly string[] = Array.from({ length: size }).reduce<string[]>((lines) => {
  const prev = lines.length === 0 ? noPrev : hashOf(lines.at(-1) ?? '');
  return [...lines, `{"sequence":${lines.length + 1},"phase":"decision","who":"agent-a","prev":"${prev}"}`];
}, []);

function hashOf(line: string): string {
  return leafHash(Buffer.from(line)).toString('hex');
}

const edits = {
  content: (line: string) => line.replace('agent-a', 'agent-b'),
  link: (line: string) => line.replace(/"[0-9a-f]{64}"\}$/, `"${'7'.repeat(64)}"}`),
  both: (line: string) => edits.link(edits.content(line)),
  end: (line: string) => `${line.slice(0, -1)}]`,
  number: (line: string) => line.replace(/"sequence":(\d+)/, '"sequence":9$1'),
  'no JSON': (line: string) => line.replace('"who"', 'who'),
  torn: (line: string) => line.slice(0, 30),
} as const;
type Edit = keyof typeof edits;
const kinds = Object.keys(edits) as Edit[];

interface Tampering {
  readonly edited?: ReadonlyMap<number, Edit>;
  readonly removed?: ReadonlySet<number>;
}

function tampered({ edited = new Map(), removed = new Set() }: Tampering): readonly string[] {
  return original.flatMap((line, index) => {
    const edit = edited.get(index + 1);
    return removed.has(index + 1) ? [] : [edit === undefined ? line : edits[edit](line)];
  });
}

/** `sealed`: so many records are known to be right. */
function findingsOn(lines: readonly string[], sealed = 0): readonly Finding[] {
  return checked(lines, sealed).findings;
}

function checked(lines: readonly string[], sealed = 0): { readonly findings: readonly Finding[]; through: number } {
  const findings = new Findings();
  const chain = new ChainCheck(findings);
  for (const [index, text] of lines.entries()) {
    const bytes = Buffer.from(text);
    const place = { file: `file ${Math.floor(index / perFile)}`, line: (index % perFile) + 1 };
    chain.take(readLogLine(bytes), { bytes, hash: leafHash(bytes), place });
    if (index + 1 === sealed) chain.vouch(sealed);
  }
  chain.end();
  expect(chain.intact).toBe(findings.count === 0);
  return { findings: findings.list, through: chain.linkedThrough };
}

function rangeOf({ from = 0, through = from }: Finding): readonly number[] {
  return Array.from({ length: through - from + 1 }, (_, index) => from + index);
}

const editedIn = (findings: readonly Finding[]): readonly number[] =>
  findings.flatMap((finding) => (finding.kind === 'edited' ? rangeOf(finding) : []));

/** Records of which a finding says that nobody can tell. */
const untold = (findings: readonly Finding[]): readonly number[] =>
  findings.flatMap(({ message }) => [...message.matchAll(/whether record (\d+) was/g)].map(([, one]) => Number(one)));

const messages = (tampering: Tampering): readonly string[] =>
  findingsOn(tampered(tampering)).map(({ message }) => message);

const all = (sequences: readonly number[], edit: Edit): ReadonlyMap<number, Edit> =>
  new Map(sequences.map((sequence) => [sequence, edit]));

/** Records 7 and 8 change places. */
function moved(lines: readonly string[]): readonly string[] {
  return lines.toSpliced(6, 2, lines[7] ?? '', lines[6] ?? '');
}

describe('edited records [F6]', () => {
  it.each(kinds.filter((kind) => kind !== 'both' && kind !== 'torn'))(
    'are named alone when one was changed (%s)',
    (kind) => {
      for (let sequence = 1; sequence < size - 1; sequence++) {
        const line = (sequence - 1) % perFile;
        expect(findingsOn(tampered({ edited: all([sequence], kind) }))).toEqual([
          {
            kind: 'edited',
            message: `Record ${sequence} was changed.`,
            from: sequence,
            through: sequence,
            file: `file ${(sequence - 1 - line) / perFile}`,
            line: line + 1,
          },
        ]);
      }
    },
  );

  it.each(['both', 'torn'] as const)(
    'are named with the one before (%s), and alone when a checkpoint covers that one',
    (kind) => {
      const lines = tampered({ edited: all([7], kind) });
      expect(findingsOn(lines)).toMatchObject([
        { message: 'Records 6 and 7 were changed, or one of them.', file: 'file 1', line: 1 },
      ]);
      expect(findingsOn(lines, 6)).toMatchObject([{ message: 'Record 7 was changed.', file: 'file 1', line: 2 }]);
      expect(messages({ edited: all([1], kind) })).toEqual(['Record 1 was changed.']);
    },
  );

  it('are one range, at the line of the first, when adjacent', () => {
    const findings = findingsOn(tampered({ edited: all([5, 6, 7, 8], 'content') }));
    expect(findings).toMatchObject([
      { message: 'Records 5 to 8 were changed, or some of them.', from: 5, through: 8, file: 'file 0', line: 5 },
    ]);
    expect(findings).toHaveLength(1);
    expect(messages({ edited: all([6, 7, 8], 'no JSON') })).toEqual(['Records 6 to 8 were changed.']);
  });

  it('do not confirm the one before when the next one was relinked', () => {
    const lines = tampered({ edited: all([7], 'torn') });
    const next = (lines[7] ?? '').replace(/"[0-9a-f]{64}"\}$/, `"${hashOf(lines[6] ?? '')}"}`);
    expect(findingsOn(lines.with(7, next))).toMatchObject([
      { message: 'Records 6 to 8 were changed, or some of them.', from: 6, through: 8 },
    ]);
  });

  it('are named alone when every second one was changed', () => {
    expect(messages({ edited: all([6, 8, 10], 'content') })).toEqual(
      [6, 8, 10].map((one) => `Record ${one} was changed.`),
    );
  });

  it('are named at the end of the log as far as their links show', () => {
    expect(messages({ edited: all([size], 'link') })).toEqual([
      `Records ${size - 1} and ${size} were changed, or one of them.`,
    ]);
    expect(messages({ edited: all([size - 1], 'content') })).toEqual([
      `Records ${size - 1} and ${size} were changed, or one of them.`,
    ]);
    expect(messages({ edited: all([size], 'number') })).toEqual([`Record ${size} was changed.`]);
    expect(findingsOn(tampered({ edited: all([size], 'link') }), size - 1)).toMatchObject([
      { message: `Record ${size} was changed.` },
    ]);
    // Only a seal tells.
    expect(messages({ edited: all([size], 'content') })).toEqual([]);
  });

  it('are reported beside missing ones, or reported as unknown', () => {
    const missing = 'Record 7 is missing.';
    expect(messages({ edited: all([6], 'content'), removed: new Set([7]) })).toEqual([
      `${missing} Without it nobody can tell whether record 6 was changed.`,
    ]);
    expect(messages({ edited: all([8], 'content'), removed: new Set([7]) })).toEqual([
      'Record 8 was changed.',
      `${missing} Without it nobody can tell whether record 6 was changed.`,
    ]);
    expect(findingsOn(tampered({ removed: new Set([7, 8]) }), 6)).toMatchObject([
      { message: 'Records 7 and 8 are missing.', from: 7, through: 8 },
    ]);
  });

  it('leave the records before them to the checkpoints', () => {
    const through = (tampering: Tampering): number => checked(tampered(tampering)).through;
    expect(through({})).toBe(Number.POSITIVE_INFINITY);
    expect(through({ edited: all([7], 'content') })).toBe(6);
    expect(through({ edited: all([7], 'number') })).toBe(6);
    expect(through({ edited: all([7], 'torn') })).toBe(5);
    expect(through({ removed: new Set([7]) })).toBe(5);
    expect(checked(original.toSpliced(7, 0, original[6] ?? '')).through).toBe(6);
  });

  it('are not reported as unknown when they are named', () => {
    expect(messages({ edited: all([5, 6], 'torn'), removed: new Set([7]) })).toEqual([
      'Records 4 to 6 were changed, or some of them.',
      'Record 7 is missing.',
    ]);
  });

  it('are confirmed or not by a moved next record', () => {
    expect(findingsOn(moved(original)).map(({ message }) => message)).toEqual(['Record 7 stands in the wrong place.']);
    expect(editedIn(findingsOn(moved(tampered({ edited: all([6], 'content') }))))).toEqual([6, 7]);
  });

  const edited = fc
    .uniqueArray(fc.tuple(fc.integer({ min: 1, max: size - 1 }), fc.constantFrom(...kinds)), {
      selector: ([sequence]) => sequence,
      maxLength: 8,
    })
    .map((some) => new Map(some));
  const removed = fc.uniqueArray(fc.integer({ min: 1, max: size - 1 }), { maxLength: 2 }).map((some) => new Set(some));

  it('are all named, with at most one neighbour each', () => {
    fc.assert(
      fc.property(edited, removed, (someEdited, someRemoved) => {
        const findings = findingsOn(tampered({ edited: someEdited, removed: someRemoved }));
        const left = [...someEdited.keys()].filter((sequence) => !someRemoved.has(sequence));
        const named = new Set([...findings.flatMap(rangeOf), ...untold(findings)]);
        expect([...left, ...someRemoved].filter((sequence) => !named.has(sequence))).toEqual([]);
        // A number that is wrong cannot be told from a record that was moved, where the link is wrong, too.
        const before = (sequence: number): boolean => someEdited.has(sequence - 1) || someRemoved.has(sequence - 1);
        fc.pre(!left.some((sequence) => someEdited.get(sequence) === 'number' && before(sequence)));
        const near = (sequence: number): boolean =>
          [...left, ...someRemoved].some((one) => Math.abs(one - sequence) <= 1);
        expect(editedIn(findings).filter((sequence) => !near(sequence))).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });
});
