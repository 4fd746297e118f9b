import { describe, expect, it } from 'vitest';
import type { Reading } from '@countersign/common';
import { RemoteStatusList } from '../../../src/stages/revocation/remote-status-list.js';
import type { StatusListToken } from '../../../src/stages/revocation/status-list-token.js';

/** A list whose only status is the number of the fetch, and a server that a test controls. */
function remote(more: Partial<Omit<StatusListToken, 'list'>> = {}, staleSeconds = 0) {
  const server = { fetches: [] as number[], more, answer: undefined as Reading<StatusListToken> | undefined };
  const list = new RemoteStatusList({
    async fetch(now) {
      server.fetches.push(now);
      const bytes = Uint8Array.of(server.fetches.length);
      return server.answer ?? { ok: true, value: { list: { bits: 8, bytes }, issuedAt: 1000, ...server.more } };
    },
    newest: undefined,
    staleSeconds,
    clockSkewSeconds: 5,
  });
  const at = async (now: number, look: 'current' | 'afterMiss' = 'current'): Promise<number | string> => {
    const read = await list[look](now);
    return read.ok ? (read.value.bytes[0] ?? 'empty') : read.problem;
  };
  return { list, server, at };
}

const down = { ok: false, problem: 'the server is down' } as const;

describe('a remote status list', () => {
  it('is fetched on first use, once for concurrent callers, and is used for its ttl', async () => {
    const { server, at, list } = remote({ ttlSeconds: 100 });
    expect(list.size).toBe(0);
    expect(await Promise.all([at(1000), at(1000), at(1001)])).toEqual([1, 1, 1]);
    expect(await at(1049)).toBe(1);
    expect(server.fetches).toEqual([1000]);
    expect(list.size).toBe(1);
  });

  it('is fetched again in the background at half of its ttl', async () => {
    const { server, at } = remote({ ttlSeconds: 100 });
    await at(1000);
    expect(await at(1050)).toBe(1);
    expect(server.fetches).toEqual([1000, 1050]);
    expect(await at(1099)).toBe(2);
  });

  it.each<[string, Partial<StatusListToken>, number]>([
    ['the ttl', { ttlSeconds: 100 }, 1100],
    ['no ttl', {}, 1300],
    ['a ttl of a day', { ttlSeconds: 86_400 }, 4600],
    ['a ttl of 10 ms', { ttlSeconds: 0.01 }, 1001],
    ['the exp and the clock skew', { ttlSeconds: 100, expiresAt: 1030 }, 1035],
  ])('expires after %s [B11]', async (_title, more, end) => {
    const { server, at } = remote(more);
    await at(1000);
    server.answer = down;
    expect(await at(end - 0.01)).toBe(1);
    expect(await at(end)).toBe('the server is down');
  });

  it('is used after its ttl for the configured stale seconds only [B11]', async () => {
    const { server, at } = remote({ ttlSeconds: 100 }, 60);
    await at(1000);
    server.answer = down;
    expect(await at(1100)).toBe(1);
    expect(await at(1159)).toBe(1);
    expect(await at(1160)).toBe('the server is down');
  });

  it('retries a server that is down every five seconds, and uses its next answer at once', async () => {
    const { server, at } = remote();
    server.answer = down;
    for (const now of [1000, 1001, 1004.9, 1005]) expect(await at(now)).toBe('the server is down');
    expect(server.fetches).toEqual([1000, 1005]);
    server.answer = undefined;
    expect(await at(1010)).toBe(3);
  });

  it('is fetched at most once in 30 seconds for an index beyond its end', async () => {
    const { server, at } = remote();
    await at(1000);
    for (const now of [1001, 1029, 1030, 1031]) await at(now, 'afterMiss');
    expect(server.fetches).toEqual([1000, 1030]);
    expect(await at(1032)).toBe(2);
  });

  it('reports an outage for an index beyond its end when it cannot be fetched again [B11]', async () => {
    const { server, at } = remote();
    await at(1000);
    server.answer = down;
    expect(await at(1030, 'afterMiss')).toBe('the server is down');
    expect(await at(1031)).toBe(1);
    expect(await at(1034, 'afterMiss')).toBe('the server is down');
    server.answer = undefined;
    expect(await at(1035, 'afterMiss')).toBe(3);
    expect(server.fetches).toEqual([1000, 1030, 1035]);
  });

  it('is never replaced by an older one [B11]', async () => {
    const { server, at } = remote({ ttlSeconds: 100 });
    await at(1000);
    server.more = { ttlSeconds: 100, issuedAt: 999 };
    await at(1060);
    expect(await at(1099)).toBe(1);
    expect(await at(1100)).toBe('it is older than the one before');
  });

  it('is not used when the clock was set back before its fetch', async () => {
    const { server, at } = remote({ ttlSeconds: 100 });
    await at(1000);
    server.answer = down;
    expect(await at(900)).toBe('the server is down');
  });
});
