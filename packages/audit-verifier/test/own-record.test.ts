import { appendFileSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { verifyLog } from '../src/verify-log.js';
import { key, signer, SmallLog, someRoot } from './small-log.js';

/** JSON whose conversion to a string or a number throws. */
const hostile = { toString: 1, valueOf: 1 };
const recovered = { bytes: 1, sha256: 'f'.repeat(64), file: 'x' };
const checkpoint = { size: 4, root: someRoot };

describe('a record of the log itself whose link is right [F10]', () => {
  it.each([
    ['a size that is an object', { phase: 'recovered', recovered: { ...recovered, bytes: hostile } }],
    ['a file name that is an object', { phase: 'recovered', recovered: { ...recovered, file: hostile } }],
    ['no hash', { phase: 'recovered', recovered: { bytes: 1, file: 'x' } }],
    ['no content', { phase: 'recovered', recovered: null }],
    ['a time that is an object', { phase: 'recovered', recovered, time: hostile }],
    ['a time that is no time', { phase: 'recovered', recovered, time: 'now' }],
    ['a checkpoint whose size is an object', { phase: 'checkpoint', checkpoint: { ...checkpoint, size: hostile } }],
    ['a checkpoint whose root is an object', { phase: 'checkpoint', checkpoint: { ...checkpoint, root: hostile } }],
    ['a checkpoint of less than no record', { phase: 'checkpoint', checkpoint: { ...checkpoint, size: -4 } }],
    ['a header of the wrong type', { phase: 'segment', segment: hostile }],
    ['a phase that no log has', { phase: 'future' }],
    ['a phase that is an object', { phase: hostile }],
  ])('is edited when it has %s', async (_name, record) => {
    using log = new SmallLog();
    log.seal();
    log.add(record);
    const report = await verifyLog(log.path, { key });
    expect(report).toMatchObject({ ok: false, sealed: 4, findings: [{ kind: 'edited', from: 5, through: 5 }] });
  });

  it('is the only finding when it was edited in a sealed log', async () => {
    using log = new SmallLog();
    log.add({ phase: 'checkpoint', checkpoint });
    log.add({ id: 'd' });
    log.seal();
    appendFileSync(log.file('checkpoints.txt'), signer.note(5, Buffer.alloc(32)));
    const text = readFileSync(log.file(), 'utf8');
    writeFileSync(log.file(), text.replace('"size":4', '"size":null'));
    const { findings } = await verifyLog(log.path, { key });
    expect(findings).toMatchObject([{ kind: 'edited', from: 5, through: 5 }]);
  });

  it('does not hide that the log was rewritten', async () => {
    using log = new SmallLog();
    log.add({ id: 'd' });
    log.seal();
    using forged = new SmallLog();
    forged.add({ id: 'e' });
    forged.add({ phase: 'recovered', recovered: { ...recovered, bytes: hostile } });
    copyFileSync(log.file('checkpoints.txt'), forged.file('checkpoints.txt'));
    const { findings } = await verifyLog(forged.path, { key });
    expect(findings.map(({ kind }) => kind)).toEqual(['edited', 'rewritten']);
  });
});

it('verifyLog reports and never throws, whatever JSON the lines of a log hold [F10]', async () => {
  const json = fc.oneof(fc.jsonValue(), fc.constant(hostile), fc.constant(null));
  const phase = fc.oneof(fc.constantFrom('segment', 'checkpoint', 'recovered', 'decision', 'outcome'), json);
  const content = (names: readonly string[]) =>
    fc.oneof(fc.record(Object.fromEntries(names.map((name) => [name, json])), { requiredKeys: [] }), json);
  const record = fc.record(
    {
      phase,
      time: fc.oneof(fc.constant('2026-01-01T00:00:00Z'), json),
      recovered: fc.oneof(fc.constant(recovered), content(['bytes', 'sha256', 'file'])),
      checkpoint: fc.oneof(fc.constant(checkpoint), content(['size', 'root'])),
      segment: content(['origin', 'size', 'frontier', 'fenced']),
    },
    { requiredKeys: ['phase'] },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(record, { minLength: 1, maxLength: 4 }), fc.boolean(), async (records, starts) => {
      using log = new SmallLog();
      log.seal();
      // A first record of a segment is read by more code than others.
      for (const one of records) {
        if (starts) log.startSegmentWith(one);
        else log.add(one);
      }
      for (const archived of [false, true]) {
        expect(await verifyLog(log.path, { key, archived })).toMatchObject({ sealed: expect.any(Number) });
      }
    }),
    { numRuns: 200 },
  );
});
