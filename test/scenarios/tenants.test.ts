import { cedarFromText, type Resource } from '@countersign/core';
import { expect, it } from 'vitest';
import { type Api, type ApiOptions, onEveryHost } from '../support/api.js';
import { keyNamed } from '../support/keys.js';
import { delegationField, linkOf } from '../support/links.js';
import type { RawRequest } from '../support/signed-request.js';
import type { Claims } from '../support/tokens.js';
import { issuer, partner, reviewer, reviewerCapabilities, reviewerId, schema, userId } from '../support/world.js';

const helper = { id: 'agent-of-partner', key: keyNamed('agent-of-partner') };

const second = { id: 'agent-second', key: keyNamed('agent-second') };

const agents = [
  { id: reviewerId, jwk: reviewer.publicJwk, capabilities: reviewerCapabilities, roles: ['acme'] },
  { id: second.id, jwk: second.key.publicJwk, capabilities: reviewerCapabilities, roles: ['acme'] },
  { id: helper.id, jwk: helper.key.publicJwk, capabilities: reviewerCapabilities, roles: ['partner'] },
];

/** Owners of repositories, and members of tenants. A name in a token never equals one of these without its issuer's prefix. */
const entities: readonly Resource[] = [
  { type: 'Repo', id: 'acme/api', parents: [{ type: 'Tenant', id: 'acme' }] },
  { type: 'Repo', id: 'partner/api', parents: [{ type: 'Tenant', id: 'partner' }] },
  { type: 'User', id: userId, parents: [{ type: 'Group', id: 'acme' }] },
  { type: 'User', id: `partner:${userId}`, parents: [{ type: 'Group', id: 'partner' }] },
];

// Agents before the sender are names, without roles: they are compared.
const within = (tenant: string, own: string): string => `
  @id("only-${tenant}-in-${tenant}")
  forbid(principal, action, resource in Tenant::"${tenant}")
  unless {
    principal in Role::"${tenant}"
    && (if context has onBehalfOf then context.onBehalfOf in Group::"${tenant}"
        else if context has onBehalfOfAgent then [${own}].contains(context.onBehalfOfAgent) else true)
    && [${own}].containsAll(context.via)
  };`;

// The permit is as wide as a mistake can make it: the separation of tenants must not depend on careful permits.
const policies = `
  @id("anybody-anything")
  permit(principal, action, resource);
  @id("nothing-of-nobody")
  forbid(principal, action, resource is Repo)
  unless { resource in Tenant::"acme" || resource in Tenant::"partner" };
  ${within('acme', `Agent::"${reviewerId}", Agent::"${second.id}"`)}
  ${within('partner', `Agent::"${helper.id}"`)}`;

const tenants = schema.replace('entity Repo;', 'entity Tenant;\nentity Repo in [Tenant];');
const world: ApiOptions = {
  config: { agents },
  start: { guard: { policy: await cedarFromText({ policies, schema: tenants, entities }) } },
};

/** A request: its agent, the issuer of its token, and the tenant of its repository. */
interface Sent {
  readonly by: 'acme' | 'partner';
  readonly for?: 'acme' | 'partner';
  readonly at: string;
}

async function pull(api: Api, { by, for: tenant, at }: Sent): Promise<RawRequest> {
  const { id, key } = by === 'acme' ? { id: reviewerId, key: reviewer } : helper;
  const options = { method: 'POST', target: `/repos/${at}/api/pulls`, body: '{}', key };
  if (tenant === undefined) return api.signed(options);
  const token = await api.token({ act: { sub: id } }, {}, tenant === 'acme' ? issuer : partner);
  return api.signed({ ...options, token });
}

onEveryHost(
  'Tenants of one API',
  (api) => {
    it('each agent is allowed in its own tenant', async () => {
      for (const tenant of ['acme', 'partner'] as const) {
        await api.accepts(await pull(api, { by: tenant, for: tenant, at: tenant }), 201);
        await api.accepts(await pull(api, { by: tenant, at: tenant }), 201);
      }
    });

    it.each<[string, Sent, string]>([
      ['an agent in the other tenant', { by: 'acme', at: 'partner' }, 'partner'],
      ['an agent and its user in the other tenant', { by: 'acme', for: 'acme', at: 'partner' }, 'partner'],
      [
        'an agent for a user of the other tenant, in its own tenant',
        { by: 'acme', for: 'partner', at: 'acme' },
        'acme',
      ],
      [
        "an agent for a user of the other tenant, in that user's tenant",
        { by: 'acme', for: 'partner', at: 'partner' },
        'partner',
      ],
      [
        'an agent of the partner for a user of acme, in its own tenant',
        { by: 'partner', for: 'acme', at: 'partner' },
        'partner',
      ],
      [
        "an agent of the partner for a user of acme, in that user's tenant",
        { by: 'partner', for: 'acme', at: 'acme' },
        'acme',
      ],
    ])('refuses %s, although the names are equal [C8]', async (_title, sent, tenant) => {
      const { records } = await api.denies(await pull(api, sent), 403, 'policy_denied');
      expect(records[0]?.policies).toEqual([`policies.cedar#only-${tenant}-in-${tenant}`]);
    });

    /** Delegated to the reviewer by another agent, for itself or for a user, for the repository of acme. */
    async function handedOn(by: typeof helper, claims?: Claims): Promise<RawRequest> {
      const token = claims && (await api.token({ act: { sub: by.id }, ...claims }));
      const options = { audience: api.audience, claims: { scope: 'pr:write:draft' }, ...(token && { parent: token }) };
      const fields = [delegationField([linkOf(by, reviewerId, options)])];
      const request = { method: 'POST', target: '/repos/acme/api/pulls', body: '{}', fields };
      return api.signed({ ...request, ...(token && { token }) });
    }

    it('no agent of another tenant is in the chain or delegates [C8]', async () => {
      await api.accepts(await handedOn(second), 201);
      await api.accepts(await handedOn(second, {}), 201);
      await api.denies(await handedOn(helper), 403, 'policy_denied');
      await api.denies(await handedOn(helper, {}), 403, 'policy_denied');
      const through = { act: { sub: reviewerId, act: { sub: helper.id } } };
      await api.denies(await api.pull(through), 403, 'policy_denied');
    });

    it('a resource without a tenant is denied to everybody [C8]', async () => {
      const { records } = await api.denies(
        await pull(api, { by: 'acme', for: 'acme', at: 'Acme' }),
        403,
        'policy_denied',
      );
      expect(records[0]?.policies).toEqual(['policies.cedar#nothing-of-nobody']);
    });
  },
  world,
);
