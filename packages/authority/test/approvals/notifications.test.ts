import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { mkdtempSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { argumentsDigest } from '@countersign/approval';
import {
  computeContentDigest,
  jwkThumbprint,
  requireComponents,
  verificationKey,
  verifyMessage,
} from '@countersign/signature';
import type { JSONWebKeySet } from 'jose';
import { SMTPServer } from 'smtp-server';
import { expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { openSqlite } from '../../src/index.js';
import { authenticatePeople, decide, needs, startApprovals } from '../support/approvals.js';
import { startAuthority } from '../support/authority.js';

interface Received {
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly body: string;
}

/** A receiver of webhooks on loopback. */
async function receiver(answer: (count: number) => number = () => 204) {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { url = '', rawHeaders } = request;
      received.push({ target: url, rawHeaders, body: Buffer.concat(chunks).toString() });
      response.writeHead(answer(received.length), { location: '/elsewhere' }).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return { received, origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}` };
}

const secret = { card: '4111 1111 1111 1111' };
const secretCall = {
  call: { method: 'tools/call', name: 'pay', argumentsDigest: String(argumentsDigest(secret)) },
  resource: { type: 'Invoice', id: 'invoice-of-somebody' },
};

/** Verifies a webhook as an application would: with the keys of the issuer, and each message once. */
async function verifyWebhook(message: Received, origin: string, issuer: string, change: Partial<Received> = {}) {
  const { target, rawHeaders, body } = { ...message, ...change };
  const { keys } = (await (await fetch(`${issuer}/jwks`)).json()) as JSONWebKeySet;
  const result = await verifyMessage(
    { method: 'POST', scheme: 'http', authority: new URL(origin).host, target, rawFields: rawHeaders },
    {
      select: { tag: 'countersign-webhook' },
      components: requireComponents({ all: ['@method', '@target-uri', 'content-type', 'content-digest'] }),
      parameters: ['created', 'expires', 'keyid', 'nonce'],
      algorithms: ['ed25519'],
      now: Date.now() / 1000,
      maxAgeSeconds: 300,
      clockSkewSeconds: 5,
      resolveKey: ({ parameters }) => {
        const jwk = keys.find((key) => jwkThumbprint(key as Parameters<typeof jwkThumbprint>[0]) === parameters.keyid);
        if (jwk === undefined) return { problem: 'unknown' };
        return verificationKey(createPublicKey({ key: { ...jwk } as JsonWebKey, format: 'jwk' }));
      },
    },
  );
  return result.ok && rawHeaders.includes(computeContentDigest(Buffer.from(body))) ? result : undefined;
}

it('a webhook is signed by the authority, and counts for one message, address and body', async () => {
  const { received, origin } = await receiver();
  const { running, ask } = await startApprovals({
    channels: [{ type: 'webhook', name: 'app', url: `${origin}/hook?a=b` }],
  });
  const id = await ask(secretCall, { arguments: secret });
  await vi.waitFor(() => expect(received).toHaveLength(1), patiently);
  await decide(running, id, 'approve', 'reason of the approver');
  await vi.waitFor(() => expect(received).toHaveLength(2), patiently);
  const [asked, approved] = received as [Received, Received];
  expect(JSON.parse(asked.body)).toMatchObject({
    issuer: running.issuer,
    event: 'approval.asked',
    approval: { id, uri: `${running.issuer}/approvals/${id}`, status: 'pending', agent: 'agent-a', action: 'pr.merge' },
  });
  expect(JSON.parse(approved.body)).toMatchObject({ event: 'approval.approved', approval: { id, status: 'approved' } });
  const verified = await verifyWebhook(asked, origin, running.issuer);
  expect(verified?.ok === true && verified.signature.parameters.nonce).toBe(
    (JSON.parse(asked.body) as { id: string }).id,
  );
  expect(await verifyWebhook(asked, origin, running.issuer, { body: approved.body })).toBeUndefined();
  expect(await verifyWebhook(asked, origin, running.issuer, { target: '/other' })).toBeUndefined();
  expect(await verifyWebhook(asked, origin, running.issuer, { rawHeaders: approved.rawHeaders })).toBeUndefined();
  expect(JSON.stringify(received)).not.toMatch(
    /4111|invoice-of-somebody|reason of the approver|merge_pull|argumentsDigest/,
  );
});

it('messages name no group that only the agent named, and no action that could be a text or a link [C11]', async () => {
  const { received, origin } = await receiver();
  const { ask } = await startApprovals({
    groups: { security: ['user:sam'] },
    channels: [{ type: 'slack', name: 'slack', url: `${origin}/slack`, groups: ['release-managers'] }],
  });
  const lure = 'ops. Session expired? Sign in at https://id-acme.dev/a first';
  const groups = ['release-managers', 'security', lure, 'www.evil.dev', 'Sign', 'in'];
  const actions = ['pr.merge', 'evil.dev', 'www.evil.dev:443', 'session-expired--sign-in', 'a.b.c.d', 'x'.repeat(41)];
  for (const action of actions) await ask({ action, ...needs(1, { quorums: [{ groups, count: 1 }] }) });
  await vi.waitFor(() => expect(received).toHaveLength(actions.length), patiently);
  const texts = received.map(({ body }) => (JSON.parse(body) as { text: string }).text);
  const words =
    'Merge bot asks for approval of ACTION. To be decided by release-managers, security, others whom policy names until TIME UTC.';
  const sent = texts.map((text) => text.replace(/\d{4}-\d\d-\d\d \d\d:\d\d/, 'TIME'));
  const shown = ['pr › merge', 'evil › dev', 'an action', 'an action', 'an action', 'an action'];
  expect(sent.toSorted()).toEqual(shown.map((action) => words.replace('ACTION', action)).toSorted());
});

it('Slack, Teams and e-mail get a link and names, and no markup, argument or resource', async () => {
  const { received, origin } = await receiver();
  const mails: string[] = [];
  const smtp = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    onData(stream, _session, done) {
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', () => {
        mails.push(Buffer.concat(chunks).toString());
        done();
      });
    },
  });
  smtp.listen(0, '127.0.0.1');
  await once(smtp.server, 'listening');
  onTestFinished(() => new Promise<void>((resolve) => smtp.close(() => resolve())));
  const { port } = smtp.server.address() as AddressInfo;
  const { running, ask } = await startApprovals({
    channels: [
      { type: 'slack', name: 'slack', url: `${origin}/slack` },
      { type: 'teams', name: 'teams', url: `${origin}/teams` },
      {
        type: 'email',
        name: 'mail',
        smtp: `smtp://127.0.0.1:${port}`,
        from: 'authority@acme.dev',
        to: ['releases@acme.dev', 'security@acme.dev'],
      },
    ],
  });
  await running.authority.agents.update('agent-a', { name: '<!channel> [x](https://evil.example)' });
  const id = await ask(
    { ...secretCall, action: 'pay now: https://evil.example' },
    { arguments: secret, why: 'trust me' },
  );
  await vi.waitFor(() => expect([received.length, mails.length]).toEqual([2, 1]), patiently);
  const link = `${running.issuer}/approvals/${id}`;
  const [slack, teams] = ['/slack', '/teams'].map(
    (path) => JSON.parse(received.find(({ target }) => target === path)?.body ?? '{}') as Record<string, unknown>,
  );
  expect(slack).toMatchObject({
    text: expect.stringContaining('&lt;!channel&gt;') as string,
    blocks: [{ text: { type: 'plain_text' } }, { elements: [{ url: link }] }],
  });
  expect(teams).toMatchObject({
    type: 'message',
    attachments: [
      {
        contentType: 'application/vnd.microsoft.card.adaptive',
        content: { body: [{ type: 'RichTextBlock' }], actions: [{ type: 'Action.OpenUrl', url: link }] },
      },
    ],
  });
  expect(mails[0]).toContain('To: releases@acme.dev, security@acme.dev');
  expect(mails[0]?.replaceAll('=\r\n', '')).toContain(link);
  for (const text of [JSON.stringify([slack, teams]), mails[0]]) {
    expect(text).not.toMatch(/4111|invoice-of-somebody|trust me|pay now/);
    expect(text).toContain('an action');
  }
});

