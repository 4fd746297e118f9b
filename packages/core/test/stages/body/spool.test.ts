import { readdirSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Spool } from '../../../src/stages/body/spool.js';
import { Deferred } from '../../deferred.js';
import { expectNothingLeft, openFiles, spoolFolder } from './spools.js';

const ignore = { room: () => {}, failed: () => {} };

async function readAll(spool: Spool): Promise<Buffer> {
  const blocks: Buffer[] = [];
  for (let position = 0; ; ) {
    const block = await spool.read(position, 1000);
    if (block.length === 0) return Buffer.concat(blocks);
    blocks.push(block);
    position += block.length;
  }
}

describe('a spool', () => {
  it('returns the bytes in order, any number of times', async () => {
    const folder = spoolFolder();
    const spool = new Spool(folder, ignore);
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
    const spool = new Spool(folder, ignore);
    spool.append(Buffer.alloc(100));
    await spool.written();
    expect(readdirSync(folder)).toEqual([]);
    const opened = openFiles(folder);
    if (process.platform === 'linux') expect(opened).toHaveLength(1);
    for (const file of opened) expect(statSync(file).mode & 0o777).toBe(0o600);
    spool.close();
    await expectNothingLeft(folder);
  });

  it('tells of room only after append() has returned, so that one write at a time is under way', async () => {
    let appending = false;
    const during: boolean[] = [];
    const spool = new Spool(spoolFolder(), { ...ignore, room: () => during.push(appending) });
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
    const spool = new Spool(spoolFolder(), { ...ignore, room: room.resolve });
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
    const spool = new Spool(folder, ignore);
    spool.append(Buffer.alloc(256 * 1024 - 1));
    await spool.written();
    spool.append(Buffer.alloc(100));
    for (let turn = 0; turn < 10; turn++) await setImmediate();
    expect(await spool.read(256 * 1024 - 1, 1000)).toHaveLength(0);
    await spool.written();
    expect(await spool.read(256 * 1024 - 1, 1000)).toHaveLength(100);
    spool.close();
  });

  it('reports the error and accepts no more bytes when it cannot be created', async () => {
    const failed = new Deferred<unknown>();
    const spool = new Spool(join(tmpdir(), 'countersign-no-such-folder'), { ...ignore, failed: failed.resolve });
    spool.append(Buffer.alloc(10));
    await spool.written();
    expect(String(await failed.promise)).toContain('ENOENT');
    await spool.written();
    expect(spool.append(Buffer.alloc(10))).toBe(false);
    await expect(spool.read(0, 1)).rejects.toThrow('nothing is kept any more');
    spool.close();
  });

  it.each(['at once', 'while it is written', 'afterwards'])('leaves nothing behind when closed %s', async (when) => {
    const folder = spoolFolder();
    const spool = new Spool(folder, ignore);
    spool.append(Buffer.alloc(1_000_000));
    if (when === 'while it is written')
      while (openFiles(folder).length === 0 && process.platform === 'linux') await setImmediate();
    if (when === 'afterwards') await spool.written();
    spool.close();
    spool.close();
    await spool.written();
    await expectNothingLeft(folder);
    await expect(spool.read(0, 1)).rejects.toThrow('nothing is kept any more');
  });
});
