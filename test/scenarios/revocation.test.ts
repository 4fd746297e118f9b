import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentRegistration, RefusalCode, RevocationSource } from '@countersign/core';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { keyNamed, type TestKey } from '../support/keys.js';
import { patiently } from '../support/patiently.js';
import type { RawRequest } from '../support/signed-request.js';
import { type Claims, rawToken, type TestIssuer } from '../support/tokens.js';
import { agents, issuer, partner, reviewer, reviewerId, runner, runnerId, userId } from '../support/world.js';

const capabilities = ['repo:read'];
const oldKey = keyNamed('old key');
const newKey = keyNamed('new key');
const named = (id: string): AgentRegistration => ({ id, jwk: keyNamed(id).publicJwk, capabilities });
const more: readonly AgentRegistration[] = [
  ...['agent-alone', 'agent-lead', 'agent-lead-2', 'agent-lead-3', 'agent-worker'].map(named),
  { id: 'agent-rotating', keys: [{ jwk: oldKey.publicJwk }, { jwk: newKey.publicJwk }], capabilities },
];

/** The credentials of a client from before the revocation. */
interface InHand {
  readonly key: TestKey;
  readonly token?: string;
  readonly links?: readonly string[];
}

/** A link of the wire profile, signed with the delegator's own key. */
function link(api: Api, from: string, to: string, parent: string | undefined, jti: string = randomUUID()): string {
  const key = keyNamed(from);
  const now = Math.floor(Date.now() / 1000);
  return rawToken(
    JSON.stringify({ typ: 'delegation+jwt', alg: 'EdDSA', kid: key.thumbprint }),
    JSON.stringify({
      iss: from,
      sub: to,
      aud: api.audience,
      scope: 'repo:read',
      iat: now,
      // It must expire before its parent, even if the second changes between the two.
      exp: now + (parent === undefined ? 60 : 30),
      jti,
      ...(parent !== undefined && { pth: createHash('sha256').update(parent).digest('base64url') }),
    }),
    (input) => key.sign(input),
  );
}

function request(api: Api, { key, token, links }: InHand): RawRequest {
  return api.signed({
    key,
    ...(token !== undefined && { token }),
    ...(links !== undefined && { fields: [['Agent-Delegation', links.join(', ')]] }),
  });
}

async function revocationsFile(): Promise<{ readonly file: string; write(content: object): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-revocations-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = join(folder, 'revocations.json');
  const write = (content: object): Promise<void> => writeFile(file, JSON.stringify(content));
  await write({});
  return { file, write };
}

/** The text of the next process warning that matches; others may come between. */
function nextWarning(match: RegExp): Promise<string> {
  return new Promise((resolve) => {
    const listen = ({ message }: Error): void => {
      if (!match.test(message)) return;
      process.off('warning', listen);
      resolve(message);
    };
    process.on('warning', listen);
  });
}

