import { spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { splitCheckpoints } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { auditFile } from '../../src/log/audit-file.js';
import type { AuditFileOptions } from '../../src/log/audit-file-options.js';
import { LogChain } from '../../src/log/log-chain.js';
import { ConfigError } from '@countersign/common';
import { event, type Folder, temporaryFolder } from '../events.js';
import { contents, lastSegment, segments, verify, writeAll } from '../log-folder.js';

const small: AuditFileOptions = { maxSegmentBytes: 1500, checkpointEvery: { records: 4 } };
const six = ['a', 'b', 'c', 'd', 'e', 'f'];

describe('segments', () => {
  it('rotate by size and share one chain', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, six, small);
    await writeAll(folder, six, small);
    expect(segments(folder).length).toBeGreaterThan(3);
    for (const name of segments(folder)) expect(statSync(join(folder.path, name)).size).toBeLessThan(3500);
    expect((await contents(folder)).filter((one) => one.length === 1)).toEqual([...six, ...six]);
    const report = await verify(folder);
    expect(report).toMatchObject({ ok: true, segments: segments(folder).length });
    expect(report.sealed).toBe(report.size - 1);
  });

  it('rotate by age, also across a restart', async () => {
    using folder = temporaryFolder();
    let now = Date.parse('2026-11-24T12:00:00Z');
    const options = { maxSegmentSeconds: 3600, clock: () => now };
    await writeAll(folder, ['a'], options);
    now += 3_599_000;
    await writeAll(folder, ['b'], options);
    expect(segments(folder)).toHaveLength(1);
    now += 1000;
    await writeAll(folder, ['c', 'd'], options);
    expect(segments(folder)).toHaveLength(2);
    const first = ['segment', 'a', 'checkpoint', 'b', 'checkpoint'];
    expect(await contents(folder)).toEqual([...first, 'segment', 'checkpoint', 'c', 'd', 'checkpoint']);
    expect((await verify(folder)).ok).toBe(true);
  });

  it('refuse records when a new one cannot be created, and create it later [F4]', async () => {
    using folder = temporaryFolder();
    const witnessed: (string | undefined)[] = [];
    const witness = { name: 'test', receive: async (note: string) => void witnessed.push(note.split('\n')[1]) };
    const sizes = () =>
      splitCheckpoints(readFileSync(join(folder.path, 'checkpoints.txt'), 'utf8')).map((note) => note.split('\n')[1]);
    const sink = auditFile(folder.path, { ...small, checkpointEvery: { records: 100 }, witnesses: [witness] });
    for (const id of six.slice(0, 3)) await sink.write(event(id));
    mkdirSync(join(folder.path, 'audit-000002.jsonl'));
    await expect(sink.write(event('no'))).rejects.toMatchObject({ code: 'write_failed' });
    await expect(sink.write(event('no'))).rejects.toMatchObject({ code: 'write_failed' });
    expect(sizes()).toEqual(['1', '4']);
    rmSync(join(folder.path, 'audit-000002.jsonl'), { recursive: true });
    await sink.write(event('yes'));
    await sink.close?.();
    expect(witnessed).toEqual(sizes());
    expect((await contents(folder)).filter((one) => !['segment', 'checkpoint'].includes(one))).toEqual([
      ...six.slice(0, 3),
      'yes',
    ]);
    expect((await verify(folder)).ok).toBe(true);
  });
});

