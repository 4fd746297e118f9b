import {
  appendFileSync,
  fstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type FileOperations, fileOperations } from '../../src/disk/append-file.js';
import { auditFile, auditFileWith } from '../../src/log/audit-file.js';
import type { AuditFileOptions } from '../../src/log/audit-file-options.js';
import { readAuditLog } from '../../src/log/read-audit-log.js';
import { ConfigError } from '@countersign/common';
import { event, type Folder, temporaryFolder } from '../events.js';
import { failWith, fullFor } from '../disk/faults.js';
import { contents, segments, verify, writeAll } from '../log-folder.js';

const silently = { onTrouble() {} };

async function events(folder: Folder): Promise<string[]> {
  return (await contents(folder)).filter((one) => one.length === 1);
}

/** A witness of a log that is sealed every five seconds. */
class Notes {
  readonly sizes: (string | undefined)[] = [];
  readonly options: AuditFileOptions = {
    witnesses: [{ name: 'test', receive: async (note) => void this.sizes.push(note.split('\n')[1]) }],
    checkpointEvery: { seconds: 5 },
  };

  async received(count: number): Promise<void> {
    while (this.sizes.length < count) await setImmediate();
  }
}

describe('a failed sync [F4]', () => {
  it('refuses every record until a restart, which rewrites and syncs the records without a checkpoint', async () => {
    using folder = temporaryFolder();
    let isBroken = false;
    const broken: FileOperations = {
      ...fileOperations,
      sync: async (descriptor) => (isBroken ? failWith('EIO') : await fileOperations.sync(descriptor)),
    };
    const sink = auditFileWith(broken, folder.path, silently);
    await sink.write(event('a'));
    isBroken = true;
    await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'sync_failed' });
    isBroken = false;
    await expect(sink.write(event('c'))).rejects.toMatchObject({ code: 'sync_failed' });
    await sink.close?.();

    const rewritten: { text: string; position: number }[] = [];
    const watched: FileOperations = {
      ...fileOperations,
      rewrite(descriptor, bytes, position) {
        rewritten.push({ text: Buffer.from(bytes).toString(), position });
        return fileOperations.rewrite(descriptor, bytes, position);
      },
    };
    const before = readFileSync(folder.log, 'utf8');
    const note = readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8');
    const again = auditFileWith(watched, folder.path, {});
    const start = before.indexOf('\n') + 1;
    expect(rewritten).toEqual([
      { text: note, position: 0 },
      // All but the first record, which is sealed.
      { text: before.slice(start), position: start },
    ]);
    expect(readFileSync(folder.log, 'utf8')).toBe(before);
    await again.write(event('d'));
    await again.close?.();
    expect(await events(folder)).toEqual(['a', 'b', 'd']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });

  it('stops the start', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    const before = readFileSync(folder.log, 'utf8');
    const broken: FileOperations = { ...fileOperations, rewrite: () => failWith('EIO') };
    expect(() => auditFileWith(broken, folder.path, {})).toThrow(ConfigError);
    const stuck: FileOperations = { ...fileOperations, rewrite: () => 0 };
    expect(() => auditFileWith(stuck, folder.path, {})).toThrow(/takes no bytes/);
    expect(readFileSync(folder.log, 'utf8')).toBe(before);
    await writeAll(folder, ['b']);
    expect(await verify(folder)).toMatchObject({ ok: true });
  });

  it('or a rewrite that takes no bytes stops the start', async () => {
    using folder = temporaryFolder();
    let isStuck = false;
    const sink = auditFileWith(
      { ...fileOperations, write: (file, bytes) => (isStuck ? 0 : fileOperations.write(file, bytes)) },
      folder.path,
      silently,
    );
    isStuck = true;
    await expect(sink.write(event('a'))).rejects.toMatchObject({ code: 'write_failed' });
    isStuck = false;
    await sink.write(event('b'));
    await sink.close?.();
    expect(await events(folder)).toEqual(['b']);
  });
});

