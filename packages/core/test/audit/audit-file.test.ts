import {
  appendFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { auditFile } from '../../src/audit/audit-file.js';
import type { AuditEvent } from '../../src/audit/event.js';
import { readAuditFile } from '../../src/audit/read-audit-file.js';
import type { AuditRecord } from '../../src/audit/record.js';
import { ConfigError } from '../../src/config-error.js';
import { event, temporaryFolder } from './events.js';

async function read(directory: string): Promise<AuditRecord[]> {
  const records: AuditRecord[] = [];
  for await (const record of readAuditFile(directory)) records.push(record);
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
    expect(JSON.parse(readFileSync(folder.log, 'utf8'))).toEqual({ sequence: 1, ...event('a') });
    await sink.close?.();
  });

  it('makes its folder, and lets only the owner read', async () => {
    using folder = temporaryFolder();
    const directory = join(folder.path, 'var', 'log', 'audit');
    await writeAll(directory, ['a']);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(statSync(join(directory, 'audit.jsonl')).mode & 0o777).toBe(0o600);
  });

  it('numbers many concurrent records without gaps, in the order they came', async () => {
    using folder = temporaryFolder();
    const ids = Array.from({ length: 1000 }, (_, index) => `id-${index}`);
    await writeAll(folder.path, ids);
    const records = await read(folder.path);
    expect(records.map(({ id }) => id)).toEqual(ids);
    expect(records.map(({ sequence }) => sequence)).toEqual(ids.map((_, index) => index + 1));
  });

  it('goes on with the sequence after a restart', async () => {
    using folder = temporaryFolder();
    for (const id of ['a', 'b', 'c']) await writeAll(folder.path, [id]);
    expect((await read(folder.path)).map(({ sequence, id }) => [sequence, id])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
  });

  it('F8 a clock that goes backwards does not change the order', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    for (const hour of ['12', '11', '10']) await sink.write(event(hour, { time: `2026-11-24T${hour}:00:00.000Z` }));
    await sink.close?.();
    expect((await read(folder.path)).map(({ sequence, id }) => [sequence, id])).toEqual([
      [1, '12'],
      [2, '11'],
      [3, '10'],
    ]);
  });

  it('F9 what happens to an event after write() does not change the record', async () => {
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

  it('F1 a hostile id stays on its line', async () => {
    using folder = temporaryFolder();
    await writeAll(folder.path, ['a\n{"sequence":99,"decision":"allow"}', '\u2028b']);
    expect(readFileSync(folder.log, 'utf8').split('\n')).toHaveLength(3);
    expect((await read(folder.path)).map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it('F4 one event that cannot be rendered is refused alone', async () => {
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
      [1, 'a'],
      [2, 'c'],
    ]);
  });

  it('F4 refuses when too many wait, and counts nothing that it refused', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, { maxQueued: 5 });
    const results = await Promise.allSettled(Array.from({ length: 8 }, (_, index) => sink.write(event(`${index}`))));
    expect(results.filter(({ status }) => status === 'rejected')).toHaveLength(3);
    await sink.close?.();
    expect(await read(folder.path)).toHaveLength(5);
  });

  it('refuses after close()', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    await sink.close?.();
    await sink.close?.();
    await expect(sink.write(event('a'))).rejects.toMatchObject({ failure: 'closed' });
  });
});

describe('F6 a log that somebody else touches is noticed with the next record', () => {
  const meddling: Record<string, (log: string) => void> = {
    removed: (log) => rmSync(log),
    moved: (log) => renameSync(log, `${log}.1`),
    'moved and made anew': (log) => {
      renameSync(log, `${log}.1`);
      writeFileSync(log, '');
    },
    truncated: (log) => truncateSync(log),
    'appended to': (log) => appendFileSync(log, '{"sequence":2}\n'),
  };

  for (const [name, meddle] of Object.entries(meddling)) {
    it(name, async () => {
      using folder = temporaryFolder();
      const sink = auditFile(folder.path);
      await sink.write(event('a'));
      meddle(folder.log);
      await expect(sink.write(event('b'))).rejects.toMatchObject({ failure: 'file_replaced' });
      await expect(sink.write(event('c'))).rejects.toMatchObject({ failure: 'file_replaced' });
      await sink.close?.();
    });
  }
});