describe('checkpoints', () => {
  it('are made by count, by time and at close', async () => {
    using folder = temporaryFolder();
    const notes: string[] = [];
    const witness = { name: 'test', receive: async (note: string) => void notes.push(note) };
    const sink = auditFile(folder.path, { checkpointEvery: { records: 2, seconds: 1 }, witnesses: [witness] });
    await sink.write(event('a'));
    await sink.write(event('b'));
    expect(notes.map((note) => note.split('\n')[1])).toEqual(['1', '3']);
    await sink.write(event('c'));
    const due = Date.now() + 10_000;
    while (notes.length < 3 && Date.now() < due) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(notes.map((note) => note.split('\n')[1])).toEqual(['1', '3', '5']);
    await sink.close?.();
    expect(await contents(folder)).toEqual(['segment', 'a', 'b', 'checkpoint', 'c', 'checkpoint']);
    expect((await verify(folder)).ok).toBe(true);
  });

  it('are signed with the configured key, which is created if missing and readable by its owner only', async () => {
    using folder = temporaryFolder();
    using keys = temporaryFolder();
    const checkpointKey = join(keys.path, 'audit.pem');
    await writeAll(folder, ['a'], { checkpointKey, origin: 'acme.dev/audit' });
    expect(statSync(checkpointKey).mode & 0o777).toBe(0o600);
    expect(existsSync(join(folder.path, 'checkpoint-key.pem'))).toBe(false);
    expect(readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8')).toMatch(
      /^acme\.dev\/audit\/[0-9a-f]{8}\+[0-9a-f]{8}\+/,
    );
    await writeAll(folder, ['b'], { checkpointKey });
    expect(await verify(folder)).toMatchObject({ ok: true });
    const { privateKey } = generateKeyPairSync('ed25519');
    expect(() => auditFile(folder.path, { checkpointKey: privateKey })).toThrow(/not signed with the key of this log/);
    for (const origin of ['acme.dev/other', 'acme.dev', 'acme.dev/audi', 'acme.dev/audit/00000000']) {
      expect(() => auditFile(folder.path, { checkpointKey, origin })).toThrow(/keeps its name/);
    }
    const [name = ''] = readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8').split('+');
    for (const origin of ['acme.dev/audit', name]) await writeAll(folder, ['d'], { checkpointKey, origin });
    writeFileSync(join(keys.path, 'rubbish.pem'), 'rubbish');
    expect(() => auditFile(folder.path, { checkpointKey: join(keys.path, 'rubbish.pem') })).toThrow(ConfigError);
    await writeAll(folder, ['c'], { checkpointKey });
  });

  it('are not signed when the key itself is given in place of its file [F2, G5]', () => {
    using folder = temporaryFolder();
    const pem = generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
    const [, base64 = ''] = pem.split('\n');
    for (const checkpointKey of [pem, pem.replaceAll('\n', '\\n'), base64, '']) {
      const log = join(folder.path, 'log');
      const open = (): unknown => auditFile(log, { checkpointKey });
      expect(open).toThrow(ConfigError);
      expect(open).toThrow(/^auditFile: 'checkpointKey' must be the name of a file[^]{0,100}$/);
      expect(existsSync(log)).toBe(false);
    }
  });

  it('an empty key file is replaced for a new log, and refused for an existing one', async () => {
    using folder = temporaryFolder();
    const keyFile = join(folder.path, 'checkpoint-key.pem');
    for (const file of [keyFile, `${keyFile}.${process.pid}`, join(folder.path, `audit.lock.${process.pid}`)]) {
      writeFileSync(file, '');
    }
    await writeAll(folder, ['a']);
    expect(readFileSync(keyFile, 'utf8')).toContain('PRIVATE KEY');
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder.path).toSorted()).toEqual([
      'audit-000001.jsonl',
      'checkpoint-key.pem',
      'checkpoint.vkey',
      'checkpoints.txt',
    ]);
    writeFileSync(keyFile, '');
    expect(() => auditFile(folder.path)).toThrow(/Put the key back that the log was begun with/);
    expect(readFileSync(keyFile, 'utf8')).toBe('');
  });

  it('a torn checkpoint is truncated, wherever it was torn', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    const path = join(folder.path, 'checkpoints.txt');
    const note = Buffer.from(`${splitCheckpoints(readFileSync(path, 'utf8')).at(-1)}\n`);
    for (let cut = 0; cut < note.length; cut += 9) {
      appendFileSync(path, note.subarray(0, cut));
      if (cut % 2 === 0) appendFileSync(path, '\0'.repeat(cut));
      await writeAll(folder, []);
    }
    for (const missing of [1, 80, note.length - 1]) {
      appendFileSync(path, Buffer.from(note).fill(0, 0, missing));
      await writeAll(folder, []);
    }
    appendFileSync(path, note.subarray(0, -1));
    await writeAll(folder, ['b']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });
});

