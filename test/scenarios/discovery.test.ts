import { readFileSync } from 'node:fs';
import { discoveryPath, guardDefaults } from '@countersign/common';
import {
  agentsFromObjects,
  type CertificateAgents,
  createGuard,
  type GuardOptions,
  memoryAudit,
} from '@countersign/core';
import { expect, it } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import type { RawResponse } from '../support/connection.js';
import { type RawRequest, serialized } from '../support/signed-request.js';

/** What anybody may ask, without a signature. */
function asked(api: Api, { method = 'GET', target = discoveryPath, body = '' } = {}): RawRequest {
  const length: [string, string][] = body === '' ? [] : [['Content-Length', String(body.length)]];
  return { method, target, fields: [['Host', api.authority], ...length], body: Buffer.from(body) };
}

const document = (api: Api): Record<string, unknown> => ({
  audience: [api.url],
  proofs: ['signature'],
  tag: 'countersign',
  signature_max_age_seconds: guardDefaults.maxAgeSeconds,
  clock_skew_seconds: guardDefaults.clockSkewSeconds,
  body_max_bytes: guardDefaults.maxBodyBytes,
  delegation_max_depth: guardDefaults.maxDelegationDepth,
  link_max_lifetime_seconds: guardDefaults.maxLinkLifetimeSeconds,
  scope_match: 'hierarchical',
});

const parsed = ({ status, body }: RawResponse): unknown => [status, JSON.parse(body)];

onEveryHost('Discovery', (api) => {
  it('answers everybody, keeps no record, and lets caches keep it', async () => {
    const before = api.records.length;
    const answer = await api.send(asked(api));
    expect(parsed(answer)).toEqual([200, document(api)]);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'public, max-age=300',
      'access-control-allow-origin': '*',
    });
    expect(api.records.length).toBe(before);
  });

  it('answers a HEAD without a body', async () => {
    const answer = await api.send(asked(api, { method: 'HEAD' }));
    expect([answer.status, answer.body]).toEqual([200, '']);
  });

  it('leaves its connection open for what follows', async () => {
    const connection = await api.connect();
    const request = serialized(asked(api));
    connection.write(Buffer.concat([request, request]));
    for (const _each of [1, 2]) expect(parsed(await connection.read())).toEqual([200, document(api)]);
    connection.destroy();
  });

  it('answers a signed request too, whose nonce it does not use up', async () => {
    const signed = { ...api.signed(), target: discoveryPath };
    expect(parsed(await api.send(signed))).toEqual([200, document(api)]);
    expect(parsed(await api.send(signed))).toEqual([200, document(api)]);
  });

  // Every other request is verified, also to a target that a router could take for this one.
  it.each([
    { method: 'POST' },
    { method: 'POST', body: 'x' },
    { method: 'OPTIONS' },
    { target: `${discoveryPath}/` },
    { target: `${discoveryPath}?x` },
    { target: `${discoveryPath}%20` },
    { target: '/.well-known/Countersign' },
    { target: '/%2ewell-known/countersign' },
    { target: `/${discoveryPath}` },
  ])('refuses %j without a signature', async (request) => {
    const answer = await api.send(asked(api, request));
    expect([answer.status, (JSON.parse(answer.body) as { code: string }).code]).toEqual([401, 'signature_required']);
  });

  it('names the proofs and limits that the options chose', async () => {
    const strict = await api.variant({
      config: {
        dpop: true,
        webBotAuth: true,
        bearer: true,
        protectedResource: {},
        maxDelegationDepth: 2,
        maxLinkLifetimeSeconds: 60,
        scopeMatch: 'exact',
      },
    });
    expect(parsed(await strict.send(asked(strict)))).toEqual([
      200,
      {
        ...document(strict),
        proofs: ['signature', 'dpop', 'web-bot-auth', 'bearer'],
        delegation_max_depth: 2,
        link_max_lifetime_seconds: 60,
        scope_match: 'exact',
        resource_metadata: `${strict.url}/.well-known/oauth-protected-resource`,
      },
    ]);
  });
});

const required = {
  origin: 'https://api.acme.dev',
  agents: agentsFromObjects([]),
  policy: {
    scopeVocabulary: [],
    decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
  },
  audit: memoryAudit(),
} satisfies GuardOptions;

it('the document of docs/reference/wire-discovery.md is that of a guard', async () => {
  const page = readFileSync(new URL('../../docs/reference/wire-discovery.md', import.meta.url), 'utf8');
  const guard = await createGuard({ ...required, dpop: true });
  expect(guard.discovery.path).toBe('/.well-known/countersign');
  expect(JSON.parse(/```json\n(.*?)```/s.exec(page)?.[1] ?? '')).toEqual(guard.discovery.document);
});

it('client certificates are among the proofs where they are accepted', async () => {
  const mtls: CertificateAgents = {
    findByCertificate: () => ({ kind: 'none' }),
    statusOf: () => 'unknown',
  };
  const guard = await createGuard({ ...required, mtls, audience: 'https://other.acme.dev' });
  expect(guard.discovery.document).toMatchObject({
    audience: ['https://other.acme.dev'],
    proofs: ['signature', 'mtls'],
  });
});
