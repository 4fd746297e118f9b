import type { SharedAgents, SharedRevocations } from '@countersign/stores';
import { describe, expect, it, vi } from 'vitest';
import { keyNamed } from './keys.js';
import { patiently } from './patiently.js';
import { freshAgent } from './shared-revocations.js';
import type { SilentProxy } from './silent-proxy.js';

/** Stores behind a proxy. */
export interface DelayedStores {
  readonly proxy: SilentProxy;
  readonly agents: SharedAgents;
  readonly revocations: SharedRevocations;
  /** Revocations as a process that starts now knows them. */
  openRevocations(): Promise<SharedRevocations>;
}

/**
 * What a store must do with a change that a connection delivers after a newer one was made over another. `replace`: each
 * way in which the client comes to use another connection.
 */
export function itMakesNoChangeLate(
  stores: () => DelayedStores,
  replace: Readonly<Record<string, () => Promise<unknown>>>,
): void {
  const changesOf = (id: string) => {
    const { agents, revocations } = stores();
    const active = { id, publicKey: keyNamed(id).publicBase64, capabilities: ['admin:*'] };
    const put = async () => await agents.put(active);
    const suspend = async () => await agents.put({ ...active, status: 'suspended' });
    const revoke = async () => await revocations.revoke({ agent: id });
    return {
      put: { before: put, older: put, newer: suspend },
      remove: { before: suspend, older: async () => await agents.remove(id), newer: suspend },
      restore: { before: revoke, older: async () => await revocations.restore({ agent: id }), newer: revoke },
    };
  };

  describe.each(Object.keys(replace))('after %s', (way) => {
    it.each(['put', 'remove', 'restore'] as const)(
      'undoes nothing by an older %s that the connection delivers late [A11]',
      async (name) => {
        const { proxy, agents, openRevocations } = stores();
        const { agent: id } = freshAgent();
        const { before, older, newer } = changesOf(id)[name];
        await before();
        const silent = proxy.fallSilentAt(id);
        const failing = expect(older()).rejects.toThrow();
        await silent;
        await replace[way]!();
        await failing;
        await vi.waitFor(newer, patiently);
        await proxy.deliver();
        if (name !== 'restore') return expect(await agents.statusOf(id)).toBe('suspended');
        const started = await openRevocations();
        expect(started.findRevoked([{ agent: id }], Date.now() / 1000)).toEqual({ agent: id });
        await started.close();
      },
    );
  });
}
