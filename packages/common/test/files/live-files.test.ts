import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError } from '../../src/errors/config-error.js';
import type { FileSet } from '../../src/files/file-set.js';
import { LiveFiles, type ReloadResult } from '../../src/files/live-files.js';

const NOW = 1_795_521_600_000;

/** A set that was last changed so many milliseconds ago. */
function setOf(text: string, age = 60_000): FileSet {
  return {
    files: new Map([['a', Buffer.from(text)]]),
    digests: new Map([['a', text]]),
    changedMs: NOW - age,
  };
}

/** Files in memory. What is `wrong` is refused when it is loaded. */
class Disk {
  content: FileSet | Error = setOf('first');
  readonly loaded: string[] = [];
  readonly told: ReloadResult[] = [];
  readings = 0;
  isWholeOrWrong = false;
  now = NOW;

  read = async (): Promise<FileSet> => {
    this.readings++;
    if (this.content instanceof Error) throw this.content;
    return this.content;
  };

  load = ({ files }: FileSet): void => {
    const text = String(files.get('a'));
    if (text.startsWith('wrong')) throw new ConfigError(text);
    this.loaded.push(text);
  };

  async open(): Promise<LiveFiles> {
    const { read, load, isWholeOrWrong } = this;
    return await LiveFiles.open({ owner: 'files', read, load, isWholeOrWrong, clock: () => this.now });
  }

  async follow(pollSeconds = 1): Promise<LiveFiles> {
    const files = await this.open();
    const folder = await mkdtemp(`${tmpdir()}/countersign-live-`);
    onTestFinished(() => rm(folder, { recursive: true }));
    files.follow({ folder, pollSeconds, onReload: (result) => this.told.push(result) });
    onTestFinished(() => files.close());
    return files;
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval'] });
});
afterEach(() => {
  vi.useRealTimers();
});

const seconds = async (count: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(count * 1000));

describe('a start', () => {
  it('loads a set at once when nothing in it changed during the last second', async () => {
    const disk = new Disk();
    disk.content = setOf('first', 1000);
    await disk.open();
    expect(disk.loaded).toEqual(['first']);
  });

  it.each([
    ['just changed', 999],
    ['bears a time to come', -60_000],
  ])('waits until a set has settled when it %s [K1]', async (_, age) => {
    const disk = new Disk();
    disk.content = setOf('torn', age);
    const opening = disk.open();
    await seconds(0.5);
    disk.content = setOf('whole', 0);
    await seconds(1.4);
    expect(disk.loaded).toEqual([]);
    await seconds(0.2);
    await opening;
    expect(disk.loaded).toEqual(['whole']);
  });

  it('takes two readings for none if files were replaced during both, also if they are alike [K4]', async () => {
    const disk = new Disk();
    disk.content = setOf('of two releases', -Infinity);
    const opening = disk.open();
    await seconds(5);
    expect(disk.loaded).toEqual([]);
    disk.content = setOf('whole');
    await seconds(2);
    await opening;
    expect(disk.loaded).toEqual(['whole']);
  });

  it('is refused when the set cannot be read, is wrong, or never settles', async () => {
    const disk = new Disk();
    disk.content = new Error('EIO');
    await expect(disk.open()).rejects.toThrow(new ConfigError('files: EIO'));
    disk.content = setOf('wrong');
    await expect(disk.open()).rejects.toThrow(new ConfigError('files: wrong'));
    disk.content = setOf('none', 0);
    const opening = expect(disk.open()).rejects.toThrow(/files: the files change all the time/);
    await seconds(0);
    for (let second = 0; second < 40; second++) {
      disk.content = setOf(String(second), 0);
      await seconds(1);
    }
    await opening;
  });
});