describe('a log without a working checkpoint [F4, F6]', () => {
  it('takes records, throttles its reports, and makes a checkpoint when it can', async () => {
    using folder = temporaryFolder();
    let full = false;
    let now = Date.parse('2026-11-24T12:00:00Z');
    const troubles: string[] = [];
    const origin = 'acme.dev/audit';
    const sealing = auditFileWith(
      fullFor(`\n\n— ${origin}`, () => full),
      folder.path,
      { origin, checkpointEvery: { records: 1 }, clock: () => now, onTrouble: (text) => void troubles.push(text) },
    );
    full = true;
    for (const id of ['a', 'b', 'c', 'd', 'e']) await sealing.write(event(id));
    expect(troubles.map((text) => /sealed, (.*) now: .*ENOSPC/.exec(text)?.[1])).toEqual([
      'once',
      '2 times',
      '4 times',
    ]);
    const over = 'countersign: the audit log is sealed again.';
    full = false;
    await sealing.write(event('f'));
    expect(troubles).not.toContain(over);
    now += 10_000;
    await sealing.write(event('g'));
    expect(troubles.slice(3)).toEqual([over]);
    full = true;
    await sealing.write(event('h'));
    full = false;
    await sealing.close?.();
    expect(troubles.slice(4)).toEqual([expect.stringContaining('once now'), over]);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });

  it('takes records without a checkpoint until a restart when checkpoints.txt could not be synced', async () => {
    using folder = temporaryFolder();
    const notes = join(folder.path, 'checkpoints.txt');
    const sizes: (string | undefined)[] = [];
    let syncs = 0;
    let isBroken = true;
    const broken: FileOperations = {
      ...fileOperations,
      async sync(descriptor) {
        syncs += 1;
        if (isBroken && fstatSync(descriptor).ino === statSync(notes).ino) {
          isBroken = false;
          failWith('EIO');
        }
        await fileOperations.sync(descriptor);
      },
    };
    const troubles: string[] = [];
    const sink = auditFileWith(broken, folder.path, {
      checkpointEvery: { records: 2 },
      maxSegmentBytes: 4096,
      witnesses: [{ name: 'test', receive: async (note) => void sizes.push(note.split('\n')[1]) }],
      onTrouble: (text) => void troubles.push(text),
    });
    await sink.write(event('a'));
    await sink.write(event('b'));
    expect(troubles).toEqual([
      expect.stringMatching(
        /could not be sealed, once now: .*checkpoints\.txt cannot be made durable \(EIO\)\. Nothing/,
      ),
    ]);
    syncs = 0;
    for (const id of ['c', 'd', 'e']) await sink.write(event(id));
    expect(syncs).toBe(3);
    expect(sizes).toEqual(['1']);
    const untilFull = async (): Promise<void> => {
      for (;;) await sink.write(event('x'));
    };
    // No segment begins without a checkpoint.
    await expect(untilFull()).rejects.toMatchObject({ code: 'sync_failed' });
    await sink.close?.();
    await writeAll(folder, ['f']);
    expect((await events(folder)).filter((id) => id !== 'x')).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });

  describe('when a checkpoint is due', () => {
    beforeEach(() => {
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    });
    afterEach(() => {
      vi.useRealTimers();
    });

    it('retries without a further record when the disk was full', async () => {
      using folder = temporaryFolder();
      let full = false;
      const notes = new Notes();
      const troubles: string[] = [];
      const sink = auditFileWith(
        fullFor('\n', () => full),
        folder.path,
        {
          ...notes.options,
          onTrouble: (text) => void troubles.push(text),
        },
      );
      await sink.write(event('a'));
      full = true;
      const refused = expect(sink.write(event('no'))).rejects.toMatchObject({ code: 'write_failed' });
      vi.advanceTimersByTime(5000);
      await refused;
      vi.advanceTimersByTime(5000);
      while (troubles.length < 2) await setImmediate();
      full = false;
      expect(notes.sizes).toEqual(['1']);
      vi.advanceTimersByTime(5000);
      await notes.received(2);
      expect(notes.sizes).toEqual(['1', '2']);
      await sink.close?.();
    });

    it('retries when the queue was full', async () => {
      using folder = temporaryFolder();
      const notes = new Notes();
      const sink = auditFile(folder.path, { ...notes.options, maxQueued: 1 });
      await sink.write(event('a'));
      const waiting = sink.write(event('b'));
      vi.advanceTimersByTime(5000);
      await waiting;
      for (let turn = 0; turn < 5; turn++) await setImmediate();
      expect(notes.sizes).toEqual(['1']);
      vi.advanceTimersByTime(5000);
      await notes.received(2);
      expect(notes.sizes).toEqual(['1', '3']);
      await sink.close?.();
    });
  });

  it.each<[string, (path: string) => void, RegExp]>([
    ['removed', (path) => rmSync(path), /checkpoints\.txt was moved, removed or replaced/],
    ['written to', (path) => appendFileSync(path, 'x'), /checkpoints\.txt was changed by somebody else/],
  ])('refuses every record once checkpoints.txt was %s', async (_name, meddle, problem) => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, silently);
    await sink.write(event('a'));
    const before = readFileSync(folder.log, 'utf8');
    meddle(join(folder.path, 'checkpoints.txt'));
    for (const id of ['b', 'c']) {
      await expect(sink.write(event(id))).rejects.toMatchObject({ code: 'file_replaced', message: problem });
    }
    await sink.close?.();
    expect(readFileSync(folder.log, 'utf8')).toBe(before);
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
  });

  it('refuses a record when checkpoints.txt is touched during its sync', async () => {
    using folder = temporaryFolder();
    const meddled: FileOperations = {
      ...fileOperations,
      async sync(descriptor) {
        await fileOperations.sync(descriptor);
        appendFileSync(join(folder.path, 'checkpoints.txt'), 'x');
      },
    };
    const sink = auditFileWith(meddled, folder.path, silently);
    await expect(sink.write(event('a'))).rejects.toMatchObject({ code: 'file_replaced' });
    await sink.close?.();
  });
});

