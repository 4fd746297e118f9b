import { describe, expect, it } from 'vitest';
import { createGuard, memoryAudit, agentsFromObjects, type GuardOptions } from '@countersign/core';
import { type Api, onEveryHost, refuseEach } from '../support/api.js';
import { type RawRequest, sha256Digest, withFields } from '../support/signed-request.js';
import type { Claims } from '../support/tokens.js';
import { policies, reviewer, reviewerId, suspendedId, userId } from '../support/world.js';

const resource = { scopes: ['pr:write:draft', 'repo:read'], name: 'Acme' };
const client = 'client-1';
const body = '{"title":"x"}';

interface Sent {
  readonly claims?: Claims;
  readonly method?: string;
  readonly target?: string;
  readonly body?: string;
  readonly fields?: readonly (readonly [string, string])[];
}

/** A request with a token and nothing else. */
async function shown(
  api: Api,
  { claims, method = 'GET', target = '/whoami', body = '', fields = [] }: Sent = {},
): Promise<RawRequest> {
  const token = await api.token({ act: undefined, client_id: client, ...claims });
  const content =
    body === ''
      ? []
      : [['Content-Type', 'application/json'] as const, ['Content-Length', String(body.length)] as const];
  return {
    method,
    target: api.at(target),
    fields: [['Host', api.authority], ['Authorization', `Bearer ${token}`], ...content, ...fields],
    body: Buffer.from(body),
  };
}