describe('a change', () => {
  it('is loaded once two readings, a second apart, find the same [K1]', async () => {
    const disk = new Disk();
    await disk.follow();
    for (const part of ['p', 'pa', 'par', 'part']) {
      disk.content = setOf(part);
      await seconds(1);
    }
    expect(disk.loaded).toEqual(['first']);
    await seconds(2);
    expect(disk.loaded).toEqual(['first', 'part']);
    expect(disk.told).toEqual([{ ok: true }]);
  });

  it('is not reported when the set is as before in the end', async () => {
    const disk = new Disk();
    await disk.follow();
    const before = disk.content;
    disk.content = setOf('other');
    await seconds(1);
    disk.content = before;
    await seconds(5);
    expect(disk.told).toEqual([]);
    expect(disk.loaded).toEqual(['first']);
  });

  it('is loaded after an outage of the file system, which is reported only if it lasts [K2]', async () => {
    const disk = new Disk();
    await disk.follow();
    disk.content = new Error('EMFILE');
    await seconds(1);
    disk.content = setOf('second');
    await seconds(4);
    expect(disk.told).toEqual([{ ok: true }]);

    disk.content = new Error('EIO');
    await seconds(10);
    disk.content = setOf('third');
    await seconds(4);
    expect(disk.told.slice(1)).toEqual([{ ok: false, problem: 'EIO' }, { ok: true }]);
    expect(disk.loaded).toEqual(['first', 'second', 'third']);
  });

  it('to the set in force is reported when an outage is over', async () => {
    const disk = new Disk();
    await disk.follow();
    const before = disk.content;
    disk.content = new Error('EIO');
    await seconds(10);
    disk.content = before;
    await seconds(4);
    expect(disk.told).toEqual([{ ok: false, problem: 'EIO' }, { ok: true }]);
  });

  it('that is wrong is reported once, and the set before stays', async () => {
    const disk = new Disk();
    await disk.follow();
    disk.content = setOf('wrong');
    await seconds(10);
    expect(disk.told).toEqual([{ ok: false, problem: 'wrong' }]);
    expect(disk.loaded).toEqual(['first']);
  });

  it('is in force after some ten seconds although the set changes once a second [K10]', async () => {
    const disk = new Disk();
    await disk.follow();
    for (let second = 0; second < 13; second++) {
      disk.content = setOf(String(second));
      await seconds(1);
    }
    expect(disk.loaded.length).toBeGreaterThan(1);
    expect(Number(disk.loaded.at(-1))).toBeGreaterThan(8);
    expect(disk.told).toContainEqual({ ok: true });
  });

  it('is reported when the set never settles, and again each minute', async () => {
    const disk = new Disk();
    await disk.follow();
    const changeFor = async (count: number) => {
      for (let change = 0; change < count * 5; change++) {
        disk.content = setOf(`${disk.now} ${change}`);
        await seconds(0.2);
      }
    };
    const problem = { ok: false, problem: 'the files change all the time.' };
    await changeFor(40);
    expect(disk.told).toEqual([problem]);
    disk.now += 60_000;
    await changeFor(20);
    expect(disk.told).toEqual([problem, problem]);
    expect(disk.loaded).toEqual(['first']);
  });

  it.each([
    ['cannot be read', new Error('EIO'), 'EIO'],
    ['is wrong', setOf('wrong'), 'wrong'],
  ])('that %s is reported again each minute until it is over', async (_title, content, problem) => {
    const disk = new Disk();
    await disk.follow();
    disk.content = content;
    await seconds(10);
    disk.now += 59_999;
    await seconds(2);
    expect(disk.told).toEqual([{ ok: false, problem }]);
    disk.now += 1;
    await seconds(2);
    expect(disk.told).toEqual([
      { ok: false, problem },
      { ok: false, problem },
    ]);
    disk.content = setOf('second');
    await seconds(3);
    disk.now += 60_000;
    await seconds(5);
    expect(disk.told.slice(2)).toEqual([{ ok: true }]);
  });

  it('is loaded although the load of another one threw', async () => {
    const disk = new Disk();
    const load = disk.load;
    disk.load = (set) => {
      if (String(set.files.get('a')) === 'fatal') throw new Error('a fault in the program');
      load(set);
    };
    const warned = once(process, 'warning');
    await disk.follow();
    disk.content = setOf('fatal');
    await seconds(4);
    expect((await warned)[0]).toMatchObject({ message: 'files: Error: a fault in the program' });
    disk.content = setOf('second');
    await seconds(4);
    expect(disk.loaded.at(-1)).toBe('second');
  });

  it('is not loaded after the close', async () => {
    const disk = new Disk();
    const files = await disk.follow();
    disk.content = setOf('second');
    await seconds(1);
    files.close();
    await seconds(5);
    expect(disk.loaded).toEqual(['first']);
    expect(disk.told).toEqual([]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('a change of a set that is whole or wrong', () => {
  it('is loaded at once, though once a second at most, however often the set changes [K10]', async () => {
    const disk = new Disk();
    disk.isWholeOrWrong = true;
    await disk.follow();
    for (let change = 0; change < 100; change++) {
      disk.content = setOf(String(change));
      await seconds(0.1);
    }
    const late = disk.loaded.slice(1).map(Number);
    expect(late.length).toBeGreaterThan(4);
    expect(late.length).toBeLessThan(11);
    expect(Math.max(...late.map((change, index) => change - (late[index - 1] ?? 0)))).toBeLessThan(25);
  });

  it('is not reported as wrong while it is written [K1]', async () => {
    const disk = new Disk();
    disk.isWholeOrWrong = true;
    await disk.follow();
    disk.content = setOf('wrong: half');
    await seconds(1.5);
    disk.content = setOf('second');
    await seconds(5);
    expect(disk.loaded).toEqual(['first', 'second']);
    expect(disk.told).toEqual([{ ok: true }]);
    disk.content = setOf('wrong');
    await seconds(5);
    expect(disk.told.slice(1)).toEqual([{ ok: false, problem: 'wrong' }]);
  });
});

describe('a set that does not change', () => {
  it('is read four times a second at most, however often something beside it changes [K10]', async () => {
    const disk = new Disk();
    disk.isWholeOrWrong = true;
    await disk.follow(0.01);
    await seconds(10);
    expect(disk.readings).toBeGreaterThan(30);
    expect(disk.readings).toBeLessThanOrEqual(41);
    disk.content = setOf('second');
    await seconds(0.27);
    expect(disk.loaded).toEqual(['first', 'second']);
  });

  it('is read at once by an explicit reload', async () => {
    const disk = new Disk();
    const files = await disk.follow(0.01);
    await seconds(0.1);
    disk.content = setOf('second');
    // No time passes from here on.
    expect(await files.reload()).toEqual({ ok: true });
    expect(disk.loaded).toEqual(['first', 'second']);
  });
});

describe('reload()', () => {
  it('loads a set that has settled, changed or not', async () => {
    const disk = new Disk();
    const files = await disk.open();
    expect(await files.reload()).toEqual({ ok: true });
    expect(disk.loaded).toEqual(['first', 'first']);
    disk.content = setOf('torn', 0);
    const reloading = files.reload();
    await seconds(0.5);
    disk.content = setOf('second', 0);
    await seconds(2);
    expect(await reloading).toEqual({ ok: true });
    expect(disk.loaded.slice(2)).toEqual(['second']);
  });

  it('never puts an older set in the place of a newer one', async () => {
    const disk = new Disk();
    const files = await disk.open();
    disk.content = setOf('second', 0);
    const slow = files.reload();
    const fast = files.reload();
    await seconds(0.5);
    disk.content = setOf('third');
    await seconds(3);
    expect(await Promise.all([slow, fast])).toEqual([{ ok: true }, { ok: true }]);
    expect(disk.loaded).toEqual(['first', 'third', 'third']);
  });

  it('does not wait behind a check of the changes, which then leaves them to it', async () => {
    const disk = new Disk();
    const files = await disk.follow();
    disk.content = setOf('second');
    // The poll has read the change, and waits for it to settle. No time passes from here on.
    await seconds(1.5);
    expect(disk.loaded).toEqual(['first']);
    expect(await files.reload()).toEqual({ ok: true });
    expect(disk.loaded).toEqual(['first', 'second']);
    disk.content = setOf('third');
    await seconds(4);
    expect(disk.loaded).toEqual(['first', 'second', 'third']);
    expect(disk.told).toEqual([{ ok: true }]);
  });

  it('says why the set before stays', async () => {
    const disk = new Disk();
    const files = await disk.open();
    disk.content = new Error('ENOENT');
    expect(await files.reload()).toEqual({ ok: false, problem: 'ENOENT' });
    disk.content = setOf('wrong');
    expect(await files.reload()).toEqual({ ok: false, problem: 'wrong' });
    expect(disk.loaded).toEqual(['first']);
  });

  it('does not happen once the files are closed, and says so [G5]', async () => {
    const disk = new Disk();
    const files = await disk.open();
    files.close();
    disk.content = setOf('second');
    const problem = 'it was closed, so its files are not followed. Open it again.';
    expect(await files.reload()).toEqual({ ok: false, problem });
    expect(disk.loaded).toEqual(['first']);
    expect(() => files.checkOpen()).toThrow(`files: ${problem}`);
  });
});
