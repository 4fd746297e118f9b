import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { redisClients } from '../../../test/support/redis-clients.js';
import { type SilentProxy, startSilentProxy } from '../../../test/support/silent-proxy.js';
import type { RedisClient } from '../src/index.js';
import { replaceSilent } from '../src/replace-silent.js';

const program = findRedis();
const seconds = 0.2;

interface Pinged {
  ping(): Promise<unknown>;
}

const on = () => {};
const poorWrappers: Readonly<Record<string, object>> = {
  'whose duplicate throws': { on, duplicate: () => [].at(0)!['x'] },
  'whose duplicate is a promise': { on, duplicate: async () => ({}) },
};

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'a client of %s whose connection goes silent',
  (name) => {
    let server: RedisServer;
    let proxy: SilentProxy;

    beforeAll(async () => {
      server = await startRedis(program!);
      proxy = await startSilentProxy(server.port);
    });
    afterAll(async () => {
      await proxy.close();
      await server.stop();
    });

    /** `more`: what a wrapper of the client has instead. */
    async function opened({ retries = true, more = {} }: { readonly retries?: boolean; readonly more?: object } = {}) {
      const { client, close } = await redisClients[name](`redis://127.0.0.1:${proxy.port}`, retries);
      const pinged = client as unknown as Pinged;
      const called = Object.keys(more).length === 0 ? pinged : { ping: async () => await pinged.ping(), ...more };
      const call = replaceSilent(called as unknown as RedisClient, seconds);
      const ping = async () => await call(async (current) => await (current as unknown as Pinged).ping());
      const expectAnswer = async () => await vi.waitFor(async () => expect(await ping()).toBe('PONG'), patiently);
      return { client, close, ping, expectAnswer };
    }

    it('is replaced, also if the next connection is silent', async () => {
      const { close, ping, expectAnswer } = await opened();
      for (const next of [0, 1]) {
        proxy.fallSilent(next);
        await expect(ping()).rejects.toThrow('Redis gave no answer for 0.2 s');
        await expectAnswer();
      }
      close();
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
    });

    it('is replaced again after the application ended its client and connected it anew', async () => {
      const { client, close, ping, expectAnswer } = await opened();
      for (const _round of [0, 1]) {
        proxy.fallSilent();
        await expectAnswer();
        close();
        await vi.waitFor(async () => await expect(ping()).rejects.toThrow(), patiently);
        await client.connect();
        await expectAnswer();
      }
      close();
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
    });

    it('is called again where no other connection can be made, once it answers', async () => {
      const { close, ping, expectAnswer } = await opened();
      const before = proxy.opened();
      proxy.fallSilent(Infinity);
      await vi.waitFor(async () => {
        await expect(ping()).rejects.toThrow();
        expect(proxy.opened()).toBeGreaterThan(before);
      }, patiently);
      proxy.recover();
      await expectAnswer();
      proxy.fallSilent();
      close();
    });

    it('is replaced again after the connection of its replacement has ended for good', async () => {
      const { close, ping, expectAnswer } = await opened({ retries: false });
      proxy.fallSilent();
      await expectAnswer();
      proxy.drop('others');
      await vi.waitFor(async () => await expect(ping()).rejects.toThrow(), patiently);
      await expectAnswer();
      close();
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
    });

    it('is not replaced any more after it gave up, until the application connects it anew', async () => {
      const { client, close, ping, expectAnswer } = await opened({ retries: false });
      proxy.fallSilent();
      await expectAnswer();
      proxy.drop('silent');
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
      await expect(ping()).rejects.toThrow();
      await client.connect();
      expect(await ping()).toBe('PONG');
      close();
    });

    it.each(Object.keys(poorWrappers))('is an outage, and no more, in a wrapper %s', async (kind) => {
      const { close, ping } = await opened({ more: poorWrappers[kind]! });
      proxy.fallSilent();
      const errors: unknown[] = [];
      const record = (error: unknown) => void errors.push(error);
      process.prependOnceListener('uncaughtException', record);
      for (const _twice of [1, 2]) await expect(ping()).rejects.toThrow('Redis gave no answer for 0.2 s');
      process.off('uncaughtException', record);
      expect(errors).toEqual([]);
      close();
    });

    it('is waited for in a wrapper without events', async () => {
      const { close, ping } = await opened({ more: { duplicate: () => ({}) } });
      proxy.fallSilent();
      const asked = ping();
      proxy.recover();
      expect(await asked).toBe('PONG');
      close();
    });
  },
);
