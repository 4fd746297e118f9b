import { createAgent, generateAgentKey } from '@countersign/agent';
import { expect, it } from 'vitest';
import { listen } from './support.js';
import { engines } from './support-engines.js';
import { adminToken, configure, startCommand } from './support-process.js';

/** A part of the token in an Authorization field. */
function partOf(header = '', index: number): string {
  return header.replace(/^\w+ /, '').split('.')[index] ?? '';
}

it.each(engines)(
  'an authority on %s that is killed while it issues has recorded every token and agent that it answered with',
  async (_, engineOf, skip) => {
    if (skip) return;
    const engine = await engineOf();
    const seen: string[] = [];
    const api = await listen((request, response) => {
      seen.push(String(request.headers.authorization));
      response.end();
    });
    const { folder, config, issuer } = await configure({ store: engine.member, resources: [{ audience: api }] });
    const running = await startCommand(['authority', '--config', config]);

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

    const store = await engine.open(folder);
    const column = async (text: string) => (await store.run({ text, values: [] })).flatMap((row) => Object.values(row));
    const tokens = seen.map((header) => {
      return (JSON.parse(Buffer.from(partOf(header, 1), 'base64url').toString()) as { jti: string }).jti;
    });
    expect(await column('SELECT id FROM countersign_delegations')).toEqual(expect.arrayContaining(tokens));
    expect(await column('SELECT id FROM countersign_agents')).toEqual(expect.arrayContaining(agents));

    await store.close();

    // Another process goes on with it, and with the same signing keys.
    await startCommand(['authority', '--config', config]);
    const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as { keys: { kid: string }[] };
    const { kid } = JSON.parse(Buffer.from(partOf(seen[0], 0), 'base64url').toString()) as { kid: string };
    expect(keys.map((key) => key.kid)).toContain(kid);
  },
);
