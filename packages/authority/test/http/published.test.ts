import { inflateSync } from 'node:zlib';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import type { Store } from '../../src/index.js';
import { startAuthority } from '../support/authority.js';
import { claimsOf, newKey, ownToken } from '../support/client.js';
import { engines } from '../support/stores.js';

describe('the published directory', () => {
  it('has each agent with its keys, and of a revoked one the name', async () => {
    const { issuer, authority } = await startAuthority();
    const now = Math.floor(Date.now() / 1000);
    const [a, b, c, old] = [newKey(), newKey(), newKey(), newKey()];
    await authority.agents.add({
      id: 'a',
      keys: [{ jwk: a.jwk }, { jwk: old.jwk, expiresAt: now - 400 }],
      capabilities: ['repo:read'],
      owner: 'user:alice',
      roles: ['reviewer', { name: 'on-call', until: now - 1 }],
    });
    await authority.agents.add({ id: 'b', jwk: b.jwk, status: 'pending' });
    await authority.agents.add({ id: 'c', jwk: c.jwk, expiresAt: now - 1 });
    await authority.agents.add({ id: 'd', jwk: newKey().jwk });
    await authority.agents.setStatus('d', 'revoked');
    const text = await (await fetch(`${issuer}/agents.jwt`)).text();
    expect(decodeProtectedHeader(text)).toMatchObject({ typ: 'agent-directory+jwt', alg: 'EdDSA' });
    const key = ({ jwk, thumbprint }: typeof a) => ({ ...jwk, kid: thumbprint, use: 'sig' });
    const facts = { capabilities: [], roles: [], tags: [] };
    expect(decodeJwt(text)['agents']).toEqual([
      {
        agent_id: 'a',
        status: 'active',
        owner: 'user:alice',
        capabilities: ['repo:read'],
        roles: ['reviewer', { name: 'on-call', until: now - 1 }],
        tags: [],
        keys: [key(a)],
      },
      { agent_id: 'b', status: 'pending', ...facts, keys: [key(b)] },
      { agent_id: 'c', status: 'active', ...facts, expires: now - 1, keys: [key(c)] },
      { agent_id: 'd', status: 'revoked', keys: [] },
    ]);
    const directory = await fetch(`${issuer}/.well-known/http-message-signatures-directory`);
    expect(directory.headers.get('content-type')).toBe('application/http-message-signatures-directory+json');
    expect(await directory.json()).toEqual({ keys: [{ ...a.jwk, kid: a.thumbprint, use: 'sig' }] });
  });

  it('has at most sixteen keys of an agent, however often it replaces them [I2]', async () => {
    const { issuer, authority } = await startAuthority();
    const current = newKey();
    await authority.agents.add({ id: 'a', jwk: current.jwk });
    for (let count = 0; count < 20; count++) {
      const replaced = newKey();
      await authority.agents.addKey('a', { jwk: replaced.jwk }, { overlapSeconds: 60 });
      await authority.agents.revokeKey('a', replaced.thumbprint);
    }
    await authority.agents.addKey('a', { jwk: newKey().jwk }, { overlapSeconds: 60 });
    const { agents } = decodeJwt<{ agents: readonly { keys: readonly { exp?: number }[] }[] }>(
      await (await fetch(`${issuer}/agents.jwt`)).text(),
    );
    expect(agents[0]?.keys).toHaveLength(16);
    expect(agents[0]?.keys.filter(({ exp }) => exp === undefined)).toHaveLength(1);
  });

  it('is not sent again as long as it is the same', async () => {
    // It is signed anew every five minutes.
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const { issuer, authority } = await startAuthority();
    await authority.agents.add({ id: 'a', jwk: newKey().jwk });
    const etag = (await fetch(`${issuer}/agents.jwt`)).headers.get('etag') ?? '';
    const again = async () => (await fetch(`${issuer}/agents.jwt`, { headers: { 'if-none-match': etag } })).status;
    expect(await again()).toBe(304);
    await authority.agents.setStatus('a', 'suspended');
    expect(await again()).toBe(200);
  });
});

it('the operator is told before the published directory is too large for guards', async () => {
  const troubles: string[] = [];
  const { issuer, authority } = await startAuthority({ onTrouble: (message) => void troubles.push(message) });
  const capabilities = Array.from({ length: 100 }, (_, index) => `repo${index}:${'read'.repeat(60)}`);
  const add = async (from: number, to: number) =>
    await Promise.all(
      Array.from({ length: to - from }, async (_, index) =>
        authority.agents.add({ id: `agent-${from + index}`, jwk: newKey().jwk, capabilities }),
      ),
    );
  await add(0, 10);
  expect((await fetch(`${issuer}/agents.jwt`)).status).toBe(200);
  expect(troubles).toEqual([]);
  await add(10, 240);
  expect((await fetch(`${issuer}/agents.jwt`)).status).toBe(200);
  expect(troubles).toEqual([expect.stringMatching(/^the agent directory has 240 keys and \d{7} bytes/)]);
});