it('a channel that fails is tried again, reported once, and no redirect is followed', async () => {
  const { received, origin } = await receiver((count) => (count === 1 ? 302 : 500));
  const troubles: string[] = [];
  const { running, ask } = await startApprovals(
    { channels: [{ type: 'slack', name: 'chat', url: `${origin}/services/SECRET` }] },
    { onTrouble: (message) => void troubles.push(message) },
  );
  await ask();
  await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
  expect(troubles).toEqual(["channel 'chat': it answers 302 (once so far)"]);
  expect(received.map(({ target }) => target)).toEqual(['/services/SECRET']);
  const rows = await running.store.run({ text: 'SELECT attempts, problem FROM countersign_notifications', values: [] });
  expect(rows).toEqual([{ attempts: 1, problem: 'it answers 302' }]);
});

it('an authority that starts again delivers what the one before did not', async () => {
  const { received, origin } = await receiver();
  const folder = mkdtempSync(join(tmpdir(), 'countersign-outbox-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const gone = await startApprovals(
    { channels: [{ type: 'webhook', name: 'app', url: 'http://127.0.0.1:1/' }] },
    { store: await openSqlite(`${folder}/a.db`), onTrouble: () => {} },
  );
  const id = await gone.ask();
  await gone.running.authority.close();
  const store = await openSqlite(`${folder}/a.db`);
  await store.run({ text: 'UPDATE countersign_notifications SET next_at = 0', values: [] });
  await startAuthority({
    store,
    users: { authenticate: authenticatePeople },
    approvals: { channels: [{ type: 'webhook', name: 'app', url: origin }] },
  });
  await vi.waitFor(() => expect(received).toHaveLength(1), patiently);
  expect(JSON.parse(received[0]?.body ?? '{}')).toMatchObject({ approval: { id } });
});
