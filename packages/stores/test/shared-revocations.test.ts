import { expect, it } from 'vitest';
import { openSharedRevocations, type RevocationEntry, type RevocationFeed } from '../src/index.js';

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
        : { newest: newest(), entries: writes.slice(after?.version ?? 0).flat() },
    write: async (entries, known) => (marks.includes(known.mark) ? write(entries) : undefined),
    writeBack: async (entries) => write(entries),
    watch: () => ({ close: async () => {} }),
  };
}

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
