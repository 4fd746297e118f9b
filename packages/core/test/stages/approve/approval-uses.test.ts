import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { setImmediate } from 'node:timers/promises';
import { ConfigError } from '@countersign/common';
import { approvalUsesInFolder, usesInReplayStore } from '../../../src/stages/approve/approval-uses.js';
import { memoryReplayStore } from '../../../src/stages/replay/memory-replay-store.js';
import { hangPool, pendingFileOperations } from '../../../../../test/support/hung-open.js';

const root = mkdtempSync(join(tmpdir(), 'countersign-uses-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let count = 0;
/** A folder that was made an hour ago. */
async function agedFolder(): Promise<string> {
  const folder = join(root, String(count++));
  await approvalUsesInFolder(folder);
  const hourAgo = Date.now() / 1000 - 3600;
  utimesSync(join(folder, 'epoch'), hourAgo, hourAgo);
  return folder;
}

const now = Math.floor(Date.now() / 1000);
const use = {
  issuer: 'https://approvals.acme.dev',
  id: 'approval-1',
  issuedAt: now - 60,
  clockSkewSeconds: 5,
  until: now + 60,
  now,
};

describe('approvalUsesInFolder', () => {
  it('lets one of many concurrent uses through, also in two stores on one folder [C11]', async () => {
    const folder = await agedFolder();
    const stores = await Promise.all([approvalUsesInFolder(folder), approvalUsesInFolder(folder)]);
    const results = await Promise.all(
      stores.flatMap((store) => Array.from({ length: 50 }, async () => await store.use(use))),
    );
    expect(results.filter((result) => result === 'first')).toHaveLength(1);
    expect(results.filter((result) => result === 'repeated')).toHaveLength(99);
  });

  it.skipIf(process.platform === 'win32')(
    'occupies one thread while its folder hangs, and lets 1000 uses wait [C11]',
    async () => {
      const store = await approvalUsesInFolder(await agedFolder());
      const release = await hangPool();
      const before = pendingFileOperations();
      const waiting = Array.from({ length: 1000 }, async () => await store.use(use));
      await setImmediate();
      expect(pendingFileOperations()).toBe(before + 1);
      await expect(store.use(use)).rejects.toThrow('1000 uses of approvals wait for');
      release();
      expect((await Promise.all(waiting)).filter((result) => result === 'first')).toHaveLength(1);
      expect(await store.use(use)).toBe('repeated');
    },
  );

  it('remembers across restarts [C11]', async () => {
    const folder = await agedFolder();
    expect(await (await approvalUsesInFolder(folder)).use(use)).toBe('first');
    expect(await (await approvalUsesInFolder(folder)).use(use)).toBe('repeated');
    expect(await (await approvalUsesInFolder(folder)).use({ ...use, id: 'approval-2' })).toBe('first');
    expect(await (await approvalUsesInFolder(folder)).use({ ...use, issuer: 'https://other.dev' })).toBe('first');
  });

  it('knows nothing of approvals from before it was made [C11]', async () => {
    const store = await approvalUsesInFolder(join(root, 'new'));
    expect(await store.use(use)).toBe('before_epoch');
    // By a clock that is ahead, it may be from before.
    const ahead = { ...use, issuedAt: Math.floor(Date.now() / 1000) + 30 };
    expect(await store.use({ ...ahead, clockSkewSeconds: 60 })).toBe('before_epoch');
    expect(await store.use(ahead)).toBe('first');
  });

  it.each([
    ['emptied', (folder: string) => readdirSync(folder).forEach((name) => rmSync(join(folder, name)))],
    ['removed', (folder: string) => rmSync(folder, { recursive: true })],
  ])('knows nothing of approvals from before its folder was %s while it runs [C11]', async (_how, lose) => {
    const folder = await agedFolder();
    const stores = [await approvalUsesInFolder(folder), await approvalUsesInFolder(folder)] as const;
    expect(await stores[0].use(use)).toBe('first');
    lose(folder);
    for (const store of stores) expect(await store.use(use)).toBe('before_epoch');
    const later = { ...use, id: 'approval-2', issuedAt: now + 60, until: now + 120 };
    expect(await stores[0].use(later)).toBe('first');
    expect(await stores[1].use(later)).toBe('repeated');
  });

  it('removes uses whose approvals have long expired, and nothing else', async () => {
    const folder = await agedFolder();
    const store = await approvalUsesInFolder(folder);
    const old = join(folder, 'a'.repeat(64));
    for (const file of [old, join(folder, 'notes.txt')]) {
      writeFileSync(file, '');
      utimesSync(file, now - 200_000, now - 200_000);
    }
    for (let id = 0; id < 1000; id += 1) await store.use({ ...use, id: `approval-${id}` });
    expect(readdirSync(folder)).toHaveLength(1002);
    expect(readdirSync(folder)).toContain('notes.txt');
  });

  it('forgets no use by a clock that is days ahead of the one that dates its files [C11]', async () => {
    const store = await approvalUsesInFolder(await agedFolder());
    for (let id = 0; id < 999; id += 1) await store.use({ ...use, id: `approval-${id}` });
    const ahead = now + 260_000;
    expect(await store.use({ ...use, id: 'approval-999', until: ahead + 60, now: ahead })).toBe('first');
    expect(await store.use({ ...use, id: 'approval-0' })).toBe('repeated');
  });

  it('says what is wrong with the folder', async () => {
    const file = join(root, 'file');
    writeFileSync(file, '');
    await expect(approvalUsesInFolder(file)).rejects.toThrow(ConfigError);
    await expect(approvalUsesInFolder('')).rejects.toThrow('name the folder');
  });
});

/** Uses approvals in turn, and says which it was the first to use once `use` has resolved. */
const program = `
import { approvalUsesInFolder } from ${JSON.stringify(new URL('../../../dist/stages/approve/approval-uses.js', import.meta.url).href)};
const [folder, from] = process.argv.slice(2);
const store = await approvalUsesInFolder(folder);
const now = Math.floor(Date.now() / 1000);
for (let id = Number(from); ; id += 1) {
  const result = await store.use({ issuer: 'https://approvals.acme.dev', id: 'approval-' + id, issuedAt: now - 60, clockSkewSeconds: 5, until: now + 600, now });
  process.stdout.write(id + ' ' + result + '\\n');
}
`;

describe('a process that is killed while it uses approvals', () => {
  it('has used each that it said it had, for the process after it, too [C11]', async () => {
    const folder = await agedFolder();
    const file = join(root, 'program.mjs');
    writeFileSync(file, program);
    const used = new Set<string>();
    for (let round = 0; round < 5; round += 1) {
      const child = spawn(process.execPath, [file, folder, '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
      const lines = await linesUntilKilled(child, used.size + 20);
      for (const line of lines) {
        const [id = '', result] = line.split(' ');
        // A use whose answer the kill cut off is lost, and never counts twice.
        if (result === 'first') expect(used.has(id)).toBe(false);
        if (used.has(id)) expect(result).toBe('repeated');
        used.add(id);
      }
    }
    expect(used.size).toBeGreaterThanOrEqual(100);
  });
});

/** Kills the process once it has written so many lines. */
async function linesUntilKilled(child: ChildProcess, most: number): Promise<string[]> {
  let text = '';
  for await (const chunk of child.stdout ?? []) {
    text += String(chunk);
    if (text.split('\n').length > most) child.kill('SIGKILL');
  }
  return text.split('\n').slice(0, -1);
}

describe('usesInReplayStore', () => {
  // After the second in which the process began, of which its memory knows nothing.
  const now = Date.now() / 1000 + 60;
  const clock = () => now * 1000;
  const use = {
    issuer: 'https://approvals.acme.dev',
    id: 'approval-1',
    issuedAt: now,
    clockSkewSeconds: 5,
    until: now + 60,
    now,
  };

  it('lets one use of each approval of each issuer through [C11]', () => {
    const uses = usesInReplayStore(memoryReplayStore({ clock }));
    expect(uses.use(use)).toBe('first');
    expect(uses.use(use)).toBe('repeated');
    expect(uses.use({ ...use, id: 'approval-2' })).toBe('first');
    expect(uses.use({ ...use, issuer: 'https://approvals.acme.test' })).toBe('first');
  });

  it('knows nothing of approvals from before its store [C11]', () => {
    expect(usesInReplayStore(memoryReplayStore({ clock })).use({ ...use, issuedAt: now - 5 })).toBe('before_epoch');
  });
});
