import { expect, it, onTestFinished, vi } from 'vitest';
import {
  openSharedRevocations,
  type RevocationEntry,
  type RevocationFeed,
  type RevocationReading,
  type WriteBackPage,
} from '../src/index.js';

const entries: readonly RevocationEntry[] = ['a', 'b'].map((id) => ({
  name: JSON.stringify(['agent', id]),
  until: undefined,
  inForce: true,
}));

/** A list of two, half of which another process has written back. */
function openedFeed() {
  const begun = { version: 0, mark: 'begun' };
  let list: RevocationReading | undefined = { newest: begun, isWhole: true, entries };
  let theyBegin = false;
  const pages: WriteBackPage[] = [];
  const feed: RevocationFeed = {
    read: async (after) => {
      const read = after === undefined || after.mark === list?.newest.mark ? list : undefined;
      if (theyBegin && after === undefined) theirPage('theirs');
      return read;
    },
    write: async () => undefined,
    writeBack: async (page) => {
      if (list === undefined || page.after?.mark !== list.newest.mark) return undefined;
      pages.push(page);
      const newest = { version: list.newest.version + 1, mark: 'ours' };
      list = { newest, isWhole: page.ends, entries: [...list.entries, ...page.entries] };
      return newest;
    },
    watch: () => ({ close: async () => {} }),
  };
  const theirPage = (mark: string) => {
    theyBegin = false;
    list = { newest: { version: 1, mark }, isWhole: false, entries: entries.slice(0, 1) };
  };
  /** Nothing is left; another process writes its first page once somebody has seen that. */
  const lose = () => {
    list = undefined;
    theyBegin = true;
  };
  return { feed, pages, theirPage, lose };
}

it('leaves a list to the process that writes it back, and writes what it lacks once that process has stalled', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const { feed, pages, theirPage } = openedFeed();
  const told: string[] = [];
  const source = await openSharedRevocations('test', feed, {
    hintIfEmpty: '',
    onTrouble: (message) => void told.push(message),
  });
  onTestFinished(() => source.close());
  for (let page = 1; page <= 10; page++) {
    theirPage(`theirs-${page}`);
    await vi.advanceTimersByTimeAsync(1000);
  }
  expect(pages).toEqual([]);
  expect(() => source.findRevoked([{ agent: 'a' }], 0)).toThrow('too old');

  await vi.advanceTimersByTimeAsync(3000);
  expect(pages).toEqual([
    { entries: entries.slice(1), after: { version: 1, mark: 'theirs-10' }, begins: false, ends: true },
  ]);
  expect(source.findRevoked([{ agent: 'b' }], 0)).toEqual({ agent: 'b' });
  expect(told.filter((message) => message.includes('writes back 1 of the 2 that it knows'))).toHaveLength(1);
});

it('does not join the write back of a process that begins at the same moment', async () => {
  const { feed, pages, lose } = openedFeed();
  const source = await openSharedRevocations('test', feed, { hintIfEmpty: '', onTrouble: () => {} });
  onTestFinished(() => source.close());
  lose();
  await expect(source.revoke({ agent: 'c' })).rejects.toThrow('another process writes back');
  expect(pages).toEqual([]);
});

it('does not start on a list that another process has not written back to its end', async () => {
  const { feed, theirPage } = openedFeed();
  theirPage('theirs');
  await expect(openSharedRevocations('test', feed, { hintIfEmpty: 'it holds nothing' })).rejects.toThrow(
    'has not come to its end',
  );
});
