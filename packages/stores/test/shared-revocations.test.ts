import { expect, it, onTestFinished, vi } from 'vitest';
import { openSharedRevocations, type RevocationEntry, type RevocationFeed, type WriteBackPage } from '../src/index.js';

const agent = { agent: 'agent-1' };

/** A list in memory that loses as many writes as it should, after it has acknowledged them. */
function losingFeed(losses: number): RevocationFeed & { readonly writes: RevocationEntry[][] } {
  const writes: RevocationEntry[][] = [];
  const marks = ['begun'];
  let left = losses;
  const newest = () => ({ version: marks.length - 1, mark: marks.at(-1) ?? '' });
  const write = (entries: readonly RevocationEntry[]) => {
    const mark = `${Math.random()}`;
    if (left-- > 0) return { version: marks.length, mark };
    writes.push([...entries]);
    marks.push(mark);
    return newest();
  };
  return {
    writes,
    read: async (after) =>
      after !== undefined && !marks.includes(after.mark)
        ? undefined
        : { newest: newest(), isWhole: true, entries: writes.slice(after?.version ?? 0).flat() },
    write: async (entries, known) => (marks.includes(known.mark) ? write(entries) : undefined),
    writeBack: async ({ entries }) => write(entries),
    watch: () => ({ close: async () => {} }),
  };
}

/** A list that is read in pages of two, and changes in `between` two of them. */
function pagedFeed(names: string[], between: (page: number) => void): RevocationFeed {
  let mark = 'begun';
  let pages = 0;
  return {
    read: async (after, from) => {
      if (from !== undefined) between((pages += 1));
      if (after !== undefined && after.mark !== mark) {
        // What was known is lost.
        return undefined;
      }
      const start = from === undefined ? (after?.version ?? 0) : from.version;
      const page = names.slice(start, start + 2);
      if (names.length === 0) mark = 'lost';
      const next = page.length < 2 ? undefined : { version: start + 2, name: page.at(-1) ?? '' };
      const entries = page.map((name) => ({ name, until: undefined, inForce: true }));
      return { newest: { version: names.length, mark }, isWhole: true, entries, next };
    },
    write: async () => undefined,
    writeBack: async () => undefined,
    watch: () => ({ close: async () => {} }),
  };
}

it('reads a long list in pages, with what is written meanwhile', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const feed = pagedFeed(names, (page) => page < 4 && names.push(`later-${page}`));
  const source = await openSharedRevocations('test', feed, { hintIfEmpty: '' });
  expect(source.list().map(({ name }) => name)).toEqual(names);
  expect(names).toHaveLength(8);
  await source.close();
});

it('does not start on a list that is lost between two pages', async () => {
  const names = ['a', 'b', 'c', 'd', 'e'];
  const feed = pagedFeed(names, () => names.splice(0));
  await expect(openSharedRevocations('test', feed, { hintIfEmpty: 'it holds nothing' })).rejects.toThrow(
    'it holds nothing',
  );
});

it('makes a revocation again that the store lost after it had acknowledged it, and rejects if it is lost again', async () => {
  const feed = losingFeed(1);
  const source = await openSharedRevocations('test', feed, { hintIfEmpty: '' });
  await source.revoke(agent);
  expect(feed.writes).toHaveLength(1);
  expect(source.findRevoked([agent], 0)).toBe(agent);
  await source.close();

  const worse = await openSharedRevocations('test', losingFeed(2), { hintIfEmpty: '' });
  await expect(worse.revoke(agent)).rejects.toThrow('again and again');
  await worse.close();
});

it('writes nothing back after it has slept for longer than marks are kept, and learns what is in force now', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  onTestFinished(() => void vi.useRealTimers());
  const everything = { name: '["frozen"]', until: undefined, inForce: true };
  const other = { name: '["agent","agent-2"]', until: undefined, inForce: true };
  let list = { newest: { version: 1, mark: 'frozen' }, isWhole: true, entries: [everything] };
  const written: WriteBackPage[] = [];
  let notice: (() => void) | undefined;
  const feed: RevocationFeed = {
    read: async (after) => (after === undefined || after.mark === list.newest.mark ? list : undefined),
    write: async () => undefined,
    writeBack: async (page) => {
      written.push(page);
      return list.newest;
    },
    watch: (onNotice) => {
      notice = onNotice;
      return { close: async () => {} };
    },
  };
  const source = await openSharedRevocations('test', feed, { hintIfEmpty: '' });
  onTestFinished(() => source.close());
  expect(source.findRevoked([agent], 0)).toBe(agent);

  vi.setSystemTime(Date.now() + 86_400_000);
  list = { newest: { version: 9, mark: 'of today' }, isWhole: true, entries: [other] };
  notice?.();
  await vi.waitFor(() => expect(source.findRevoked([agent], 0)).toBeUndefined());
  expect(source.findRevoked([{ agent: 'agent-2' }], 0)).toEqual({ agent: 'agent-2' });
  expect(written).toEqual([]);
});

it('refuses to answer once it is closed, since nobody reads the list any more', async () => {
  const source = await openSharedRevocations('test', losingFeed(0), { hintIfEmpty: '' });
  expect(source.findRevoked([agent], 0)).toBeUndefined();
  await source.close();
  expect(() => source.findRevoked([agent], 0)).toThrow('the revocations are closed');
});