onEveryHost(
  'Bearer tokens',
  (api) => {
    it('a client acts for the subject of its token, and the record says that nothing proved it', async () => {
      const { response, records } = await api.accepts(await shown(api), 200);
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: client },
        subject: { id: userId },
        chain: [{ id: userId }, { id: client }],
      });
      expect(records[0]).toMatchObject({
        possession: 'bearer',
        actor: { id: client },
        subject: { id: userId, type: 'user', issuer: 'https://id.acme.dev' },
        chain: [
          { id: userId, proof: 'issuer' },
          { id: client, proof: 'issuer' },
        ],
      });
      expect(records[0]?.actor).toEqual({ id: client });
    });

    it('a client acts for itself by a token of its own', async () => {
      const { response } = await api.accepts(await shown(api, { claims: { sub: client } }), 200);
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: client },
        subject: { id: client },
        chain: [{ id: client, proof: 'issuer' }],
      });
    });

    it.each([
      ['Auth0', { sub: `${client}@clients` }],
      ['Auth0, which says so', { sub: 'else', gty: 'client-credentials' }],
      ['Entra ID', { sub: 'f0a1-object', idtyp: 'app' }],
      ['Okta', { sub: 'else', cid: 'else' }],
      ['Keycloak', { sub: 'else', azp: 'else' }],
    ])('what an application got for itself from %s is of no user [B7, C2]', async (_provider, claims) => {
      const { response } = await api.accepts(await shown(api, { claims }), 200);
      expect(JSON.parse(response.body)).toMatchObject({ subject: { id: claims.sub, type: 'agent' } });
    });

    it('policy can tell by context.possession', async () => {
      const pull = { method: 'POST', target: '/repos/acme/api/pulls', body };
      expect((await api.send(await shown(api, pull))).status).toBe(403);
      const permissive = await api.variant({
        config: {
          bearer: true,
          policies: `${policies}
            permit(principal == Agent::"${client}", action == Action::"pr.create", resource)
            when { context.possession == "bearer" && context has onBehalfOf && context.onBehalfOf == User::"${userId}" };`,
        },
      });
      await permissive.accepts(await shown(permissive, pull), 201);
      await permissive.accepts(await permissive.pull(), 201);
    });

    refuseEach(api, [
      ['an expired token [B6]', () => shown(api, { claims: { exp: 1, iat: 0 } }), 401, 'token_expired'],
      [
        'a token for a sibling server [B5, E8]',
        () => shown(api, { claims: { aud: 'https://other.acme.dev' } }),
        401,
        'token_audience_mismatch',
      ],
      [
        'a token that is bound to a key [B8]',
        () => shown(api, { claims: { cnf: { jkt: reviewer.thumbprint } } }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a token that names an actor [C4]',
        () => shown(api, { claims: { act: { sub: 'agent-x' } } }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a token of an agent that is registered here [A17]',
        () => shown(api, { claims: { client_id: reviewerId } }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a token of a suspended agent [C7]',
        () => shown(api, { claims: { client_id: suspendedId } }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a client within the namespace of another issuer [C5]',
        () => shown(api, { claims: { client_id: 'partner:client-1' } }),
        401,
        'token_delegation_invalid',
      ],
      [
        'a token without a client',
        () => shown(api, { claims: { client_id: undefined } }),
        401,
        'token_delegation_invalid',
      ],
      [
        'a token whose subject is a suspended agent [C7]',
        () => shown(api, { claims: { sub: suspendedId, sub_profile: 'ai_agent' } }),
        401,
        'delegation_revoked',
      ],
      [
        'links beside a token alone [A18]',
        () => shown(api, { fields: [['Agent-Delegation', 'eyJ.x.y']] }),
        401,
        'credential_uncovered',
      ],
      [
        'another method for the application [A18]',
        () => shown(api, { fields: [['X-HTTP-Method-Override', 'DELETE']] }),
        401,
        'credential_uncovered',
      ],
      [
        'a broken signature beside the token [A17]',
        async () =>
          withFields(await shown(api), ['Signature-Input', 'sig=();tag="countersign"'], ['Signature', 'sig=:AA==:']),
        401,
        'signature_incomplete',
      ],
      [
        'a DPoP proof where none is accepted [A17]',
        async () => withFields(await shown(api), ['DPoP', 'a.b.c']),
        401,
        'signature_required',
      ],
      [
        'a body that is not what its digest says',
        () =>
          shown(api, {
            method: 'POST',
            target: '/repos/acme/api/pulls',
            body,
            fields: [['Content-Digest', sha256Digest('other')]],
          }),
        401,
        'digest_mismatch',
      ],
    ]);

    it('challenges name the metadata and all scopes', async () => {
      const url = `${api.url}/.well-known/oauth-protected-resource`;
      const none = await api.send({
        method: 'GET',
        target: api.at('/whoami'),
        fields: [['Host', api.authority]],
        body: Buffer.alloc(0),
      });
      expect(none.headers['www-authenticate']).toContain(`Bearer resource_metadata="${url}"`);
      const bad = await api.send(await shown(api, { claims: { exp: 1, iat: 0 } }));
      expect(bad.headers['www-authenticate']).toContain(`resource_metadata="${url}"`);
    });
  },
  { config: { bearer: true, protectedResource: resource } },
);

onEveryHost('Bearer tokens where they are not accepted', (api) => {
  refuseEach(api, [['a token alone [A17]', () => shown(api), 401, 'signature_required']]);
});

describe('The option', () => {
  const required = {
    origin: 'https://api.acme.dev',
    agents: agentsFromObjects([]),
    policy: {
      scopeVocabulary: [],
      decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
    },
    audit: memoryAudit(),
  } satisfies GuardOptions;
  const issuers = [{ issuer: 'https://id.acme.dev' }];

  it.each<[Partial<GuardOptions>, string]>([
    [{ bearer: true }, "'bearer' needs 'issuers'"],
    [{ bearer: true, issuers, traffic: 'mixed' }, "not for traffic: 'mixed'"],
    [{ bearer: 'yes' as never }, "'bearer'"],
    [{ protectedResource: { resource: 'https://other.dev/mcp' } }, 'below the origin'],
    [{ protectedResource: { resource: '/mcp' } }, 'below the origin'],
    [{ protectedResource: { resource: 'https://api.acme.dev/mcp?x' } }, 'below the origin'],
    [{ protectedResource: { scopes: ['a"b'] } }, 'a list of scopes'],
    [{ protectedResource: { scope: ['a'] } as never }, "Did you mean 'scopes'"],
    [{ protectedResource: true as never }, 'must be an object'],
  ])('%j is refused', async (options, message) => {
    await expect(createGuard({ ...required, ...options })).rejects.toThrow(message);
  });

  it('protectedResource gives the metadata of RFC 9728, below the path of the resource', async () => {
    const guard = await createGuard({
      ...required,
      issuers,
      bearer: true,
      dpop: true,
      protectedResource: { resource: 'https://api.acme.dev/mcp', scopes: ['repo:read'], name: 'Tools' },
    });
    expect(guard.protectedResource).toEqual({
      metadataPath: '/.well-known/oauth-protected-resource/mcp',
      metadataUrl: 'https://api.acme.dev/.well-known/oauth-protected-resource/mcp',
      document: {
        resource: 'https://api.acme.dev/mcp',
        authorization_servers: ['https://id.acme.dev'],
        bearer_methods_supported: ['header'],
        scopes_supported: ['repo:read'],
        dpop_signing_alg_values_supported: ['Ed25519', 'EdDSA', 'ES256'],
        resource_name: 'Tools',
      },
    });
    expect((await createGuard(required)).protectedResource).toBeUndefined();
  });

  it('several required scopes are all in one challenge', async () => {
    const guard = await createGuard(required);
    const caller = guard.local({ agent: 'agent-1', scope: ['repo:read'] });
    const permission = { action: 'x', resource: { type: 'X', id: '1' }, requires: 'repo:read pr:write' };
    const answer = await guard.authorize(caller, permission);
    if (answer.ok) throw new Error('permitted');
    expect(guard.respond(answer.refusal).headers['www-authenticate']).toBe(
      'Bearer error="insufficient_scope", scope="repo:read pr:write"',
    );
  });
});