describe.each(engines)('what strangers read on $name', ({ skip, open }) => {
  it.skipIf(skip)('is not read from all agents again as long as it is the same [I6]', async () => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    onTestFinished(() => void vi.useRealTimers());
    const { store, count } = counting(await open());
    const { issuer, authority } = await startAuthority({ store });
    const now = Math.floor(Date.now() / 1000);
    const [key, short] = [newKey(), newKey()];
    await authority.agents.add({ id: 'a', keys: [{ jwk: key.jwk }, { jwk: short.jwk, expiresAt: now + 60 }] });
    await authority.agents.add({ id: 'b', jwk: newKey().jwk, expiresAt: now + 120 });
    const url = `${issuer}/.well-known/http-message-signatures-directory`;
    const keys = async () => ((await (await fetch(url)).json()) as { keys: unknown[] }).keys.length;
    count.agents = 0;
    expect([await keys(), await keys(), await keys(), count.agents]).toEqual([3, 3, 3, 1]);
    await authority.agents.setStatus('b', 'suspended');
    expect([await keys(), await keys(), count.agents]).toEqual([2, 2, 2]);
    await authority.agents.setStatus('b', 'active');
    expect(await keys()).toBe(3);
    vi.setSystemTime((now + 60) * 1000);
    expect(await keys()).toBe(2);
    vi.setSystemTime((now + 120) * 1000);
    expect([await keys(), await keys(), count.agents]).toEqual([1, 1, 5]);
  });

  it.skipIf(skip)('has no status list beyond the last token, and looks for no dead tokens there [I6]', async () => {
    const { store, count } = counting(await open());
    const { issuer } = await startAuthority({ store });
    const statuses: number[] = [];
    for (const list of [1, 2, 999_999_999]) statuses.push((await fetch(`${issuer}/status/${list}`)).status);
    expect([statuses, count.dead]).toEqual([[404, 404, 404], 0]);
    expect((await fetch(`${issuer}/status/0`)).status).toBe(200);
    expect(count.dead).toBe(1);
  });
});

/** Counts the statements that read all agents, or all dead tokens. */
function counting(store: Store) {
  const count = { agents: 0, dead: 0 };
  const run: Store['run'] = async (statement) => {
    if (statement.text.includes('a.workload = 0 OR')) count.agents++;
    if (statement.text.includes('seeds')) count.dead++;
    return await store.run(statement);
  };
  return { count, store: { ...store, run } };
}

describe('the status list', () => {
  it('has a bit for each token, which is set once the token is revoked or its agent suspended [B11]', async () => {
    const running = await startAuthority();
    const { issuer, authority } = running;
    const keys = { a: newKey(), b: newKey() };
    for (const [id, { jwk }] of Object.entries(keys))
      await authority.agents.add({ id, jwk, capabilities: ['repo:read'] });
    const tokens = [
      await ownToken(running, 'a', keys.a),
      await ownToken(running, 'a', keys.a),
      await ownToken(running, 'b', keys.b),
    ].map(({ access_token: token }) => claimsOf(token));
    const bits = async () => {
      const response = await fetch(`${issuer}/status/0`);
      expect(response.headers.get('content-type')).toBe('application/statuslist+jwt');
      const text = await response.text();
      expect(decodeProtectedHeader(text)).toMatchObject({ typ: 'statuslist+jwt', alg: 'EdDSA' });
      const claims = decodeJwt<{ status_list: { lst: string; bits: number } }>(text);
      expect(claims).toMatchObject({ iss: issuer, sub: `${issuer}/status/0`, status_list: { bits: 1 } });
      const bytes = inflateSync(Buffer.from(claims.status_list.lst, 'base64url'));
      return tokens.map(({ status }) => {
        const { idx } = (status as { status_list: { idx: number } }).status_list;
        return ((bytes[idx >> 3] ?? 0) >> (idx & 7)) & 1;
      });
    };
    // A list is held for a moment: 20 times as long as it took to make.
    const become = async (wanted: readonly number[]) =>
      await vi.waitFor(async () => expect(await bits()).toEqual(wanted), patiently);
    await become([0, 0, 0]);
    await authority.delegations.revoke({ delegation: String(tokens[1]?.jti) });
    await become([0, 1, 0]);
    await authority.agents.setStatus('b', 'suspended');
    await become([0, 1, 1]);
    await authority.agents.setStatus('b', 'active');
    await become([0, 1, 0]);
    await authority.agents.revokeKey('b', keys.b.thumbprint);
    await become([0, 1, 1]);
    await authority.delegations.revoke({ actor: 'a' });
    await become([1, 1, 1]);
  });
});
