import { generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { leafHash } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { auditFile } from '../../src/log/audit-file.js';
import type { AuditFileOptions } from '../../src/log/audit-file-options.js';
import type { AuditEvent } from '../../src/record/event.js';
import { readAuditLog } from '../../src/log/read-audit-log.js';
import type { AuditRecord } from '../../src/record/record.js';
import { ConfigError } from '@countersign/common';
import { event, temporaryFolder } from '../events.js';

async function read(directory: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of readAuditLog(directory)) records.push(record);
  return records;
}

async function writeAll(directory: string, ids: readonly string[]): Promise<void> {
  const sink = auditFile(directory);
  await Promise.all(ids.map((id) => sink.write(event(id))));
  await sink.close?.();
}

describe('auditFile', () => {
  it('holds a record on disk when write() resolves', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    await sink.write(event('a'));
    const [first = '', second = ''] = readFileSync(folder.log, 'utf8').split('\n');
    const prev = leafHash(Buffer.from(first)).toString('hex');
    expect(JSON.parse(second)).toEqual({ sequence: 2, version: 1, ...event('a'), prev });
    await sink.close?.();
  });

  it('creates its folder, readable by the owner only', async () => {
    using folder = temporaryFolder();
    const directory = join(folder.path, 'var', 'log', 'audit');
    await writeAll(directory, ['a']);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'audit-000001.jsonl')).mode & 0o777).toBe(0o600);
    expect(statSync(join(directory, 'checkpoint-key.pem')).mode & 0o777).toBe(0o600);
  });

  it('numbers concurrent records without gaps, in the order of their writes', async () => {
    using folder = temporaryFolder();
    const ids = Array.from({ length: 1000 }, (_, index) => `id-${index}`);
    await writeAll(folder.path, ids);
    const records = await read(folder.path);
    expect(records.map(({ id }) => id)).toEqual(ids);
    expect(records.map(({ sequence }) => sequence)).toEqual(ids.map((_, index) => index + 2));
  });

  it('continues the sequence after a restart', async () => {
    using folder = temporaryFolder();
    for (const id of ['a', 'b', 'c']) await writeAll(folder.path, [id]);
    expect((await read(folder.path)).map(({ sequence, id }) => [sequence, id])).toEqual([
      [2, 'a'],
      [4, 'b'],
      [6, 'c'],
    ]);
  });

  it('keeps the order of records when the clock goes back [F8]', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    for (const hour of ['12', '11', '10']) await sink.write(event(hour, { time: `2026-11-24T${hour}:00:00.000Z` }));
    await sink.close?.();
    expect((await read(folder.path)).map(({ sequence, id }) => [sequence, id])).toEqual([
      [2, '12'],
      [3, '11'],
      [4, '10'],
    ]);
  });

  it('records the event as it was when write() was called [F9]', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    const actor = { id: 'agent-a', keyId: 'key-a' };
    const mutable: AuditEvent & { decision: 'allow' | 'deny' } = { ...event('a'), decision: 'deny', actor };
    const written = sink.write(mutable);
    actor.id = 'agent-b';
    mutable.decision = 'allow';
    await written;
    await sink.close?.();
    expect((await read(folder.path))[0]).toMatchObject({ decision: 'deny', actor: { id: 'agent-a' } });
  });

  it('keeps a hostile id on its line [F1]', async () => {
    using folder = temporaryFolder();
    await writeAll(folder.path, ['a\n{"sequence":99,"decision":"allow"}', '\u2028b']);
    // The start of the segment, two events, the checkpoint at close.
    expect(readFileSync(folder.log, 'utf8').split('\n')).toHaveLength(5);
    expect((await read(folder.path)).map(({ sequence }) => sequence)).toEqual([2, 3]);
  });

  it('refuses only the event that cannot be rendered [F4]', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    const results = await Promise.allSettled([
      sink.write(event('a')),
      sink.write(event('b', cyclic)),
      sink.write(event('c')),
    ]);
    await sink.close?.();
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await read(folder.path)).map(({ sequence, id }) => [sequence, id])).toEqual([
      [2, 'a'],
      [3, 'c'],
    ]);
  });

  it('refuses records beyond the queue, and does not number them [F4]', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, { maxQueued: 5 });
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => sink.write(event(`${index}`))));
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    await sink.close?.();
    expect(await read(folder.path)).toHaveLength(5);
  });

  it('refuses records after close()', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    await sink.close?.();
    await sink.close?.();
    await expect(sink.write(event('a'))).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('the next record is refused when the segment was [F6]', () => {
  const meddling: Record<string, (log: string) => void> = {
    removed: (log) => rmSync(log),
    moved: (log) => renameSync(log, `${log}.1`),
    'moved and created again': (log) => {
      renameSync(log, `${log}.1`);
      writeFileSync(log, '');
    },
    truncated: (log) => truncateSync(log),
    'appended to': (log) => appendFileSync(log, '{"sequence":2}\n'),
  };

  for (const [name, meddle] of Object.entries(meddling)) {
    it(name, async () => {
      using folder = temporaryFolder();
      const troubles: string[] = [];
      const sink = auditFile(folder.path, { onTrouble: (text) => void troubles.push(text) });
      await sink.write(event('a'));
      const sealed = readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8');
      meddle(folder.log);
      await expect(sink.write(event('b'))).rejects.toMatchObject({ code: 'file_replaced' });
      await expect(sink.write(event('c'))).rejects.toMatchObject({ code: 'file_replaced' });
      await sink.close?.();
      // Nothing is signed that is not there.
      expect(troubles).toEqual([expect.stringContaining('could not be sealed')]);
      expect(readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8')).toBe(sealed);
    });
  }
});

describe('the start is refused [G5]', () => {
  it('when the folder is a file', () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '');
    expect(() => auditFile(folder.log)).toThrow(ConfigError);
  });

  it('when a segment is a symbolic link', () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'precious'), 'precious');
    symlinkSync(join(folder.path, 'precious'), folder.log);
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(readFileSync(join(folder.path, 'precious'), 'utf8')).toBe('precious');
  });

  it('when checkpoints.txt is a symbolic link [F6]', () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    writeFileSync(elsewhere.log, '');
    symlinkSync(elsewhere.log, join(folder.path, 'checkpoints.txt'));
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(readFileSync(elsewhere.log, 'utf8')).toBe('');
  });

  it('never through a symbolic link: it is replaced, not followed [F6]', async () => {
    using folder = temporaryFolder();
    using elsewhere = temporaryFolder();
    writeFileSync(elsewhere.log, 'precious');
    const names = ['checkpoint.vkey', 'audit.lock', 'checkpoint-key.pem'];
    for (const name of names) symlinkSync(elsewhere.log, join(folder.path, `${name}.${process.pid}`), 'file');
    await writeAll(folder.path, ['a']);
    rmSync(join(folder.path, 'checkpoint.vkey'));
    symlinkSync(elsewhere.log, join(folder.path, 'checkpoint.vkey'));
    await writeAll(folder.path, ['b']);
    expect(readFileSync(elsewhere.log, 'utf8')).toBe('precious');
    expect(readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8')).toMatch(/^\S+\+[0-9a-f]{8}\+\S+\n$/);
  });

  it('when a second sink opens the log before the first is closed [F6]', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    expect(() => auditFile(join(folder.path, '.'))).toThrow(/written already/);
    await sink.write(event('a'));
    await sink.close?.();
    await writeAll(folder.path, ['b']);
    expect(await read(folder.path)).toHaveLength(2);
  });

  it('when an option is misspelt or invalid', () => {
    using folder = temporaryFolder();
    expect(() => auditFile(folder.path, { maxQeued: 1 } as object)).toThrow(/Did you mean 'maxQueued'/);
    expect(() => auditFile(folder.path, { checkpointEvery: { record: 1 } as object })).toThrow(
      /Did you mean 'records'/,
    );
    const senseless: AuditFileOptions[] = [
      ...[0, -1, 1.5, Number.NaN].map((maxQueued) => ({ maxQueued })),
      { durability: 'none' as 'sync' },
      { checkpointEvery: { seconds: 0 } },
      { maxSegmentBytes: 10 },
      { origin: 'with space' },
      { origin: 'with+plus' },
      { origin: '' },
      { checkpointKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey },
      { checkpointKey: generateKeyPairSync('ed25519').publicKey },
      { checkpointKey: join(folder.path, 'no', 'such', 'folder') },
      { witnesses: [{}] as unknown as [] },
      { clock: 1 as unknown as () => number },
    ];
    for (const options of senseless) expect(() => auditFile(folder.path, options)).toThrow(ConfigError);
    const words = ['https://auditors.example'] as unknown as [];
    expect(() => auditFile(folder.path, { witnesses: words })).toThrow(/each made by httpWitness\(…\)/);
    for (const name of ['', undefined, null, 1]) {
      expect(() => auditFile(name as string), String(name)).toThrow(/name the folder of the log/);
    }
  });
});

