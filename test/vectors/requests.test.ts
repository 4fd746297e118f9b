import { AgentError, createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import {
  agentsFromObjects,
  bufferedBody,
  createGuard,
  type Guard,
  memoryAudit,
  memoryReplayStore,
} from '@countersign/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { signatureBase, signedRequest } from '../support/signed-request.js';
import { agentKeyOf, agentNames, ids, keyOf, now } from './make/principals.js';
import { type RefusedCase, refusedCases, tokens, unsafeTargets } from './make/refused.js';
import { type RequestCase, requestCases, signCase } from './make/requests.js';

const origins = [...new Set(requestCases.map(({ url }) => new URL(url).origin))];

/** A guard just after everything was signed; it began before. */
async function guardOfVectors(): Promise<Guard> {
  return await createGuard({
    origin: origins,
    audience: 'https://api.acme.dev',
    agents: agentsFromObjects(
      agentNames.map((name) => ({
        id: ids[name],
        publicKey: keyOf(name).publicBase64,
        capabilities: ['repo', 'pr'],
      })),
    ),
    issuers: [{ issuer: 'https://id.acme.dev', jwks: { keys: [{ ...keyOf('issuer').publicJwk, kid: 'issuer-1' }] } }],
    policy: {
      scopeVocabulary: [],
      decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
    },
    audit: memoryAudit(),
    clock: () => (now + 30) * 1000,
    replay: memoryReplayStore({ clock: () => (now - 1) * 1000 }),
  });
}

interface Signing {
  readonly key: RequestCase['key'];
  readonly cover: readonly string[];
  readonly maxBodyBytes?: number;
  readonly token: string | undefined;
  readonly links: readonly string[] | undefined;
}

async function signerOf({ key, cover, maxBodyBytes = 100_000, token, links }: Signing): Promise<Signer> {
  const agent = await createAgent({
    id: ids[key],
    key: agentKeyOf(key),
    cover,
    maxBodyBytes,
    clock: () => now * 1000,
  });
  if (links !== undefined) return agent.accept({ version: 1, ...(token !== undefined && { token }), links });
  return token === undefined ? agent : agent.withToken(token);
}

const withoutNonce = (text = ''): string => text.replace(/nonce="[^"]*"/, '');

describe.each(requestCases)('the request with $name', (one) => {
  let guard: Guard;
  beforeAll(async () => {
    guard = await guardOfVectors();
  });

  it('has the base that a client written from the profile alone signs', async () => {
    const { target, headers, signatureBase: base, signature } = await signCase(one);
    const [, covered = '', parameters = ''] = /\((.*)\)(.*)$/.exec(base) ?? [];
    const { method, body } = one;
    const request = { method, target, fields: [['Host', one.authority] as const, ...headers], body };
    const scheme = one.url.startsWith('https') ? 'https' : 'http';
    expect(signatureBase(request, covered.split(' '), parameters, { scheme })).toBe(base);
    expect(signature).toBe(`sig=:${keyOf(one.key).sign(Buffer.from(base, 'latin1')).toString('base64')}:`);
  });

  // What an approval is worth is not a question of the signature.
  it.runIf(one.name !== 'an approval')('is accepted by a guard', async () => {
    const { target, headers } = await signCase(one);
    const rawHeaders = [['Host', one.authority] as const, ...headers].flat();
    const answer = await guard.authenticate({
      method: one.method,
      target,
      rawHeaders,
      body: bufferedBody(one.body),
    });
    expect(answer).toMatchObject({ ok: true, caller: { actor: { id: ids[one.key] } } });
  });

  // The agent states a type for bytes that have none.
  it.runIf(one.name !== 'a body without a type')('covers what the agent of this repository covers', async () => {
    const { key, cover, token, links } = one;
    const signer = await signerOf({ key, cover, token, links });
    const signed = await signer.signRequest({
      method: one.method,
      url: one.url,
      headers: one.headers.map(([name, value]) => [name, value] as [string, string]),
      body: one.body,
    });
    expect(withoutNonce(signed.headers['signature-input'])).toBe(withoutNonce((await signCase(one)).signatureInput));
  });
});

/** The agent of this repository has no list of origins, and leaves the method to what sends the request. */
function forClients(one: RefusedCase): boolean {
  return one.code === 'origin_not_allowed' || one.name === 'a method that is no token';
}

describe('a request that must not be signed', () => {
  it.each(refusedCases.filter((one) => !forClients(one)))('$name', async (one) => {
    const { cover = [], maxBodyBytes = 1000, token, links } = one;
    const signer = await signerOf({ key: 'runner', cover, maxBodyBytes, token, links });
    const signing = (async () =>
      await signer.signRequest({
        method: one.method,
        url: one.url,
        headers: one.headers.map(([name, value]) => [name, value] as [string, string]),
        ...(one.body !== undefined && { body: Buffer.from(one.body, 'base64') }),
      }))();
    // A field or method that HTTP does not allow is an error of the platform.
    if (one.code === 'request_malformed') return await expect(signing).rejects.toThrow();
    const error: unknown = await signing.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(AgentError);
    expect(error).toMatchObject({ code: one.code });
  });

  it.each(unsafeTargets)('the target %s, which a guard refuses', async (target) => {
    const guard = await guardOfVectors();
    const { method, fields, body } = signedRequest({
      key: keyOf('runner'),
      host: 'api.acme.dev',
      target,
      now,
    });
    const answer = await guard.authenticate({ method, target, rawHeaders: fields.flat(), body: bufferedBody(body) });
    expect(answer).toMatchObject({ ok: false, refusal: { code: 'request_malformed' } });
  });

  it.each(unsafeTargets)('the target %s, unless the agent has resolved it', async (target) => {
    const signer = await signerOf({ key: 'runner', cover: [], token: undefined, links: undefined });
    const signed = await signer.signRequest({ method: 'GET', url: `https://api.acme.dev${target}` }).catch((error) => {
      expect(error).toMatchObject({ code: 'url_unsupported' });
    });
    if (signed !== undefined) expect(new URL(signed.url).pathname).not.toBe(target);
  });
});

describe('a token', () => {
  it('is taken or refused by its characters', async () => {
    const agent = await createAgent({ id: 'a', key: generateAgentKey() });
    for (const token of tokens.accepted) expect(() => agent.withToken(token)).not.toThrow();
    for (const token of tokens.refused) expect(() => agent.withToken(token), token).toThrow(TypeError);
  });
});