onEveryHost('Revocation', (host) => {
  it('ends every dependent chain with the next request, until it is withdrawn [C7, B11]', async () => {
    const { file, write } = await revocationsFile();
    const api = await host.variant({ config: { revocations: file, agents: [...agents, ...more] } });
    const withToken = async (claims: Claims = {}, by: TestIssuer = issuer): Promise<InHand> => {
      return { key: reviewer, token: await api.token(claims, {}, by) };
    };
    /** user, lead, worker: the token names the lead, which delegates to the worker. */
    const throughLead = async (lead: string, jti?: string): Promise<InHand> => {
      const token = await api.token({ act: { sub: lead } });
      return { key: keyNamed('agent-worker'), token, links: [link(api, lead, 'agent-worker', token, jti)] };
    };
    const first = link(api, 'agent-lead-3', reviewerId, undefined);
    const ancestor = link(api, 'agent-lead', 'agent-lead-2', undefined);

    const revoked: readonly (readonly [what: string, inHand: InHand, code: RefusalCode])[] = [
      ['an agent', { key: keyNamed('agent-alone') }, 'agent_suspended'],
      ['a key', { key: oldKey }, 'key_not_valid'],
      ['a subject', await withToken({ sub: 'user_gone' }), 'delegation_revoked'],
      ['a delegation', await withToken({ jti: 'delegation-gone' }), 'delegation_revoked'],
      ['an issuer', await withToken({ sub: userId }, partner), 'delegation_revoked'],
      [
        'a nested actor',
        await withToken({ act: { sub: reviewerId, act: { sub: 'agent-past' } } }),
        'delegation_revoked',
      ],
      ['the agent before', await throughLead('agent-lead'), 'delegation_revoked'],
      ['the key of the agent before', await throughLead('agent-lead-2'), 'delegation_revoked'],
      ['a link', await throughLead('agent-lead-3', 'link-gone'), 'delegation_revoked'],
      [
        'the first of three agents',
        {
          key: keyNamed('agent-worker'),
          links: [ancestor, link(api, 'agent-lead-2', 'agent-worker', ancestor)],
        },
        'delegation_revoked',
      ],
    ];
    const untouched: readonly (readonly [what: string, inHand: InHand])[] = [
      ['another agent', { key: runner }],
      ['another key of the same agent', { key: newKey }],
      ['another user', await withToken()],
      ['another link of the same agent', await throughLead('agent-lead-3')],
      ['a link without a token', { key: reviewer, links: [first] }],
    ];

    // Accepted once, so that tokens and links are in every cache.
    for (const [, inHand] of [...revoked, ...untouched]) await api.accepts(request(api, inHand), 200);
    await write({
      agents: ['agent-alone', 'agent-past', 'agent-lead'],
      keys: [oldKey.thumbprint, keyNamed('agent-lead-2').thumbprint],
      subjects: [{ subject: 'user_gone', issuer: issuer.issuer }],
      delegations: ['delegation-gone', { delegation: 'link-gone', issuer: 'agent-lead-3' }],
      issuers: [partner.issuer],
    });
    const canary = { key: keyNamed('agent-alone') };
    await vi.waitFor(() => expect(api.accepts(request(api, canary), 200)).rejects.toThrow(/200/), patiently);
    for (const [what, inHand, code] of revoked) {
      const { records } = await api.refuses(request(api, inHand), 401, code);
      expect(records[0]?.detail, what).toMatch(/is revoked$/);
    }
    for (const [, inHand] of untouched) await api.accepts(request(api, inHand), 200);

    await write({ agents: [] });
    await vi.waitFor(() => api.accepts(request(api, canary), 200), patiently);
    for (const [, inHand] of revoked) await api.accepts(request(api, inHand), 200);
  });

  it('keeps the previous revocations when the file is broken', async () => {
    const { file, write } = await revocationsFile();
    await write({ agents: [runnerId] });
    const api = await host.variant({ config: { revocations: file } });
    const warned = nextWarning(/^revocationsFromFile: /);
    await writeFile(file, '{"agents": []');
    expect(await warned).toMatch(/revocationsFromFile: .*not well-formed JSON. The revocations read before stay/);
    await api.refuses(api.signed({ key: runner }), 401, 'agent_suspended');
    await api.accepts(api.signed(), 200);
  });

  it('stops the start when the file is broken', async () => {
    const { file } = await revocationsFile();
    await writeFile(file, '{"agent": []}');
    await expect(host.variant({ config: { revocations: file } })).rejects.toThrow(/Did you mean 'agents'/);
  });

  it.each<[string, RevocationSource['findRevoked']]>([
    ['rejects', () => Promise.reject(new Error('ECONNREFUSED 10.0.0.7:6379'))],
    ['answers with nonsense', () => true as never],
  ])('a revocation store that %s is our outage [B11]', async (_title, findRevoked) => {
    const api = await host.variant({ start: { guard: { revocations: { findRevoked }, onTrouble: () => {} } } });
    const { response } = await api.refuses(api.signed(), 503, 'revocations_unavailable');
    expect(response.headers).not.toHaveProperty('www-authenticate');
  });
});