describe('readAuditLog', () => {
  it('skips a last line without a newline', async () => {
    using folder = temporaryFolder();
    await writeAll(folder.path, ['a']);
    appendFileSync(folder.log, '{"sequence":4,"id":"b');
    expect((await read(folder.path)).map(({ id }) => id)).toEqual(['a']);
  });

  it('throws at a line that is not a record, with its place', async () => {
    using folder = temporaryFolder();
    await writeAll(folder.path, ['a']);
    for (const line of ['rubbish', '{}', 'null', '{"sequence":4,"version":1}']) {
      const good = readFileSync(folder.log, 'utf8');
      writeFileSync(folder.log, `${good}${line}\n`);
      await expect(read(folder.path)).rejects.toMatchObject({
        code: 'unreadable',
        message: expect.stringContaining('Line 4 of audit-000001.jsonl'),
      });
      writeFileSync(folder.log, good);
    }
  });

  it('throws when there is no log', async () => {
    using folder = temporaryFolder();
    await expect(read(folder.path)).rejects.toMatchObject({ code: 'unreadable' });
    await expect(read(join(folder.path, 'nowhere'))).rejects.toMatchObject({ code: 'unreadable' });
  });

  it('rejoins characters at the border of two blocks', async () => {
    using folder = temporaryFolder();
    const detail = '漢'.repeat(500);
    const sink = auditFile(folder.path);
    await Promise.all(Array.from({ length: 200 }, (_, index) => sink.write(event(`${index}`, { detail }))));
    await sink.close?.();
    const records = await read(folder.path);
    expect(records).toHaveLength(200);
    expect(records.every((record) => record.detail === detail)).toBe(true);
  });
});
