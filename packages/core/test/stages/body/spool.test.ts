import { readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../../../test/support/patiently.js';
import { SharedRoom } from '../../../src/model/request-body.js';
import { Spool, type SpoolSender } from '../../../src/stages/body/spool.js';
import { Deferred } from '../../deferred.js';
import { expectNothingLeft, openFiles, spoolFolder } from './spools.js';

const ignore = { room: () => {}, failed: () => {} };

/** A sender who may have that much. */
function sender({ name = 'a', memory = 2 ** 30, disk = 2 ** 30, files = 100 } = {}): SpoolSender {
  const share = (most: number) => new SharedRoom(2 * most).shareOf(name);
  return { name, memory: share(memory), disk: share(disk), files: share(files) };
}

async function readAt(spool: Spool, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, await spool.read(position, [buffer]));
}

async function readAll(spool: Spool): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for (let position = 0; ; ) {
    const block = await readAt(spool, position, 1000);
    if (block.length === 0) return Buffer.concat(blocks);
    blocks.push(block);
    position += block.length;
  }
}

describe('a spool', () => {
  it('returns the bytes in order, any number of times', async () => {
    const folder = spoolFolder();
    const spool = new Spool(folder, ignore, sender());
    const whole = Buffer.from(Array.from({ length: 5000 }, (_, index) => index % 251));
    for (let at = 0; at < whole.length; at += 700) spool.append(whole.subarray(at, at + 700));
    await spool.written();
    expect((await readAll(spool)).equals(whole)).toBe(true);
    spool.append(Buffer.from('more'));
    await spool.written();
    expect((await readAll(spool)).subarray(5000).toString()).toBe('more');
    spool.close();
    await expectNothingLeft(folder);
  });

  it('has no name once a byte is in it, and belongs to this user alone [G4]', async () => {
    const folder = spoolFolder();
    const spool = new Spool(folder, ignore, sender());
    spool.append(Buffer.alloc(100));
    await spool.written();
    expect(readdirSync(folder)).toEqual([]);
    const opened = openFiles(folder);
    if (process.platform === 'linux') expect(opened).toHaveLength(1);
    for (const file of opened) expect(statSync(file).mode & 0o777).toBe(0o600);
    spool.close();
    await expectNothingLeft(folder);
  });

  it('takes what waits for the disk from the memory that all bodies share, and gives it back [G4]', async () => {
    const own = sender({ memory: 100_000 });
    const shared = own.memory;
    const room = new Deferred();
    const spool = new Spool(spoolFolder(), { ...ignore, room: room.resolve }, own);
    expect(spool.append(Buffer.alloc(90_000))).toBe(true);
    expect(shared.take(20_000)).toBe(false);
    // Without room the sender waits, and is told of it although no large batch has come.
    expect(spool.append(Buffer.alloc(20_000))).toBe(false);
    await room.promise;
    await spool.written();
    expect(shared.take(100_000)).toBe(true);
    shared.give(100_000);
    spool.append(Buffer.alloc(50_000));
    spool.close();
    expect(shared.take(100_000)).toBe(true);
  });

  it('writes for a sender that waits, also if more comes that has room [G4]', async () => {
    const room = new Deferred();
    const spool = new Spool(spoolFolder(), { ...ignore, room: room.resolve }, sender({ memory: 100_000 }));
    expect(spool.append(Buffer.alloc(90_000))).toBe(true);
    expect(spool.append(Buffer.alloc(20_000))).toBe(false);
    // One reading of the socket gives several chunks of HTTP.
    expect(spool.append(Buffer.alloc(5_000))).toBe(false);
    await room.promise;
    expect(spool.append(Buffer.alloc(5_000))).toBe(true);
    spool.close();
  });

  it('takes what its file takes from the room on disk, and gives it back when the file is gone [G4]', async () => {
    const folder = spoolFolder();
    const own = sender({ disk: 100_000 });
    const failures: unknown[] = [];
    const spool = new Spool(folder, { ...ignore, failed: (error) => void failures.push(error) }, own);
    spool.append(Buffer.alloc(90_000));
    await spool.written();
    expect(own.disk.take(10_001)).toBe(false);
    expect(spool.append(Buffer.alloc(20_000))).toBe(false);
    expect(failures).toEqual([expect.stringContaining('all the disk space that it may have')]);
    expect(spool.append(Buffer.alloc(1))).toBe(false);
    await expectNothingLeft(folder);
    await vi.waitFor(() => expect(own.disk.take(100_000)).toBe(true), patiently);
    expect(own.memory.take(2 ** 30)).toBe(true);
    expect(failures).toHaveLength(1);
  });

  it('takes one file of its sender, from the first byte until the file is gone [G4]', async () => {
    const folder = spoolFolder();
    const own = sender({ files: 2 });
    const failures: unknown[] = [];
    const events = { ...ignore, failed: (error: unknown) => void failures.push(error) };
    const spools = Array.from({ length: 3 }, () => new Spool(folder, events, own));
    expect(spools.map((spool) => spool.append(Buffer.alloc(10)))).toEqual([true, true, false]);
    expect(failures).toEqual([expect.stringContaining('all the files that it may have')]);
    for (const spool of spools.slice(0, 2)) {
      spool.append(Buffer.alloc(10));
      await spool.written();
      spool.close();
    }
    await vi.waitFor(() => expect(own.files.take(2)).toBe(true), patiently);
    expect([own.disk.take(2 ** 30), own.memory.take(2 ** 30)]).toEqual([true, true]);
    await expectNothingLeft(folder);
  });

  it('waits for the disk behind one file of each other sender, however many files they have [G4]', async () => {
    const done: string[] = [];
    async function write(own: SpoolSender): Promise<void> {
      const spool = new Spool(spoolFolder(), ignore, own);
      spool.append(Buffer.alloc(300_000));
      await spool.written();
      done.push(own.name);
      spool.close();
    }
    const busy = sender();
    const writes = Array.from({ length: 20 }, () => write(busy));
    writes.push(write(sender({ name: 'b' })));
    await Promise.all(writes);
    expect(done.indexOf('b')).toBeLessThan(10);
  });

  it('uses the disk in turn with all others, and all of them are written [G4]', async () => {
    const spools = Array.from({ length: 20 }, () => new Spool(spoolFolder(), ignore, sender()));
    for (const spool of spools) spool.append(Buffer.alloc(300_000, 7));
    await Promise.all(spools.map((spool) => spool.written()));
    for (const spool of spools) expect((await readAt(spool, 299_999, 10)).toString()).toBe('\u0007');
    for (const spool of spools) spool.close();
  });

  it('tells of room only after append() has returned, so that one write at a time is under way', async () => {
    let appending = false;
    const during: boolean[] = [];
    const spool = new Spool(spoolFolder(), { ...ignore, room: () => during.push(appending) }, sender());
    for (let batch = 0; batch < 2; batch += 1) {
      appending = true;
      spool.append(Buffer.alloc(256 * 1024));
      appending = false;
      await spool.written();
    }
    expect(during).toEqual([false, false]);
    spool.close();
  });

  it('applies backpressure while the disk is behind [G4]', async () => {
    const room = new Deferred();
    const spool = new Spool(spoolFolder(), { ...ignore, room: room.resolve }, sender());
    const answers = Array.from({ length: 5 }, () => spool.append(Buffer.alloc(128 * 1024)));
    expect(answers).toEqual([true, true, true, false, false]);
    await room.promise;
    expect(spool.append(Buffer.alloc(1))).toBe(true);
    await spool.written();
    expect((await readAll(spool)).length).toBe(5 * 128 * 1024 + 1);
    spool.close();
  });

  it('writes chunks together: a few bytes wait for more, or for the end', async () => {
    const folder = spoolFolder();
    const spool = new Spool(folder, ignore, sender());
    spool.append(Buffer.alloc(256 * 1024 - 1));
    await spool.written();
    spool.append(Buffer.alloc(100));
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    expect(await readAt(spool, 256 * 1024 - 1, 1000)).toHaveLength(0);
    await spool.written();
    expect(await readAt(spool, 256 * 1024 - 1, 1000)).toHaveLength(100);
    spool.close();
  });

  it('reports the error and accepts no more bytes when it cannot be created', async () => {
    const failed = new Deferred<unknown>();
    const spool = new Spool(
      join(tmpdir(), 'countersign-no-such-folder'),
      { ...ignore, failed: failed.resolve },
      sender(),
    );
    spool.append(Buffer.alloc(10));
    await spool.written();
    expect(String(await failed.promise)).toContain('ENOENT');
    await spool.written();
    expect(spool.append(Buffer.alloc(10))).toBe(false);
    await expect(readAt(spool, 0, 1)).rejects.toThrow('nothing is kept any more');
    spool.close();
  });

  it.each(['at once', 'while it is written', 'afterwards'])('leaves nothing behind when closed %s', async (when) => {
    const folder = spoolFolder();
    const spool = new Spool(folder, ignore, sender());
    spool.append(Buffer.alloc(1_000_000));
    if (when === 'while it is written')
      while (openFiles(folder).length === 0 && process.platform === 'linux') await setImmediate();
    if (when === 'afterwards') await spool.written();
    spool.close();
    spool.close();
    await spool.written();
    await expectNothingLeft(folder);
    await expect(readAt(spool, 0, 1)).rejects.toThrow('nothing is kept any more');
  });
});
