import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { openSqlite } from '@countersign/authority';
import { expect, it, onTestFinished } from 'vitest';
import { listen } from './support.js';
import { freeUrl, startCommand } from './support-process.js';

const adminToken = 'admin-token-of-the-tests-0123456789';

it('an authority that is killed while it issues has recorded every token and agent that it answered with', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-killed-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const seen: string[] = [];
  const api = await listen((request, response) => {
    seen.push(String(request.headers.authorization));
    response.end();
  });
  const issuer = await freeUrl();
  await writeFile(join(folder, 'secret'), adminToken, { mode: 0o600 });
  const config = {
    issuer,
    listen: issuer.slice('http://'.length),
    secretFile: 'secret',
    adminTokenFile: 'secret',
    store: { sqlite: 'authority.db' },
    resources: [{ audience: api }],
  };
  await writeFile(join(folder, 'authority.json'), JSON.stringify(config));
  const running = await startCommand(['authority', '--config', join(folder, 'authority.json')]);

  const agents: string[] = [];
  /** Registers agents, each of which gets a token, until the authority is gone. */
  async function issue(worker: number): Promise<void> {
    for (let index = 0; ; index += 1) {
      const id = `agent-${worker}-${index}`;
      const key = generateAgentKey();
      const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
      const body = JSON.stringify({ id, publicKey: key.publicKey, capabilities: ['repo:read'] });
      const added = await fetch(`${issuer}/admin/agents`, { method: 'POST', headers, body });
      if (added.status === 201) agents.push(id);
      const own = await (await createAgent({ id, key, authority: issuer })).withOwnToken();
      await own.fetch(api);
      if (seen.length >= 40) await running.stop('SIGKILL');
    }
  }
  await Promise.allSettled([0, 1, 2, 3].map(issue));
  expect(seen.length).toBeGreaterThanOrEqual(40);

  const store = await openSqlite(join(folder, 'authority.db'));
  onTestFinished(() => store.close());
  const column = async (text: string) => (await store.run({ text, values: [] })).flatMap((row) => Object.values(row));
  const tokens = seen.map((header) => {
    const claims = JSON.parse(Buffer.from(header.split('.')[1] ?? '', 'base64url').toString()) as { jti: string };
    return claims.jti;
  });
  expect(await column('SELECT id FROM countersign_delegations')).toEqual(expect.arrayContaining(tokens));
  expect(await column('SELECT id FROM countersign_agents')).toEqual(expect.arrayContaining(agents));
});
