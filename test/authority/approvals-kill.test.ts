import { createAgent, generateAgentKey } from '@countersign/agent';
import type { ApprovalRequest } from '@countersign/approval';
import { expect, it } from 'vitest';
import { engines } from './support-engines.js';
import { adminToken, configure, startCommand } from './support-process.js';

const audience = 'https://api.acme.dev';
const requirement: ApprovalRequest['requirement'] = {
  quorums: [{ groups: ['release-managers'], count: 1 }],
  useWithinSeconds: 600,
  decideWithinSeconds: 3600,
  reason: 'optional',
  excluded: [],
};

function questionOf(agent: string, issuer: string, number: number) {
  const request: ApprovalRequest = {
    version: 1,
    audience,
    actor: { id: agent },
    subject: { id: agent, type: 'agent' },
    chain: [{ id: agent, type: 'agent', proof: 'signature' }],
    action: 'pr.merge',
    resource: { type: 'Pull', id: String(number) },
    policies: ['policies.cedar#merge'],
    policySet: 'a'.repeat(64),
    requirement,
  };
  return { request, issuers: [issuer] };
}

it.each(engines)(
  'an authority on %s that is killed while people decide has every question, decision and message that it answered with [C11]',
  async (_, engineOf, skip) => {
    if (skip) return;
    const engine = await engineOf();
    const signIn = { issuer: 'http://127.0.0.1:1', clientId: 'a', clientSecretFile: 'secret', subjectNamespace: 'x:' };
    const { folder, config, issuer } = await configure({
      store: engine.member,
      resources: [{ audience }],
      users: { signIn },
      approvals: { channels: [{ type: 'webhook', name: 'app', url: 'http://127.0.0.1:1/' }] },
    });
    const running = await startCommand(['authority', '--config', config]);
    const headers = { authorization: `Bearer ${adminToken}`, 'content-type': 'application/json' };
    const post = async (path: string, body: object) =>
      await fetch(`${issuer}/admin${path}`, { method: 'POST', headers, body: JSON.stringify(body) });

    const [asked, denied]: [string[], string[]] = [[], []];
    /** Asks, and is denied, until the authority is gone. */
    async function ask(worker: number): Promise<void> {
      const id = `agent-${worker}`;
      const key = generateAgentKey();
      await post('/agents', { id, publicKey: key.publicKey });
      const agent = await createAgent({ id, key, authority: issuer });
      for (let number = 0; ; number += 1) {
        const waiting = agent.requestApproval(questionOf(id, issuer, number), {
          onAsked: async (question) => {
            asked.push(question.id);
            if ((await post(`/approvals/${question.id}/denial`, { reason: 'no' })).status === 200)
              denied.push(question.id);
            if (denied.length >= 20) await running.stop('SIGKILL');
          },
        });
        await expect(waiting).rejects.toMatchObject({ code: 'approval_denied' });
      }
    }
    await Promise.allSettled(Array.from({ length: 10 }, (_each, worker) => ask(worker)));
    expect(denied.length).toBeGreaterThanOrEqual(20);

    const store = await engine.open(folder);
    const column = async (text: string) =>
      (await store.run({ text, values: [] })).flatMap((row) => Object.values(row).map(String)).toSorted();
    const all = await column('SELECT id FROM countersign_approvals');
    expect(all).toEqual(expect.arrayContaining(asked));
    const ended = `SELECT id FROM countersign_approvals WHERE status = 'denied'`;
    expect(await column(ended)).toEqual(expect.arrayContaining(denied));
    // Each event with its message, also what nobody was told of any more: all of them wait for a channel that is gone.
    const messages = async (event: string) =>
      await column(`SELECT approval_id FROM countersign_notifications WHERE event = '${event}'`);
    expect(await messages('denied')).toEqual(await column(ended));
    // A message about a question is dropped once it is decided.
    const open = await column(`SELECT id FROM countersign_approvals WHERE status = 'pending'`);
    expect(await messages('asked')).toEqual(expect.arrayContaining(open));
    await store.close();
  },
);
