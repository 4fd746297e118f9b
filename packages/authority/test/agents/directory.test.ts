import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { directoryVersion } from '../../src/agents/directory.js';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { sql } from '../../src/storage/store.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

describe.each(engines)('the version of the directory in $name', ({ skip, open }) => {
  it.skipIf(skip)('goes on above those that a restored backup does not have, after many changes [C7]', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
    onTestFinished(() => void vi.useRealTimers());
    const store = await open();
    const agents = createAgentRegistry(store, () => 1_800_000_000);
    await agents.add({ id: 'agent-a', jwk: newKey().jwk });
    const backup = await directoryVersion(store);
    for (let count = 0; count < 50; count++) await agents.update('agent-a', { name: `n${count}` });
    const published = await directoryVersion(store);
    expect(published).toBe(backup + 50);
    await store.run(sql`UPDATE countersign_directory SET version = ${backup}`);
    vi.setSystemTime(Date.now() + 51);
    await agents.setStatus('agent-a', 'suspended');
    expect(await directoryVersion(store)).toBeGreaterThan(published);
  });
});