describe('a clock set back [F8]', () => {
  it('rotates the segment when it goes back by more than the maximum age', async () => {
    using folder = temporaryFolder();
    let now = Date.parse('2027-11-24T12:00:00Z');
    const sink = auditFile(folder.path, { maxSegmentSeconds: 3600, clock: () => now });
    await sink.write(event('a'));
    now -= 3_599_000;
    await sink.write(event('b'));
    expect(segments(folder)).toHaveLength(1);
    now = Date.parse('2026-11-24T12:00:00Z');
    await sink.write(event('c'));
    expect(segments(folder)).toHaveLength(2);
    await sink.close?.();
    expect(await events(folder)).toEqual(['a', 'b', 'c']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });
});

describe('close() [F4]', () => {
  it('keeps every accepted record when called during a rotation, and twice', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, { maxSegmentBytes: 1024, durability: 'sync' });
    const written = ['a', 'b', 'c', 'd', 'e'].map((id) => sink.write(event(id)));
    const closed = [sink.close?.(), sink.close?.()];
    await expect(sink.write(event('no'))).rejects.toMatchObject({ code: 'closed' });
    await Promise.all([...written, ...closed]);
    expect(segments(folder).length).toBeGreaterThan(2);
    expect(await events(folder)).toEqual(['a', 'b', 'c', 'd', 'e']);
    const report = await verify(folder);
    expect(report).toMatchObject({ ok: true, findings: [], sealed: report.size - 1 });
  });
});

describe('a log that is being written [F6]', () => {
  it.each<[string, (path: string) => void]>([
    ['its folder is removed', (path) => rmSync(path, { recursive: true })],
    ['its folder is moved', (path) => renameSync(path, `${path}-moved`)],
    [
      'another folder takes its place',
      (path) => {
        renameSync(path, `${path}-moved`);
        mkdirSync(path);
      },
    ],
  ])('refuses records, and closes, when %s', async (_name, meddle) => {
    using parent = temporaryFolder();
    const path = join(parent.path, 'audit');
    const sink = auditFile(path, silently);
    await sink.write(event('a'));
    meddle(path);
    await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'file_replaced' });
    await sink.close?.();
  });

  it('leaves a replaced lock to its new owner', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    writeFileSync(join(folder.path, 'audit.lock'), 'somebody else');
    await sink.write(event('a'));
    await sink.close?.();
    expect(readFileSync(join(folder.path, 'audit.lock'), 'utf8')).toBe('somebody else');
    expect(await verify(folder)).toMatchObject({ ok: true });
  });
});