describe('after a crash', () => {
  it('a torn line is kept aside and cut off, and the log goes on', async () => {
    using folder = temporaryFolder();
    await writeAll(folder.path, ['a', 'b']);
    appendFileSync(folder.log, '{"sequence":3,"id":"to');
    await writeAll(folder.path, ['c']);
    expect((await read(folder.path)).map(({ sequence, id }) => [sequence, id])).toEqual([
      [1, 'a'],
      [2, 'b'],
      [3, 'c'],
    ]);
    const torn = readdirSync(folder.path).filter((name) => name.startsWith('audit.jsonl.torn-'));
    expect(torn).toHaveLength(1);
    expect(readFileSync(join(folder.path, torn[0]!), 'utf8')).toBe('{"sequence":3,"id":"to');
    expect(statSync(join(folder.path, torn[0]!)).mode & 0o777).toBe(0o600);
  });

  it('a torn first line', async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '{"sequ');
    await writeAll(folder.path, ['a']);
    expect((await read(folder.path)).map(({ sequence }) => sequence)).toEqual([1]);
  });

  it('a long torn tail', async () => {
    using folder = temporaryFolder();
    await writeAll(folder.path, ['a']);
    appendFileSync(folder.log, Buffer.alloc(3_000_000));
    await writeAll(folder.path, ['b']);
    expect((await read(folder.path)).map(({ sequence }) => sequence)).toEqual([1, 2]);
  });

  it('records longer than one read block do not confuse it', async () => {
    using folder = temporaryFolder();
    const long = Array.from({ length: 10 }, () => 'x'.repeat(1000));
    const sink = auditFile(folder.path);
    await Promise.all(Array.from({ length: 600 }, (_, index) => sink.write(event(`${index}`, { scope: long }))));
    await sink.close?.();
    await writeAll(folder.path, ['last']);
    expect((await read(folder.path)).at(-1)).toMatchObject({ sequence: 601, id: 'last' });
  });
});

describe('G5 a log that cannot be kept stops the start', () => {
  it.each([
    ['a last line that is not JSON', 'hello\n'],
    ['a last line without a sequence', '{"sequence":1}\n{"id":"x"}\n'],
    ['a sequence that is no number', '{"sequence":"1"}\n'],
    ['a last line that is null', 'null\n'],
    ['an empty last line', '\n'],
  ])('%s', (_name, content) => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, content);
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(readFileSync(folder.log, 'utf8')).toBe(content);
  });

  it('a folder that is a file', () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '');
    expect(() => auditFile(folder.log)).toThrow(ConfigError);
  });

  it('a symbolic link in place of the log', () => {
    using folder = temporaryFolder();
    writeFileSync(join(folder.path, 'precious'), 'precious');
    symlinkSync(join(folder.path, 'precious'), folder.log);
    expect(() => auditFile(folder.path)).toThrow(ConfigError);
    expect(readFileSync(join(folder.path, 'precious'), 'utf8')).toBe('precious');
  });

  it('F6 a second sink on the same log; but not after the first was closed', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path);
    expect(() => auditFile(join(folder.path, '.'))).toThrow(/written already/);
    await sink.write(event('a'));
    await sink.close?.();
    await writeAll(folder.path, ['b']);
    expect(await read(folder.path)).toHaveLength(2);
  });

  it('misspelt and senseless options', () => {
    using folder = temporaryFolder();
    expect(() => auditFile(folder.path, { maxQeued: 1 } as object)).toThrow(/Did you mean 'maxQueued'/);
    for (const maxQueued of [0, -1, 1.5, Number.NaN]) {
      expect(() => auditFile(folder.path, { maxQueued })).toThrow(ConfigError);
    }
  });
});

describe('readAuditFile', () => {
  it('leaves out a line that has no end yet', async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '{"sequence":1}\n{"sequence":2');
    expect(await read(folder.path)).toEqual([{ sequence: 1 }]);
  });

  it('stops at a line that is no record, and says where', async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '{"sequence":1}\nrubbish\n');
    await expect(read(folder.path)).rejects.toMatchObject({
      failure: 'unreadable',
      message: expect.stringContaining('Line 2'),
    });
    writeFileSync(folder.log, '{"sequence":1}\n{}\n');
    await expect(read(folder.path)).rejects.toMatchObject({ failure: 'unreadable' });
  });

  it('rejoins characters that a read block cuts', async () => {
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
