import { sign } from 'node:crypto';
import nacl from 'tweetnacl';
import { describe, expect, it } from 'vitest';
import { api, type RunningAuthority, startAuthority } from '../support/authority.js';
import { type AgentKey, claimsOf, newKey, type TokenAnswer } from '../support/client.js';
import { engines } from '../support/stores.js';

const id = 'agent-code-reviewer-01';

async function withAgent(options: Parameters<typeof startAuthority>[0] = {}) {
  const running = await startAuthority(options);
  const key = newKey();
  await running.authority.agents.add({ id, publicKey: key.publicKey, capabilities: ['repo:read', 'pr:write:draft'] });
  return { running, key };
}

async function send({ issuer }: RunningAuthority, path: string, body: unknown): Promise<Response> {
  return await fetch(issuer + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
}

async function challengeFor(running: RunningAuthority, agent = id): Promise<string> {
  return ((await (await send(running, '/challenge', { agent_id: agent })).json()) as { message: string }).message;
}

function signed(message: string, key: AgentKey, agent = id): Record<string, string> {
  const signature = sign(null, Buffer.from(message), key.privateKey);
  return { agent_id: agent, message: Buffer.from(message).toString('base64'), signature: signature.toString('base64') };
}

describe('the signed challenge', () => {
  it('gives a token for the message as the article prints it, made with TweetNaCl', async () => {
    const running = await startAuthority();
    const keypair = nacl.sign.keyPair();
    const { admin, authority } = running;
    const registered = await admin('POST', '/agents', {
      id: 'agent-code-reviewer-01',
      publicKey: Buffer.from(keypair.publicKey).toString('base64'),
      capabilities: ['repo:read', 'pr:write:draft'],
    });
    expect(registered.status).toBe(201);
    await authority.challenges.expect('agent-code-reviewer-01', 'approve-request:174325');

    const message = Buffer.from('approve-request:174325');
    const signature = nacl.sign.detached(message, keypair.secretKey);
    const request = {
      agent_id: 'agent-code-reviewer-01',
      message: message.toString('base64'),
      signature: Buffer.from(signature).toString('base64'),
    };
    const answer = await send(running, '/challenge/token', request);
    expect(answer.status).toBe(200);
    const token = (await answer.json()) as TokenAnswer;
    expect(token).toMatchObject({ token_type: 'Bearer', expires_in: 300, scope: 'pr:write:draft repo:read' });
    expect(claimsOf(token.access_token)).toMatchObject({
      sub: 'agent-code-reviewer-01',
      aud: api,
      cnf: { jwk: { x: Buffer.from(keypair.publicKey).toString('base64url') } },
    });
    expect((await send(running, '/challenge/token', request)).status).toBe(400);
  });

  it('gives a token for a challenge of the authority, with the scope and API that are asked for', async () => {
    const { running, key } = await withAgent();
    const asked = { resource: 'https://other.acme.dev', scope: 'repo:read' };
    const answer = await send(running, '/challenge/token', { ...signed(await challengeFor(running), key), ...asked });
    expect(claimsOf(((await answer.json()) as TokenAnswer).access_token)).toMatchObject({
      aud: 'https://other.acme.dev',
      scope: 'repo:read',
    });
    const wider = await send(running, '/challenge/token', {
      ...signed(await challengeFor(running), key),
      scope: 'admin',
    });
    expect([wider.status, ((await wider.json()) as TokenAnswer).error]).toEqual([400, 'invalid_scope']);
  });

  it.each(engines.filter(({ skip }) => !skip))(
    'counts once when it comes 50 times at once, on $name [A10]',
    async ({ open }) => {
      const { running, key } = await withAgent({ store: await open() });
      await running.authority.challenges.expect(id, 'approve-request:1');
      for (const message of [await challengeFor(running), 'approve-request:1']) {
        const request = signed(message, key);
        const statuses = await Promise.all(
          Array.from({ length: 50 }, async () => (await send(running, '/challenge/token', request)).status),
        );
        expect(statuses.filter((status) => status === 200)).toHaveLength(1);
      }
    },
  );

  it('refuses a challenge of another agent, of another key, changed, or never given [A7, A11]', async () => {
    const { running, key } = await withAgent();
    const other = newKey();
    await running.authority.agents.add({ id: 'agent-b', publicKey: other.publicKey });
    const message = await challengeFor(running);
    for (const request of [
      signed(message, other),
      signed(message, other, 'agent-b'),
      signed(await challengeFor(running, 'agent-b'), key),
      signed(`${message.slice(0, -1)}${message.endsWith('0') ? '1' : '0'}`, key),
      signed('approve-request:174325', key),
      signed(message, key, 'agent-x'),
    ]) {
      expect((await send(running, '/challenge/token', request)).status).toBe(400);
    }
    expect((await send(running, '/challenge/token', signed(message, key))).status).toBe(200);
  });

  it('never takes a signature of a request or of a token for one of a challenge', async () => {
    const { running, key } = await withAgent();
    for (const message of [
      '"@method": GET\n"@authority": api.acme.dev',
      'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJhIn0',
      'a:b c',
    ]) {
      await expect(running.authority.challenges.expect(id, message)).rejects.toMatchObject({ code: 'agent_invalid' });
      expect((await send(running, '/challenge/token', signed(message, key))).status).toBe(400);
    }
  });

  it('is not told who is registered', async () => {
    const { running } = await withAgent();
    const known = await send(running, '/challenge', { agent_id: id });
    const unknown = await send(running, '/challenge', { agent_id: 'agent-x' });
    expect([known.status, unknown.status]).toEqual([200, 200]);
  });

  it.each([
    {},
    { agent_id: id },
    { agent_id: id, message: 'a:b', signature: 'AAAA' },
    { agent_id: id, message: 'YTpi', signature: 'A'.repeat(88) },
    { agent_id: [id], message: 'YTpi', signature: `${'A'.repeat(86)}==` },
    [],
  ])('answers 400 to %j', async (body) => {
    const { running } = await withAgent();
    expect((await send(running, '/challenge/token', body)).status).toBe(400);
  });

  it('refuses a suspended agent, and one whose key has ended [C7]', async () => {
    const { running, key } = await withAgent();
    const { agents } = running.authority;
    const ask = async () => (await send(running, '/challenge/token', signed(await challengeFor(running), key))).status;
    await agents.setStatus(id, 'suspended');
    expect(await ask()).toBe(400);
    await agents.setStatus(id, 'active');
    expect(await ask()).toBe(200);
    await agents.revokeKey(id, key.thumbprint);
    expect(await ask()).toBe(400);
  });
});
