import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { GroupCommit, maxBatch } from '../../src/disk/group-commit.js';

/** A commit that ends when the test says so. */
class Gate {
  readonly batches: string[][] = [];
  #open: Array<{ resolve: () => void; reject: (reason: unknown) => void }> = [];

  readonly commit = (entries: readonly string[]): Promise<void> => {
    this.batches.push([...entries]);
    return new Promise((resolve, reject) => this.#open.push({ resolve, reject }));
  };

  /** Waits for the next batch to be in flight, then ends it. */
  async settle(reason?: unknown): Promise<void> {
    while (this.#open.length === 0) await setImmediate();
    const { resolve, reject } = this.#open.shift()!;
    if (reason === undefined) resolve();
    else reject(reason);
    await setImmediate();
  }
}

function watch(promise: Promise<void>): { state: string } {
  const watched = { state: 'waiting' };
  promise.then(
    () => {
      watched.state = 'resolved';
    },
    (error: unknown) => {
      watched.state = String(error);
    },
  );
  return watched;
}

describe('group commit', () => {
  it('resolves an entry after its batch is committed, and gathers the next batch meanwhile', async () => {
    const gate = new Gate();
    const commits = new GroupCommit(gate.commit, 100);
    const first = watch(commits.add('a'));
    while (gate.batches.length === 0) await setImmediate();
    const later = ['b', 'c', 'd'].map((entry) => watch(commits.add(entry)));
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(gate.batches).toEqual([['a']]);
    expect(first.state).toBe('waiting');
    await gate.settle();
    expect(first.state).toBe('resolved');
    expect(later.map(({ state }) => state)).toEqual(['waiting', 'waiting', 'waiting']);
    await gate.settle();
    expect(gate.batches).toEqual([['a'], ['b', 'c', 'd']]);
    expect(later.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'resolved']);
  });

  it('rejects only the entries of a failed batch [F4]', async () => {
    const gate = new Gate();
    const commits = new GroupCommit(gate.commit, 100);
    const refused = [watch(commits.add('a')), watch(commits.add('b'))];
    await gate.settle('disk full');
    const later = watch(commits.add('c'));
    await gate.settle();
    expect(refused.map(({ state }) => state)).toEqual(['disk full', 'disk full']);
    expect(later.state).toBe('resolved');
  });

  it('refuses entries at once when the queue is full [F4]', async () => {
    const gate = new Gate();
    const commits = new GroupCommit(gate.commit, 3);
    const taken = ['a', 'b', 'c'].map((entry) => watch(commits.add(entry)));
    await expect(commits.add('d')).rejects.toMatchObject({ name: 'AuditError', code: 'overloaded' });
    await gate.settle();
    expect(taken.map(({ state }) => state)).toEqual(['resolved', 'resolved', 'resolved']);
    const again = watch(commits.add('e'));
    await gate.settle();
    expect(again.state).toBe('resolved');
  });

  it('refuses an entry that leaves room for others before those [F4]', async () => {
    const gate = new Gate();
    const commits = new GroupCommit(gate.commit, 3);
    const taken = [watch(commits.add('a')), watch(commits.add('b', 2))];
    await expect(commits.add('c', 2)).rejects.toMatchObject({ code: 'overloaded' });
    taken.push(watch(commits.add('d')), watch(commits.add('e', 4)));
    await gate.settle();
    expect(gate.batches).toEqual([['a', 'b', 'd', 'e']]);
  });

  it('bounds batches and keeps entries in order', async () => {
    const gate = new Gate();
    const commits = new GroupCommit(gate.commit, 10_000);
    const entries = Array.from({ length: maxBatch * 2 + 1 }, (_, index) => String(index));
    const all = Promise.all(entries.map((entry) => commits.add(entry)));
    for (let batch = 0; batch < 3; batch++) await gate.settle();
    await all;
    expect(gate.batches.map((batch) => batch.length)).toEqual([maxBatch, maxBatch, 1]);
    expect(gate.batches.flat()).toEqual(entries);
  });

  it('commits queued entries at close(), and takes no more', async () => {
    const gate = new Gate();
    const commits = new GroupCommit(gate.commit, 100);
    const last = watch(commits.add('a'));
    const closing = watch(commits.close());
    await expect(commits.add('b')).rejects.toMatchObject({ code: 'closed' });
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect(closing.state).toBe('waiting');
    await gate.settle();
    for (let turn = 0; turn < 5; turn++) await setImmediate();
    expect([last.state, closing.state]).toEqual(['resolved', 'resolved']);
  });
});
