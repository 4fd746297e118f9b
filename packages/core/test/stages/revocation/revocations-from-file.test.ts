import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ConfigError, type ReloadResult } from '@countersign/common';
import type { Revocable } from '../../../src/stages/revocation/revocable.js';
import { revocationsFromFile } from '../../../src/stages/revocation/revocations-from-file.js';
import type { RevocationSource } from '../../../src/stages/revocation/revocable.js';
import { patiently } from '../../../../../test/support/patiently.js';
import { fakeTime, hasten } from '../../../../common/test/files/hasten.js';
import { putFile } from '../../put-file.js';

const thumbprint = 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k';

async function fileWith(content: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-revocations-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'revocations.json');
  await write(file, content);
  return file;
}

async function write(file: string, content: unknown): Promise<void> {
  await putFile(file, typeof content === 'string' ? content : JSON.stringify(content));
}

async function open(
  file: string,
): Promise<{ readonly source: RevocationSource; readonly nextReload: () => Promise<ReloadResult> }> {
  const reloads: ReloadResult[] = [];
  const source = await revocationsFromFile(file, { onReload: (result) => reloads.push(result), pollSeconds: 3600 });
  onTestFinished(() => source.close?.());
  const nextReload = async (): Promise<ReloadResult> => {
    await hasten(vi.waitFor(() => expect(reloads).toHaveLength(1), patiently));
    return reloads.pop() as ReloadResult;
  };
  return { source, nextReload };
}

fakeTime();

describe('revocationsFromFile', () => {
  it('reads every list, as ids and as objects', async () => {
    const file = await fileWith({
      agents: ['agent-1', { agent: 'agent-2', until: 2000 }],
      keys: [thumbprint],
      subjects: [{ subject: 'user_123', issuer: 'https://id.acme.dev' }],
      delegations: ['7c9e'],
      issuers: ['https://id.partner.example'],
    });
    const { source } = await open(file);
    const revoked: Revocable[] = [
      { agent: 'agent-1' },
      { agent: 'agent-2' },
      { key: thumbprint },
      { subject: 'user_123', issuer: 'https://id.acme.dev' },
      { delegation: '7c9e' },
      { issuer: 'https://id.partner.example' },
    ];
    for (const one of revoked) expect(await source.findRevoked([{ agent: 'agent-9' }, one], 1000)).toBe(one);
    expect(await source.findRevoked([{ agent: 'agent-2' }, { subject: 'user_123' }], 2000)).toBeUndefined();
  });

  it('follows the file when revocations are added and removed', async () => {
    const file = await fileWith({});
    const { source, nextReload } = await open(file);
    const named = [{ agent: 'agent-1' }];
    expect(await source.findRevoked(named, 1000)).toBeUndefined();
    await write(file, { agents: ['agent-1'] });
    expect(await nextReload()).toEqual({ ok: true });
    expect(await source.findRevoked(named, 1000)).toBe(named[0]);
    await write(file, { agents: [] });
    expect(await nextReload()).toEqual({ ok: true });
    expect(await source.findRevoked(named, 1000)).toBeUndefined();
  });

  it.each<[string, unknown, RegExp]>([
    ['half a file', '{"agents":["agent-', /not well-formed/],
    ['a list', ['agent-1'], /expected an object/],
    ['a misspelt list', { agent: ['agent-1'] }, /Did you mean 'agents'/],
    ['a list twice', '{"agents":["agent-1"],"agents":[]}', /same member twice/],
    ['an id in place of a list', { agents: 'agent-1' }, /'agents' must be a list/],
    ['null in place of a list', { agents: null }, /'agents' must be a list/],
    ['an agent among the keys', { keys: [{ agent: 'agent-1' }] }, /unknown option 'agent'/],
    ['a key that is not a thumbprint', { keys: ['agent-1'] }, /thumbprint/],
    ['a number', { agents: [1] }, /'agents': 'agent' must be visible text/],
    ['a date', { agents: [{ agent: 'agent-1', until: '2030-01-01' }] }, /unix seconds/],
  ])('refuses to start with %s, and keeps the old revocations on reload [D6]', async (_title, content, message) => {
    const opening = revocationsFromFile(await fileWith(content));
    await expect(opening).rejects.toThrow(ConfigError);
    await expect(opening).rejects.toThrow(message);

    const file = await fileWith({ agents: ['agent-1'] });
    const { source, nextReload } = await open(file);
    await write(file, content);
    expect(await nextReload()).toMatchObject({ ok: false, problem: expect.stringMatching(message) });
    const named = [{ agent: 'agent-1' }];
    expect(await source.findRevoked(named, 1000)).toBe(named[0]);
  });

  it('has an outage once it is closed, since nothing follows the file any more [G5]', async () => {
    const source = await revocationsFromFile(await fileWith({ agents: ['agent-1'] }));
    await source.close?.();
    const outage = 'revocationsFromFile: it was closed, so its files are not followed. Open it again.';
    expect(() => source.findRevoked([{ agent: 'agent-2' }], 1000)).toThrow(outage);
  });

  it('refuses to start without the file, or with a misspelt option', async () => {
    await expect(revocationsFromFile('/nonexistent/revocations.json')).rejects.toThrow(/cannot read the revocations/);
    await expect(revocationsFromFile('revocations.json', { onRelaod: () => {} } as object)).rejects.toThrow(/onReload/);
  });
});
