import { expect, it } from 'vitest';
import { type ApiOptions, onEveryHost, refuseEach } from '../support/api.js';
import { keyNamed } from '../support/keys.js';
import { delegationField, linkOf } from '../support/links.js';
import type { Claims } from '../support/tokens.js';
import { agents, partner, policies, reviewerId } from '../support/world.js';

const orchestrator = { id: 'agent-orchestrator', key: keyNamed('agent-orchestrator') };

const world: ApiOptions = {
  config: {
    agents: [...agents, { id: orchestrator.id, jwk: orchestrator.key.publicJwk, capabilities: ['repo', 'pr', 'file'] }],
    policies: `${policies}
      @id("merges-of-web")
      permit(principal, action == Action::"pr.merge", resource == Repo::"acme/web");
      @id("only-with-release")
      forbid(principal, action == Action::"pr.merge", resource == Repo::"acme/web")
      when { context has authorizationDetails.privileges && !context.authorizationDetails.privileges.contains("release") };
      @id("code-and-docs-together")
      forbid(principal, action == Action::"pr.merge", resource == Repo::"acme/web")
      when { context has authorizationDetails.datatypes
        && !context.authorizationDetails.datatypes.containsAll(["code", "docs"]) };`,
  },
};

onEveryHost(
  'authorization_details',
  (api) => {
    const api1 = { type: 'Repo', identifier: 'acme/api', actions: ['pr.create'] };
    const merge = (details: Claims[], target = '/repos/acme/api/merge') =>
      api.pull({ authorization_details: details, scope: 'repo:read pr:write:draft' }, { target, body: '' });

    it('an action on a resource that is in the details', async () => {
      await api.accepts(await api.pull({ authorization_details: [api1] }), 201);
      await api.accepts(await api.pull({ authorization_details: [{ type: 'Bucket' }, { type: 'Repo' }] }), 201);
      await api.accepts(await api.pull({ authorization_details: [{ type: 'Repo', locations: [api.audience] }] }), 201);
    });

    it('an API with several audiences is each of them', async () => {
      const named = await api.variant({ start: { guard: { audience: ['https://first.example', api.audience] } } });
      const at = (location: string) =>
        named.pull({
          aud: api.audience,
          authorization_details: [{ type: 'Repo', locations: [location, 'https://x.example'] }],
        });
      for (const location of ['https://first.example', api.audience]) await named.accepts(await at(location), 201);
      await named.denies(await at('https://y.example'), 403, 'authorization_details_exceeded', 'policy_denied');
    });

    it('any other action or resource is refused, even if policy permits it [C6]', async () => {
      const exceeds = async (...details: Claims[]) =>
        api.denies(
          await api.pull({ authorization_details: details }),
          403,
          'authorization_details_exceeded',
          'policy_denied',
        );
      await exceeds({ type: 'Bucket' });
      await exceeds({ ...api1, identifier: 'acme/web' });
      await exceeds({ ...api1, identifier: 'acme/api/' });
      await exceeds({ ...api1, actions: ['pr.merge'] });
      await exceeds({ ...api1, locations: ['https://mcp.acme.dev'] });
      const misspelt = { type: 'Repo', identifiers: ['acme/api'] };
      const { records } = await exceeds(misspelt);
      expect(records[0]?.detail).toContain('"identifiers" is not known');
      await exceeds({ ...api1, limit: { amount: 5 } });
      await api.accepts(await api.pull({ authorization_details: [misspelt, api1] }), 201);
      const { response } = await api.denies(
        await merge([api1]),
        403,
        'authorization_details_exceeded',
        'policy_denied',
      );
      expect(response.headers).not.toHaveProperty('www-authenticate');
      await api.accepts(await merge([{ ...api1, actions: ['pr.merge'] }]), 200);
    });

    it('policy sees the details that match, and only those', async () => {
      const web = { type: 'Repo', identifier: 'acme/web', privileges: ['release'] };
      const token = async (details: Claims[]) => api.token({ authorization_details: details, scope: 'pr:write:draft' });
      const release = async (details: Claims[]) =>
        api.signed({ method: 'POST', target: '/repos/acme/web/merge', token: await token(details) });
      await api.accepts(await release([web]), 200);
      const label = { ...web, privileges: ['label'] };
      const { records } = await api.denies(await release([label]), 403, 'policy_denied');
      expect(records[0]?.policies).toEqual(['policies.cedar#only-with-release']);
      const other = { type: 'Repo', identifier: 'acme/api', privileges: ['release'] };
      await api.denies(await release([other, label]), 403, 'policy_denied');
      await api.accepts(await release([{ ...other, privileges: ['label'] }, web]), 200);
    });

    it('policy distinguishes no limit from a limit without a detail of this type', async () => {
      const web = { type: 'Repo', identifier: 'acme/web' };
      const sent = (...details: Claims[]) =>
        api.pull(
          { authorization_details: details, scope: 'pr:write:draft' },
          { target: '/repos/acme/web/merge', body: '' },
        );
      await api.accepts(await sent({ ...web, datatypes: ['docs', 'code'] }), 200);
      await api.accepts(await sent({ ...web, datatypes: ['docs'] }, web), 200);
      const { records } = await api.denies(await sent({ ...web, datatypes: ['docs'] }), 403, 'policy_denied');
      expect(records[0]?.policies).toContain('policies.cedar#code-and-docs-together');
      const label = { ...web, privileges: ['label'] };
      await api.denies(await sent(label), 403, 'policy_denied');
      await api.accepts(await sent(label, web), 200);
      await api.accepts(await sent(label, { ...web, privileges: ['release'] }), 200);
    });

    it('each detail is a right of its own: policy must permit within one of them [C6]', async () => {
      const web = { type: 'Repo', identifier: 'acme/web' };
      const sent = (...details: Claims[]) =>
        api.pull(
          { authorization_details: details, scope: 'pr:write:draft' },
          { target: '/repos/acme/web/merge', body: '' },
        );
      const labelAll = { ...web, datatypes: ['code', 'docs'], privileges: ['label'] };
      const releaseWiki = { ...web, datatypes: ['wiki'], privileges: ['release'] };
      for (const details of [
        [labelAll, releaseWiki],
        [releaseWiki, labelAll],
        [{ ...web, privileges: ['label'] }, releaseWiki],
        [
          { ...web, datatypes: ['wiki'] },
          { ...web, privileges: ['label'] },
        ],
        [
          { ...web, datatypes: ['docs'] },
          { ...web, datatypes: ['code'] },
        ],
      ]) {
        await api.denies(await sent(...details), 403, 'policy_denied');
      }
      const { records } = await api.accepts(
        await sent(labelAll, releaseWiki, { ...labelAll, privileges: ['release'] }),
        200,
      );
      expect(records[0]?.policies).toEqual(['policies.cedar#merges-of-web']);
    });

    it('the token and each link limit [C6]', async () => {
      const sent = async (rootDetails: Claims[] | undefined, linkDetails: Claims[] | undefined) => {
        const claims = { act: { sub: orchestrator.id }, scope: 'pr:write', authorization_details: rootDetails };
        const token = await api.token(claims);
        const change = { scope: 'pr:write:draft', authorization_details: linkDetails };
        const link = linkOf(orchestrator, reviewerId, { audience: api.audience, parent: token, claims: change });
        return api.pull({}, { token, fields: [delegationField([link])] });
      };
      await api.accepts(await sent([{ type: 'Repo' }], [api1]), 201);
      await api.accepts(await sent([api1], undefined), 201);
      await api.accepts(await sent(undefined, [api1]), 201);
      const web = { type: 'Repo', identifier: 'acme/web' };
      for (const [root, link] of [
        [[{ type: 'Repo' }], [web]],
        [[web], undefined],
        [undefined, [web]],
      ] as const) {
        await api.denies(
          await sent(root && [...root], link && [...link]),
          403,
          'authorization_details_exceeded',
          'policy_denied',
        );
      }
    });

    it('further details lift no error of a policy [C6]', async () => {
      const head = '(principal, action == Action::"pr.merge", resource == Repo::"acme/web")';
      const fails = 'context has onBehalfOf && context.onBehalfOf == User::"user_123" && 9223372036854775807 + 1 > 0';
      const limit = `(if context has authorizationDetails.privileges
        then context.authorizationDetails.privileges.contains("release") else true)`;
      const withPolicy = (condition: string) =>
        api.variant({ config: { ...world.config, policies: `permit${head}; permit${head} when { ${condition} };` } });
      await expect(withPolicy(`${limit} && ${fails}`)).rejects.toThrow(
        'a condition that can fail is evaluated only if',
      );
      const failing = await withPolicy(`${fails} && ${limit}`);
      for (const privileges of [undefined, ['release'], ['label']]) {
        const details = [{ type: 'Repo', ...(privileges && { privileges }) }];
        const request = { target: '/repos/acme/web/merge', body: '' };
        await failing.denies(await failing.pull({ authorization_details: details }, request), 403, 'policy_error');
      }
    });

    it('details of the agent alone are limits too', async () => {
      const details = [{ type: 'Dataset', identifier: 'billing' }];
      const token = await api.token({
        sub: reviewerId,
        act: undefined,
        authorization_details: details,
        scope: undefined,
      });
      await api.accepts(api.signed({ token, target: '/invoices' }), 200);
      const upload = { method: 'PUT', target: '/upload', body: 'x', contentType: 'text/plain' };
      await api.denies(api.signed({ token, ...upload }), 403, 'authorization_details_exceeded', 'policy_denied');
    });

    refuseEach(api, [
      ...[
        [],
        {},
        'Repo',
        null,
        [{}],
        [{ type: '' }],
        [{ type: 'Repo', actions: 'pr.create' }],
        [{ type: 'Repo', actions: [] }],
        [{ type: 'Repo', identifier: 7 }],
        [[{ type: 'Repo' }]],
        Array.from({ length: 33 }, () => ({ type: 'Repo' })),
        [{ type: 'Repo', actions: Array.from({ length: 101 }, (_, index) => `a${index}`) }],
      ].map(
        (details, index) =>
          [
            `malformed details ${index}: ${JSON.stringify(details).slice(0, 60)} [C6]`,
            () => api.pull({ authorization_details: details }),
            401,
            'token_invalid',
          ] as const,
      ),
      [
        'details in a token about a subject of another issuer [C5]',
        async () => {
          const token = await api.token({ iss: partner.issuer, authorization_details: [api1] });
          return api.pull({}, { token });
        },
        401,
        'token_invalid',
      ],
    ]);
  },
  world,
);
