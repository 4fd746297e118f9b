import { rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { VerificationError } from '../src/log-pass.js';
import { readLog } from '../src/read-log.js';
import { verifyLog } from '../src/verify-log.js';
import { key, Signer, signer, SmallLog, someRoot } from './small-log.js';

const neighbour = new Signer('acme.dev/neighbour');
/** The same name, another key. */
const stranger = new Signer(signer.origin);

/** Small logs are sealed at 4, 5, 6 … records, each but the first told of by the next. */
function sealedLog(checkpoints: number): SmallLog {
  const log = new SmallLog();
  log.seal();
  for (let more = 1; more < checkpoints; more++) {
    log.add({ phase: 'checkpoint', checkpoint: { size: log.size, root: someRoot } });
    log.seal();
  }
  return log;
}

describe('a record behind the last checkpoint', () => {
  it.each<[boolean, string, (root: string) => readonly object[]]>([
    [true, 'the note of that seal', (root) => [{ phase: 'checkpoint', checkpoint: { size: 4, root } }]],
    [false, 'of another root', () => [{ phase: 'checkpoint', checkpoint: { size: 4, root: 'AAAA' } }]],
    [false, 'of another size', (root) => [{ phase: 'checkpoint', checkpoint: { size: 3, root } }]],
    [false, 'without a root', () => [{ phase: 'checkpoint', checkpoint: { size: 4 } }]],
    [false, 'without a seal', () => [{ phase: 'checkpoint' }]],
    [false, 'of something that happened', (root) => [{ phase: 'decision', checkpoint: { size: 4, root } }]],
    [false, 'with another', (root) => [{ phase: 'checkpoint', checkpoint: { size: 4, root } }, { phase: 'outcome' }]],
    [false, 'that is not there', () => []],
  ])('is the end of a closed log: %s for one %s', async (expected, _name, records) => {
    using log = new SmallLog();
    log.seal();
    for (const record of records(log.root.toString('base64'))) log.add(record);
    expect(await verifyLog(log.path, { key })).toMatchObject({ sealed: 4, endsWithSeal: expected });
  });
});

describe('checkpoints of other logs [F6]', () => {
  it('are skipped in a copy kept elsewhere, with a remark', async () => {
    using log = sealedLog(2);
    const foreign = [7, 8, 9].map((size) => neighbour.note(size, log.root));
    const one = await verifyLog(log.path, { key, checkpoints: `${foreign[0]}${log.checkpoints}` });
    expect(one).toMatchObject({
      ok: true,
      remarks: ['A checkpoint of another log in the checkpoints kept elsewhere was skipped.'],
    });
    const more = await verifyLog(log.path, { key, checkpoints: [log.checkpoints, foreign.join('') + log.checkpoints] });
    expect(more).toMatchObject({
      ok: true,
      sealed: 5,
      remarks: ['3 checkpoints of other logs in the checkpoints kept elsewhere (2) were skipped.'],
    });
  });

  it('do not hide a cut end', async () => {
    using log = sealedLog(1);
    const kept = neighbour.note(99, log.root) + signer.note(6, log.root) + neighbour.note(3, log.root);
    expect((await verifyLog(log.path, { key, checkpoints: kept })).findings).toMatchObject([
      { kind: 'cut_tail', from: 5, through: 6 },
    ]);
  });

  it('alone are an error', async () => {
    using log = sealedLog(1);
    const checkpoints = [log.checkpoints, neighbour.note(4, log.root)];
    await expect(verifyLog(log.path, { key, checkpoints })).rejects.toThrow(
      new VerificationError('There is no checkpoint of this log in the checkpoints kept elsewhere (2).'),
    );
  });

  it('are a finding in checkpoints.txt', async () => {
    using log = sealedLog(1);
    writeFileSync(log.file('checkpoints.txt'), log.checkpoints + neighbour.note(4, log.root));
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([
      { kind: 'wrong_key', message: 'Checkpoint 2 in checkpoints.txt is signed by another key.' },
    ]);
  });

  it.each<[string, (root: Buffer) => string, string]>([
    ['its name, signed by another key of it', (root) => stranger.note(4, root), 'wrong_key'],
    ['its name, signed by another', (root) => neighbour.note(4, root, signer.origin), 'wrong_key'],
    ['another name, signed by its key', (root) => signer.note(4, root, neighbour.origin), 'checkpoint_edited'],
    [
      'its name, which was changed afterwards',
      (root) => signer.note(4, root).replace(signer.origin, neighbour.origin),
      'checkpoint_edited',
    ],
  ])('do not include those with %s', async (_name, note, kind) => {
    using log = sealedLog(1);
    const { findings } = await verifyLog(log.path, { key, checkpoints: note(log.root) });
    expect(findings).toMatchObject([{ kind, file: 'the checkpoints kept elsewhere' }]);
  });
});

describe('a folder without segments [F6]', () => {
  it.each(['its own checkpoints', 'one kept elsewhere'])(
    'is cut_tail when there is a checkpoint: %s',
    async (which) => {
      using log = sealedLog(2);
      const checkpoints = which === 'its own checkpoints' ? [] : [log.checkpoints];
      rmSync(log.file());
      if (checkpoints.length > 0) rmSync(log.file('checkpoints.txt'));
      for (const archived of [true, false]) {
        expect(await verifyLog(log.path, { key, checkpoints, archived })).toMatchObject({
          ok: false,
          size: 0,
          sealed: 0,
          segments: 0,
          findings: [{ kind: 'cut_tail', message: 'Records 1 to 5 were cut off the end.', from: 1, through: 5 }],
        });
      }
    },
  );

  it('is not a log without a checkpoint; neither is a missing folder', async () => {
    using log = sealedLog(1);
    rmSync(log.file());
    const checkpoints = log.checkpoints;
    rmSync(log.file('checkpoints.txt'));
    await expect(verifyLog(log.path, { key })).rejects.toThrow(/^There is no audit log in /);
    await expect(verifyLog(log.file('none'), { key, checkpoints })).rejects.toThrow(/cannot be read \(ENOENT\)/);
  });

  it('is not a log of this key when another key signed its checkpoints', async () => {
    using log = sealedLog(1);
    rmSync(log.file());
    const { findings } = await verifyLog(log.path, { key: stranger.key });
    expect(findings).toMatchObject([{ kind: 'wrong_key' }]);
  });
});

it.each<[number, string]>([
  [1, 'record 1 is another one than in its checkpoint.'],
  [4, 'one or more of the records 1 to 4 are others than in its checkpoint.'],
])('a log whose first %i records were rewritten is reported as rewritten [F6]', async (size, words) => {
  using log = new SmallLog();
  writeFileSync(log.file('checkpoints.txt'), signer.note(size, Buffer.alloc(32)));
  const { findings } = await verifyLog(log.path, { key });
  expect(findings).toMatchObject([
    { kind: 'rewritten', message: `The log was written anew since it was sealed: ${words}`, from: 1, through: size },
  ]);
});

describe('faults of many checkpoints [F6]', () => {
  it('are one finding when adjacent', async () => {
    using log = sealedLog(30);
    const notes = log.checkpoints.split(/(?<=\n\n)(?=acme)/);
    expect(notes).toHaveLength(30);
    writeFileSync(log.file('checkpoints.txt'), notes.toSpliced(25, 1).toSpliced(1, 20).join(''));
    expect((await verifyLog(log.path, { key })).findings.map(({ kind, message }) => [kind, message])).toEqual([
      [
        'checkpoint_removed',
        '20 checkpoints, of 5 to 24 records, which the log tells of, are missing from checkpoints.txt.',
      ],
      ['checkpoint_removed', 'The checkpoint of 29 records, which the log tells of, is missing from checkpoints.txt.'],
    ]);
    expect((await verifyLog(log.path, { key: stranger.key })).findings).toMatchObject([
      { kind: 'wrong_key', message: 'Checkpoints 1 to 9 in checkpoints.txt are signed by another key.' },
      { kind: 'checkpoint_removed' },
      { kind: 'checkpoint_removed' },
    ]);
    const changed = notes.map((note, index) => (index > 2 && index < 6 ? note.replace('acme', 'evil') : note));
    writeFileSync(log.file('checkpoints.txt'), changed.join(''));
    const { findings } = await verifyLog(log.path, { key });
    expect(findings.filter(({ kind }) => kind === 'checkpoint_edited')).toMatchObject([
      { message: 'Checkpoints 4 to 6 in checkpoints.txt were changed, or were never signed (wrong_signature).' },
    ]);
  });
});

describe('a line with the ends of a record [F6]', () => {
  const members: readonly (readonly [string, string])[] = [
    ['is no JSON between them', '"phase":"decision",x'],
    ['says its number twice', '"phase":"decision","sequence":1'],
    ['says its number twice, once in escapes', '"phase":"decision","\\u0073equence":1'],
    ['holds half a string', '"phase":"decision","a":"b'],
  ];

  it.each(members)('and %s is not a record without a checkpoint', async (_name, text) => {
    using log = sealedLog(1);
    log.addText(text);
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([{ kind: 'edited', from: 5, through: 5 }]);
    log.add({ id: 'd', phase: 'outcome' });
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([{ kind: 'edited', from: 5, through: 5 }]);
  });

  it.each(members)('and %s passes under a checkpoint, but not as a record for a reader', async (_name, text) => {
    using log = new SmallLog();
    log.addText(text);
    log.seal();
    expect(await verifyLog(log.path, { key })).toMatchObject({ ok: true, size: 5, sealed: 5 });
    const ids: unknown[] = [];
    for await (const lines of readLog(log.path, () => {})) ids.push(...lines.map(({ line }) => line?.record['id']));
    expect(ids).toEqual([undefined, 'a', 'b', 'c', undefined]);
  });

  it.each(members)('and %s is not a record under a checkpoint that does not match', async (_name, text) => {
    using log = sealedLog(1);
    log.addText(text);
    // Ten records were sealed, these are not among them, and the rest was cut off.
    const kept = log.checkpoints + signer.note(10, log.root);
    expect((await verifyLog(log.path, { key, checkpoints: kept })).findings).toMatchObject([
      { kind: 'edited', from: 5, through: 5 },
      { kind: 'cut_tail', from: 6, through: 10 },
    ]);
  });

  it('is parsed under a checkpoint unless its head says that it is an event', async () => {
    using log = new SmallLog();
    log.addText(`"note":"${'x'.repeat(200)}","phase":"decision",x`);
    log.seal();
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([{ kind: 'edited', from: 5 }]);
  });

  const checkpoint = `"time":"2026-01-01T00:00:00Z","checkpoint":{"size":3,"root":"${someRoot}"}`;

  it.each([
    `"phase":"checkpoint",${checkpoint}`,
    `"note":"${'x'.repeat(200)}","phase":"checkpoint",${checkpoint}`,
    `"\\u0070hase" : "checkpoint",${checkpoint}`,
    `"note":"\\",\\"phase\\":\\"decision\\",\\"","phase":"checkpoint",${checkpoint}`,
  ])('is used when it is a sealed record of the log itself: %s', async (text) => {
    using log = new SmallLog();
    log.addText(text);
    log.seal();
    expect((await verifyLog(log.path, { key })).findings).toMatchObject([{ kind: 'checkpoint_removed' }]);
  });
});

describe('an archived log [F6]', () => {
  it.each([0, 3, 5, 1_000_000])(
    'is reported when its first segment claims %i records before it instead of 4',
    async (size) => {
      using log = sealedLog(1);
      const first = log.file();
      log.startSegment({ size });
      log.seal();
      rmSync(first);
      const { ok, findings } = await verifyLog(log.path, { key, archived: true });
      expect(ok).toBe(false);
      expect(findings[0]).toMatchObject({ kind: 'removed', from: 1, through: 4 });
    },
  );

  it('verifies when the claim of its first segment is true', async () => {
    using log = sealedLog(1);
    const first = log.file();
    log.startSegment();
    log.seal();
    rmSync(first);
    expect(await verifyLog(log.path, { key, archived: true })).toMatchObject({ ok: true, size: 5, sealed: 5 });
  });

  it('is sealed up to its start when only that checkpoint exists', async () => {
    using log = sealedLog(1);
    log.archive();
    log.startSegment();
    log.add({ id: 'd', phase: 'decision' });
    expect(await verifyLog(log.path, { key, archived: true })).toMatchObject({ ok: true, size: 6, sealed: 4 });
  });

  it('that fences torn bytes is confirmed by a later checkpoint', async () => {
    using log = sealedLog(1);
    log.add({ id: 'd', phase: 'decision' });
    log.archive();
    log.startSegment({ fenced: { validBytes: 9, voidBytes: 9, sha256: '0'.repeat(64) } });
    const { findings } = await verifyLog(log.path, { key, archived: true });
    expect(findings).toMatchObject([{ kind: 'checkpoint_removed', file: 'audit-000002.jsonl', line: 1 }]);
    log.seal();
    expect(await verifyLog(log.path, { key, archived: true })).toMatchObject({ ok: true, size: 6, sealed: 6 });
  });

  describe.each([
    { which: 'its own checkpoints', own: true, elsewhere: false },
    { which: 'those kept elsewhere', own: false, elsewhere: true },
    { which: 'both', own: true, elsewhere: true },
  ])('that was forged, with $which,', ({ own, elsewhere }) => {
    const otherHistory = own ? 'rewritten' : 'forked';
    const unknown = { kind: 'checkpoint_removed', file: 'audit-000002.jsonl', line: 1 };

    it.each([
      ['at the last checkpoint', 8, [{ kind: otherHistory, from: 1, through: 8 }]],
      ['at one before', 4, [{ kind: otherHistory, from: 1, through: 4 }, { kind: 'cut_tail' }]],
      ['between them', 6, [{ kind: otherHistory, from: 1, through: 8 }, unknown]],
      ['behind the last', 9, [unknown]],
      ['far behind it', 1009, [unknown]],
    ])('is found when it begins %s', async (_where, size, expected) => {
      using log = sealedLog(1);
      for (const id of ['d', 'e', 'f', 'g']) log.add({ id, phase: 'decision' });
      log.seal();
      const { checkpoints } = log;
      log.forge(size);
      if (!own) rmSync(log.file('checkpoints.txt'));
      const report = await verifyLog(log.path, { key, archived: true, ...(elsewhere && { checkpoints }) });
      expect(report).toMatchObject({ ok: false, sealed: 0, findings: expected });
    });
  });

  it('is not ok without any checkpoint', async () => {
    using log = new SmallLog();
    log.archive();
    log.startSegment();
    const report = await verifyLog(log.path, { key, archived: true });
    expect(report).toMatchObject({
      ok: false,
      findings: [{ message: 'No checkpoint shows what was before record 5, with which the log begins.' }],
    });
  });

  it('is reported when its frontier is a single root', async () => {
    using log = sealedLog(3);
    expect(log.size).toBe(6);
    log.forge(6, [log.root]);
    const { findings } = await verifyLog(log.path, { key, archived: true });
    expect(findings[0]).toMatchObject({ kind: 'removed', from: 1, through: 6 });
  });
});

it.each([
  ['one word', 'name', 'malformed'],
  ['another id', key.replace(/\+[0-9a-f]{8}\+/, '+00000000+'), 'wrong_id'],
  ['another kind', `acme+1234abcd+${Buffer.alloc(33, 2).toString('base64')}`, 'not_ed25519'],
  ['a byte missing', `acme+1234abcd+${Buffer.alloc(32, 1).toString('base64')}`, 'not_ed25519'],
  ['no base64', 'acme+1234abcd+x', 'malformed'],
  ['no name', '+1234abcd+AbCd', 'malformed'],
])('verifyLog gives the reason why a key with %s is refused', async (_name, wrong, why) => {
  using log = sealedLog(1);
  await expect(verifyLog(log.path, { key: wrong })).rejects.toThrow(
    new VerificationError(`The key is no verifier key, name+id+base64 (${why}).`),
  );
});