describe('a start after a crash', () => {
  it.each([
    ['half a record', '{"sequence":4,"id":"to'],
    ['a complete record that does not follow', `{"sequence":4,"id":"x","prev":"${'0'.repeat(64)}"}\n`],
    ['zeros', '\0'.repeat(5000)],
    ['3 MB of zeros', '\0'.repeat(3_000_000)],
    ['an empty line', '\n'],
    ['a lost block with complete lines behind it', `{"sequence":4${'\0'.repeat(512)}"}\n{"sequence":5}\n`],
  ])('quarantines %s at the end, records it and continues', async (_name, torn) => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, torn);
    await writeAll(folder, ['b']);
    expect(await contents(folder)).toEqual(['segment', 'a', 'checkpoint', 'recovered', 'b', 'checkpoint']);
    const [aside = ''] = readdirSync(folder.path).filter((name) => name.startsWith('audit-000001.jsonl.torn-'));
    expect(readFileSync(join(folder.path, aside), 'utf8')).toBe(torn);
    expect(statSync(join(folder.path, aside)).mode & 0o777).toBe(0o600);
    const report = await verify(folder);
    expect(report).toMatchObject({ ok: true, sealed: 5 });
    expect(report.remarks).toEqual([expect.stringContaining(`${torn.length} torn bytes were put aside as ${aside}`)]);
  });

  it('continues the log after a crash at any byte', async () => {
    using folder = temporaryFolder();
    const sink = auditFile(folder.path, small);
    for (let count = 0; count < 12; count++) {
      await sink.write(event(`${count}`));
      using copy = temporaryFolder();
      cpSync(folder.path, copy.path, { recursive: true });
      rmSync(join(copy.path, 'audit.lock'));
      await writeAll(copy, ['next'], small);
      const events = (await contents(copy)).filter((one) => !['segment', 'checkpoint'].includes(one));
      expect(events).toEqual([...Array.from({ length: count + 1 }, (_, index) => `${index}`), 'next']);
      expect(await verify(copy)).toMatchObject({ ok: true, remarks: [] });
    }
    await sink.close?.();
  });

  it('quarantines a segment without a complete first record, the first or a later one', async () => {
    using folder = temporaryFolder();
    writeFileSync(folder.log, '{"sequ');
    await writeAll(folder, ['a']);
    writeFileSync(join(folder.path, 'audit-000002.jsonl'), '');
    await writeAll(folder, ['b']);
    writeFileSync(join(folder.path, 'audit-000002.jsonl'), '{"torn');
    await writeAll(folder, ['c']);
    writeFileSync(join(folder.path, 'audit-000002.jsonl'), `${'\0'.repeat(512)}"}\n{"sequence":9}\n`);
    await writeAll(folder, ['d']);
    const begun = ['segment', 'recovered', 'a', 'checkpoint', 'b', 'checkpoint'];
    const after = ['recovered', 'c', 'checkpoint', 'recovered', 'd', 'checkpoint'];
    expect(await contents(folder)).toEqual([...begun, ...after]);
    const report = await verify(folder);
    expect(report.findings).toEqual([]);
    expect(report.remarks).toHaveLength(3);
  });

  it('keeps complete records that were not acknowledged', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, six, small);
    const path = lastSegment(folder);
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    // Without the record of the last checkpoint; the checkpoint itself stays.
    writeFileSync(path, `${lines.slice(0, -1).join('\n')}\n`);
    await writeAll(folder, ['g'], small);
    expect((await contents(folder)).filter((one) => one.length === 1)).toEqual([...six, 'g']);
    expect((await verify(folder)).ok).toBe(true);
  });

  it.runIf(canForbidTruncation())('fences the torn end of an append-only file', async () => {
    using folder = temporaryFolder();
    await writeAll(folder, ['a']);
    appendFileSync(folder.log, '{"torn');
    const chattr = (flag: string): void => void spawnSync('chattr', [flag, folder.log]);
    chattr('+a');
    try {
      await writeAll(folder, ['b']);
    } finally {
      chattr('-a');
    }
    expect(segments(folder)).toHaveLength(2);
    expect(readFileSync(folder.log, 'utf8').endsWith('{"torn')).toBe(true);
    await writeAll(folder, ['c']);
    expect((await contents(folder)).filter((one) => one.length === 1)).toEqual(['a', 'b', 'c']);
    const report = await verify(folder);
    expect(report).toMatchObject({ ok: true });
    expect(report.remarks.join()).toContain('audit-000001.jsonl is void from byte');
  });
});