describe('a takeover of the lock [F6]', () => {
  /** Takes the lock away during a sync: the first one, or a later one, once it is told to. */
  class Thief {
    countdown = Infinity;
    readonly operations: FileOperations;

    constructor(folder: Folder) {
      this.operations = {
        ...fileOperations,
        sync: async (descriptor) => {
          await fileOperations.sync(descriptor);
          this.countdown -= 1;
          if (this.countdown === 0) rmSync(join(folder.path, 'audit.lock'));
        },
      };
    }
  }

  it.each([
    ['during a sync refuses the record', 1, 'refused'],
    ['before a checkpoint prevents it', 2, 'written'],
  ])('%s', async (_name, countdown, outcome) => {
    using folder = temporaryFolder();
    const thief = new Thief(folder);
    const options = { checkpointEvery: { records: 4 }, ...silently };
    const sink = auditFileWith(thief.operations, folder.path, options);
    for (const id of ['a', 'b']) await sink.write(event(id));
    const notes = readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8');
    thief.countdown = countdown;
    const last = [sink.write(event('c')), sink.write(event('d'))];
    const settled = await Promise.allSettled(last);
    expect(settled.map(({ status }) => (status === 'rejected' ? 'refused' : 'written'))).toEqual([outcome, outcome]);
    await expect(sink.write(event('e'))).rejects.toMatchObject({ code: 'file_replaced' });
    expect(readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8')).toBe(notes);
    await sink.close?.();
  });

  it('before a rotation prevents it', async () => {
    using folder = temporaryFolder();
    const thief = new Thief(folder);
    const sink = auditFileWith(thief.operations, folder.path, { maxSegmentBytes: 1024, ...silently });
    for (const id of ['a', 'b']) await sink.write(event(id));
    // Of the segment, and of its last checkpoint.
    thief.countdown = 2;
    await expect(sink.write(event('c'))).rejects.toMatchObject({ code: 'file_replaced' });
    expect(thief.countdown).toBe(0);
    expect(segments(folder)).toHaveLength(1);
    await sink.close?.();
  });

  it.each(['audit-000001.jsonl', 'checkpoints.txt'])(
    'that appends to %s during a start stops the log',
    async (name) => {
      using folder = temporaryFolder();
      await writeAll(folder, ['a']);
      const path = join(folder.path, name);
      let rewritten = 0;
      const meddled: FileOperations = {
        ...fileOperations,
        rewrite(descriptor, bytes, position) {
          rewritten += 1;
          if (rewritten === (name === 'checkpoints.txt' ? 1 : 2)) appendFileSync(path, 'x');
          return fileOperations.rewrite(descriptor, bytes, position);
        },
      };
      const sink = auditFileWith(meddled, folder.path, silently);
      const before = readFileSync(path, 'utf8');
      await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'file_replaced' });
      await sink.close?.();
      expect(readFileSync(path, 'utf8')).toBe(before);
    },
  );
});

describe('an event [G5, F4]', () => {
  it('with half a surrogate pair, or too long for a line, is bounded, and the log verifies', async () => {
    using folder = temporaryFolder();
    const half = `\ud83d${'\u{1f511}'.repeat(511)}\ud83d`;
    const scope = Array.from({ length: 100 }, () => half);
    const sink = auditFile(folder.path);
    await sink.write(event('a', { action: half, detail: half.repeat(50) }));
    await sink.write(event('b', { action: half, scope }));
    await sink.close?.();
    const read = [];
    for await (const record of readAuditLog(folder.path)) read.push(record);
    expect(read[0]?.action).toBe(`\ufffd${half.slice(1, -1)}\ufffd`);
    expect(read[1]?.oversize).toMatchObject({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) });
    for (const line of readFileSync(folder.log, 'utf8').split('\n')) {
      expect(Buffer.byteLength(line)).toBeLessThanOrEqual(16 * 1024);
    }
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });
});

describe('a folder that cannot be written [G5]', () => {
  it('stops the start', () => {
    expect(() => auditFile('/proc/self')).toThrow(ConfigError);
    expect(readdirSync('/proc/self')).not.toContain('audit.lock');
  });
});