function canForbidTruncation(): boolean {
  using folder = temporaryFolder();
  writeFileSync(folder.log, 'x');
  spawnSync('chattr', ['+a', folder.log]);
  try {
    truncateSync(folder.log, 0);
    return false;
  } catch {
    return true;
  } finally {
    spawnSync('chattr', ['-a', folder.log]);
  }
}

describe('a changed log stops the start when [F6, G5]', () => {
  const tampering: Readonly<Record<string, (folder: Folder) => void>> = {
    'a record in the last segment is edited': (folder) =>
      edit(lastSegment(folder), (text) => text.replace('2026', '2025')),
    'zeros stand in a record that is sealed': (folder) =>
      edit(lastSegment(folder), (text) => text.replace('"action":"pr', '\0'.repeat(12))),
    'zeros stand in the first record of a segment that has others': (folder) =>
      edit(lastSegment(folder), (text) => text.replace('"phase":"seg', '\0'.repeat(12))),
    'a record in the last segment is removed': (folder) =>
      edit(lastSegment(folder), (text) => text.split('\n').toSpliced(1, 1).join('\n')),
    'the end of the last segment is cut off': (folder) =>
      edit(lastSegment(folder), (text) => `${text.split('\n').slice(0, 1).join('\n')}\n`),
    'the last segment is removed': (folder) => rmSync(lastSegment(folder)),
    'all segments are removed': (folder) => {
      for (const name of segments(folder)) rmSync(join(folder.path, name));
    },
    'the first record of the last segment is no start': (folder) =>
      edit(lastSegment(folder), (text) => text.replace('"segment"', '"Segment"')),
    'the last segment holds something else': (folder) => writeFileSync(lastSegment(folder), 'hello\nworld\n'),
    'the last checkpoint is edited': (folder) =>
      edit(join(folder.path, 'checkpoints.txt'), (text) => text.replace(/\n(\d)(\d*)\n(?!.*\n\d+\n)/s, '\n9$2\n')),
    'the last checkpoint is removed, though the log tells of it': (folder) =>
      edit(join(folder.path, 'checkpoints.txt'), (text) =>
        splitCheckpoints(text)
          .slice(0, -1)
          .map((note) => `${note}\n`)
          .join(''),
      ),
    'the last checkpoint is cut off by a byte': (folder) =>
      edit(join(folder.path, 'checkpoints.txt'), (text) => text.slice(0, -1)),
    'the checkpoints are emptied': (folder) => writeFileSync(join(folder.path, 'checkpoints.txt'), ''),
    'the checkpoints are junk': (folder) => writeFileSync(join(folder.path, 'checkpoints.txt'), 'junk\n'),
    'junk stands behind the checkpoints': (folder) =>
      edit(join(folder.path, 'checkpoints.txt'), (text) => `${text}junk`),
    'much junk stands behind the checkpoints': (folder) =>
      edit(join(folder.path, 'checkpoints.txt'), (text) => `${text}${'\0'.repeat(70_000)}`),
    'the checkpoints are removed': (folder) => rmSync(join(folder.path, 'checkpoints.txt')),
    'the key is another one': (folder) => rmSync(join(folder.path, 'checkpoint-key.pem')),
  };

  for (const [name, tamper] of Object.entries(tampering)) {
    it(name, async () => {
      using folder = temporaryFolder();
      await writeAll(folder, six, small);
      await writeAll(folder, six, small);
      tamper(folder);
      const before = segments(folder).map((file) => readFileSync(join(folder.path, file), 'utf8'));
      expect(() => auditFile(folder.path, small)).toThrow(ConfigError);
      expect(segments(folder).map((file) => readFileSync(join(folder.path, file), 'utf8'))).toEqual(before);
      // What refused to open is not locked.
      expect(existsSync(join(folder.path, 'audit.lock'))).toBe(false);
    });
  }
});

it('a wrong record before others stops the start, even without a checkpoint [F6, G5]', async () => {
  using folder = temporaryFolder();
  using copy = temporaryFolder();
  const sink = auditFile(folder.path);
  for (const id of six) await sink.write(event(id));
  cpSync(folder.path, copy.path, { recursive: true });
  await sink.close?.();
  rmSync(join(copy.path, 'audit.lock'));
  edit(copy.log, (text) => text.replace('"id":"c"', '"id":"x"'));
  const before = readFileSync(copy.log, 'utf8');
  expect(() => auditFile(copy.path)).toThrow(/line 5 of .* does not follow/);
  expect(readFileSync(copy.log, 'utf8')).toBe(before);
});

it('a rewritten log with correct hashes stops the start [F6, G5]', async () => {
  using folder = temporaryFolder();
  await writeAll(folder, six);
  const chain = new LogChain();
  edit(folder.log, (text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^\{"sequence":\d+,"version":1,(.*),"prev":"[0-9a-f]+"\}$/, '{$1}'))
      .map((line) => String(chain.append(line.replace('acme/api', 'acme/web'))))
      .join(''),
  );
  expect(() => auditFile(folder.path)).toThrow(/is not the log that was sealed/);
  expect((await verify(folder)).findings).toMatchObject([{ kind: 'rewritten' }]);
});

/** Writes the log anew without the records of its checkpoints: what whoever has no key would like to be sealed. */
function forge(folder: Folder): void {
  const chain = new LogChain();
  edit(folder.log, (text) =>
    text
      .trimEnd()
      .split('\n')
      .filter((line) => !line.includes('"phase":"checkpoint"'))
      .map((line) => line.replace(/^\{"sequence":\d+,"version":1,(.*),"prev":"[0-9a-f]+"\}$/, '{$1}'))
      .map((line) => String(chain.append(line.replace('acme/api', 'acme/web'))))
      .join(''),
  );
}

describe('a log without its checkpoints [F6, G5]', () => {
  it.each([
    ['removed', (path: string) => rmSync(path)],
    ['emptied', (path: string) => truncateSync(path)],
    ['junk', (path: string) => writeFileSync(path, 'junk\n')],
    ['half a checkpoint', (path: string) => truncateSync(path, 20)],
  ])('is refused, so that no other history is sealed, when its checkpoints are %s', async (_name, tamper) => {
    using folder = temporaryFolder();
    await writeAll(folder, six, { origin: 'acme.dev/audit/of-the-api' });
    forge(folder);
    tamper(join(folder.path, 'checkpoints.txt'));
    const before = readFileSync(folder.log, 'utf8');
    expect(() => auditFile(folder.path)).toThrow(/folder away/);
    expect(readFileSync(folder.log, 'utf8')).toBe(before);
  });

  it('is refused from its first event on; earlier, a crash explains it', async () => {
    using folder = temporaryFolder();
    const checkpoints = join(folder.path, 'checkpoints.txt');
    const begun = auditFile(folder.path);
    expect(await verify(folder)).toMatchObject({ ok: true, sealed: 1, size: 1 });
    await begun.close?.();
    const [first = ''] = readFileSync(folder.log, 'utf8').split('\n');
    rmSync(checkpoints);
    writeFileSync(folder.log, `${first}\n{"torn`);
    const sink = auditFile(folder.path);
    expect(splitCheckpoints(readFileSync(checkpoints, 'utf8'))).toHaveLength(1);
    await sink.close?.();
    await writeAll(folder, ['a']);
    expect(await contents(folder)).toEqual(['segment', 'recovered', 'checkpoint', 'a', 'checkpoint']);
    expect(await verify(folder)).toMatchObject({ ok: true, findings: [] });
  });
});

function edit(path: string, change: (text: string) => string): void {
  const text = readFileSync(path, 'utf8');
  const changed = change(text);
  expect(changed).not.toBe(text);
  writeFileSync(path, changed);
}
