import { generateKeyPairSync, sign } from 'node:crypto';
import { type Agent, createAgent, type DelegationBundle, loadAgentKey } from '@countersign/agent';
import type { AgentRegistration } from '@countersign/core';
import { expect, it } from 'vitest';
import { type Api, type ApiOptions, type Attack, onEveryHost, refuseEach } from '../support/api.js';
import { keyNamed } from '../support/keys.js';
import { delegationField, type LinkOptions, linkOf, linksThrough, type TestAgent } from '../support/links.js';
import { type RawRequest, type SignedRequestOptions, withFields } from '../support/signed-request.js';
import type { Claims } from '../support/tokens.js';
import {
  agents,
  expiredKey,
  issuer,
  partner,
  policies,
  reviewer,
  reviewerId,
  runner,
  runnerId,
  stranger,
  suspended,
  suspendedId,
  userId,
} from '../support/world.js';

const now = () => Math.floor(Date.now() / 1000);
const agentNamed = (id: string): TestAgent => ({ id, key: keyNamed(id) });

const orchestrator = agentNamed('agent-orchestrator');
const billing = agentNamed('agent-billing');
const theReviewer: TestAgent = { id: reviewerId, key: reviewer };
const theRunner: TestAgent = { id: runnerId, key: runner };
const guest: TestAgent = { id: 'agent-guest', key: keyNamed('guest') };
const crowd = Array.from({ length: 7 }, (_, index) => agentNamed(`agent-link-${index}`));

/** It has the same capabilities as the billing agent; only policy distinguishes it. */
const crawler = agentNamed('agent-crawler');

const registered: readonly AgentRegistration[] = [
  { id: crawler.id, jwk: crawler.key.publicJwk, capabilities: ['invoice:read', 'repo:read'] },
  { id: orchestrator.id, jwk: orchestrator.key.publicJwk, capabilities: ['repo', 'pr', 'invoice'], owner: 'platform' },
  { id: billing.id, jwk: billing.key.publicJwk, capabilities: ['invoice:read', 'repo:read'] },
  ...crowd.map(({ id, key }) => ({ id, jwk: key.publicJwk, capabilities: ['repo:read', 'invoice:read'] })),
];

const world: ApiOptions = {
  config: {
    agents: [...agents, ...registered],
    policies: `${policies}
      @id("not-through-the-crawler")
      forbid(principal, action == Action::"invoice.read", resource) when { context.via.contains(Agent::"${crawler.id}") };
      @id("orchestrators-merges")
      permit(principal, action == Action::"pr.merge", resource == Repo::"acme/tools")
      when { context has onBehalfOfAgent && context.onBehalfOfAgent == Agent::"${orchestrator.id}" };`,
  },
};

/** The orchestrator acts for the user. */
const rootClaims: Claims = { act: { sub: orchestrator.id }, scope: 'pr:write repo:read invoice:read' };

/** The parts of one attack or chain. */
interface Sent {
  readonly token?: string;
  readonly links: readonly string[];
  readonly key?: TestAgent;
  readonly request?: Partial<SignedRequestOptions>;
}

function send(api: Api, { token, links, key = theReviewer, request }: Sent): RawRequest {
  return api.signed({
    key: key.key,
    ...(token !== undefined && { token }),
    fields: [delegationField(links)],
    ...request,
  });
}

/** One link from the orchestrator, which acts for the user, to the reviewer, which sends. */
async function handedOn(api: Api, change: Partial<LinkOptions> = {}, claims: Claims = {}): Promise<Sent> {
  const token = await api.token({ ...rootClaims, ...claims });
  return { token, links: [linkOf(orchestrator, reviewerId, { audience: api.audience, parent: token, ...change })] };
}

interface Answer {
  readonly actor: { readonly id: string };
  readonly subject: object;
  readonly chain: readonly { readonly id: string }[];
  readonly scope: readonly string[];
}

async function whoami(api: Api, sent: Sent): Promise<Answer> {
  const { response } = await api.accepts(send(api, sent), 200);
  return JSON.parse(response.body) as Answer;
}

const idsOf = ({ chain }: Answer): string[] => chain.map(({ id }) => id);

onEveryHost(
  'Links from agent to agent',
  (api) => {
    it('an agent delegates its own rights', async () => {
      const links = [linkOf(orchestrator, reviewerId, { audience: api.audience, claims: { scope: 'pr:write repo' } })];
      const { response, records } = await api.accepts(send(api, { links }), 200);
      const hops = [
        { id: orchestrator.id, type: 'agent', proof: 'signature', keyId: orchestrator.key.thumbprint },
        { id: reviewerId, type: 'agent', proof: 'signature', keyId: reviewer.thumbprint, scope: ['pr:write', 'repo'] },
      ];
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: reviewerId },
        subject: { id: orchestrator.id, type: 'agent' },
        chain: hops,
        scope: ['pr:write:draft', 'repo:read'],
      });
      expect(records[0]).toMatchObject({ chain: hops });
      expect(records[0]?.chain?.[1]).toMatchObject({
        delegationId: expect.stringMatching(/^[\da-f-]{36}$/),
        expiresAt: expect.any(Number),
      });
    });

    it('a chain from a user: asserted by its issuer, then signed', async () => {
      const token = await api.token(rootClaims);
      const links = [
        linkOf(orchestrator, reviewerId, {
          audience: api.audience,
          parent: token,
          claims: { scope: 'pr:write:draft' },
        }),
      ];
      const body = { method: 'POST', target: '/repos/acme/api/pulls', body: '{"title":"x"}' };
      const { response, records } = await api.accepts(send(api, { token, links, request: body }), 201);
      const chain = [
        { id: userId, type: 'user', proof: 'issuer', issuer: issuer.issuer },
        { id: orchestrator.id, proof: 'issuer', keyId: orchestrator.key.thumbprint },
        { id: reviewerId, proof: 'signature', keyId: reviewer.thumbprint, scope: ['pr:write:draft'] },
      ];
      expect(JSON.parse(response.body)).toMatchObject({ subject: { id: userId, type: 'user' }, chain });
      expect(records[0]).toMatchObject({ decision: 'allow', chain, scope: ['pr:write:draft'] });
    });

    it('a token about an agent itself, with a link', async () => {
      const token = await api.token({ sub: orchestrator.id, act: undefined, scope: 'repo:read' });
      const links = [
        linkOf(orchestrator, runnerId, { audience: api.audience, parent: token, claims: { scope: 'repo:read' } }),
      ];
      const answer = await whoami(api, { token, links, key: theRunner });
      expect(answer).toMatchObject({ subject: { id: orchestrator.id, type: 'agent' }, scope: ['repo:read'] });
      expect(idsOf(answer)).toEqual([orchestrator.id, runnerId]);
    });

    it('actors asserted by the issuer, followed by links', async () => {
      const token = await api.token({ act: { sub: orchestrator.id, act: { sub: 'agent-first' } }, scope: 'repo:read' });
      const links = linksThrough([orchestrator, billing, theRunner], api.audience, token, { scope: 'repo:read' });
      const answer = await whoami(api, { token, links, key: theRunner });
      expect(idsOf(answer)).toEqual([userId, 'agent-first', orchestrator.id, billing.id, runnerId]);
    });

    it('an agent whose key a partner vouches for delegates under its name there [C5]', async () => {
      const claims = { act: { sub: guest.id }, cnf: { jwk: guest.key.publicJwk }, scope: 'repo:read' };
      const token = await api.token(claims, {}, partner);
      const links = [
        linkOf(guest, runnerId, { audience: api.audience, parent: token, claims: { scope: 'repo:read' } }),
      ];
      const answer = await whoami(api, { token, links, key: theRunner });
      expect(idsOf(answer)).toEqual(['partner:user_123', 'partner:agent-guest', runnerId]);
    });

    it('the scope is the intersection of every hop and every agent in between [C6]', async () => {
      const token = await api.token({ ...rootClaims, scope: 'pr invoice:read' });
      const links = linksThrough([orchestrator, billing, theReviewer], api.audience, token, {
        scope: 'pr:write invoice:read',
      });
      // The billing agent cannot write pull requests, so it cannot delegate that.
      expect(await whoami(api, { token, links })).toMatchObject({ scope: ['invoice:read'] });
    });

    it('five delegations are accepted, with a token and without', async () => {
      const token = await api.token({ act: { sub: crowd[0]?.id }, scope: 'repo:read invoice:read' });
      const sender = crowd[4] ?? guest;
      const mixed = { token, links: linksThrough(crowd.slice(0, 5), api.audience, token), key: sender };
      expect(idsOf(await whoami(api, mixed))).toHaveLength(6);
      const alone = { links: linksThrough(crowd.slice(0, 6), api.audience), key: crowd[5] ?? guest };
      expect(await whoami(api, alone)).toMatchObject({ scope: ['invoice:read', 'repo:read'] });
    });

    it('a policy can forbid an actor of the history, the crawler [C4]', async () => {
      const through = async (middle: TestAgent) => {
        const links = linksThrough([orchestrator, middle, theReviewer], api.audience);
        return send(api, { links, request: { target: '/invoices' } });
      };
      await api.accepts(await through(billing), 200);
      const { records } = await api.denies(await through(crawler), 403, 'policy_denied');
      expect(records[0]).toMatchObject({
        policies: ['policies.cedar#not-through-the-crawler'],
        scope: ['invoice:read', 'repo:read'],
      });
    });

    it('policy distinguishes an agent as subject from a user [C2]', async () => {
      const links = [linkOf(orchestrator, reviewerId, { audience: api.audience })];
      const merge = { method: 'POST', target: '/repos/acme/tools/merge' };
      const { records } = await api.accepts(send(api, { links, request: merge }), 200);
      expect(records[0]?.policies).toContain('policies.cedar#orchestrators-merges');
    });

    it('one chain serves many requests, and each link is revalidated each time', async () => {
      const sent = await handedOn(api);
      await whoami(api, sent);
      await whoami(api, sent);
    });
  },
  world,
);

onEveryHost(
  'Invalid links',
  (api) => {
    const audience = () => api.audience;
    const bad = (
      title: string,
      code: Attack[3],
      change: (parent: string) => Partial<LinkOptions>,
      claims: Claims = {},
    ): Attack => [
      title,
      async () => {
        const token = await api.token({ ...rootClaims, ...claims });
        const link = linkOf(orchestrator, reviewerId, { audience: audience(), parent: token, ...change(token) });
        return send(api, { token, links: [link] });
      },
      401,
      code,
    ];
    const claims = (title: string, code: Attack[3], wrong: () => Claims, root: Claims = {}): Attack =>
      bad(title, code, () => ({ claims: wrong() }), root);
    const field = (title: string, code: Attack[3], value: (link: string) => string): Attack => [
      title,
      async () => {
        const { token = '', links } = await handedOn(api);
        return api.signed({ token, fields: [['Agent-Delegation', value(links[0] ?? '')]] });
      },
      401,
      code,
    ];
    /** Through the billing agent to the reviewer. */
    const two = async () => {
      const token = await api.token(rootClaims);
      const [first = '', second = ''] = linksThrough([orchestrator, billing, theReviewer], audience(), token);
      return { token, first, second };
    };
    const details = [{ type: 'Repo', identifier: 'acme/api' }];

    refuseEach(api, [
      claims('a scope that the token does not grant [C6]', 'delegation_wider', () => ({
        scope: 'repo:read record:delete',
      })),
      claims('a scope above that of the token [C6]', 'delegation_wider', () => ({ scope: 'pr' })),
      claims('a scope that only starts with a granted one [C6]', 'delegation_wider', () => ({ scope: 'pr:writer' })),
      claims('a link that outlives the token [C6]', 'delegation_wider', () => ({ exp: now() + 301 })),
      claims('an additional audience [C6]', 'delegation_wider', () => ({ aud: [audience(), 'https://mcp.acme.dev'] })),
      claims('a link behind a token that allows no hops [C6]', 'delegation_wider', () => ({}), { max_hops: 0 }),
      claims('as many further hops as the token allows [C6]', 'delegation_wider', () => ({ max_hops: 2 }), {
        max_hops: 2,
      }),
      claims(
        'wider authorization_details [C6]',
        'delegation_wider',
        () => ({ authorization_details: [{ type: 'Repo' }] }),
        { authorization_details: details },
      ),
      claims('a scope behind a token without scope [C6]', 'delegation_wider', () => ({}), { scope: undefined }),
      [
        'a second link that is wider than the first [C6]',
        async () => {
          const { token, first } = await two();
          const wide = linkOf(billing, reviewerId, {
            audience: audience(),
            parent: first,
            claims: { scope: 'pr:write' },
          });
          return send(api, { token, links: [first, wide] });
        },
        401,
        'delegation_wider',
      ],
      [
        'a second link behind one that allows no hops [C6]',
        async () => {
          const token = await api.token(rootClaims);
          const agentsOfChain = [orchestrator, billing, theReviewer];
          return send(api, { token, links: linksThrough(agentsOfChain, audience(), token, { max_hops: 0 }) });
        },
        401,
        'delegation_wider',
      ],
      [
        'a sixth delegation behind a token [C1]',
        async () => {
          const token = await api.token({ act: { sub: crowd[0]?.id }, scope: 'repo:read invoice:read' });
          const links = linksThrough(crowd.slice(0, 6), audience(), token);
          return send(api, { token, links, key: crowd[5] ?? guest });
        },
        401,
        'delegation_too_deep',
      ],
      [
        'six links [C1]',
        () => send(api, { links: linksThrough(crowd, audience()), key: crowd[6] ?? guest }),
        401,
        'delegation_too_deep',
      ],
      [
        'too many actors of the token and links together [C1]',
        async () => {
          const act = { sub: orchestrator.id, act: { sub: 'a-3', act: { sub: 'a-2', act: { sub: 'a-1' } } } };
          const token = await api.token({ ...rootClaims, act });
          const links = linksThrough([orchestrator, billing, theReviewer], audience(), token);
          return send(api, { token, links });
        },
        401,
        'delegation_too_deep',
      ],
      [
        'a link back to an agent earlier in the chain [C1]',
        async () => {
          const token = await api.token(rootClaims);
          const links = linksThrough([orchestrator, billing, orchestrator], audience(), token);
          return send(api, { token, links, key: orchestrator });
        },
        401,
        'delegation_invalid',
      ],
      [
        'a link to a prior actor of the token [C1]',
        async () => {
          const token = await api.token({ ...rootClaims, act: { sub: orchestrator.id, act: { sub: reviewerId } } });
          return send(api, { token, links: linksThrough([orchestrator, theReviewer], audience(), token) });
        },
        401,
        'delegation_invalid',
      ],
      [
        'a link whose parent is another token of the same agents [C2]',
        async () => {
          const { links } = await handedOn(api);
          return send(api, { token: await api.token({ ...rootClaims, sub: 'user_456' }), links });
        },
        401,
        'delegation_invalid',
      ],
      [
        'a link without parent behind a token [C2]',
        async () =>
          send(api, {
            token: await api.token(rootClaims),
            links: [linkOf(orchestrator, reviewerId, { audience: audience() })],
          }),
        401,
        'delegation_invalid',
      ],
      [
        'a link without its token [C3]',
        async () => send(api, { links: (await handedOn(api)).links }),
        401,
        'delegation_invalid',
      ],
      [
        'a chain without its first link [C3]',
        async () => {
          const { token, second } = await two();
          return send(api, { token, links: [second] });
        },
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a chain without its last link [C3]',
        async () => {
          const { token, first } = await two();
          return send(api, { token, links: [first] });
        },
        401,
        'delegation_invalid',
      ],
      [
        'a chain without a middle link [C3]',
        async () => {
          const token = await api.token(rootClaims);
          const links = linksThrough([orchestrator, billing, theRunner, theReviewer], audience(), token, {
            scope: 'repo:read',
          });
          return send(api, { token, links: links.filter((_, index) => index !== 1) });
        },
        401,
        'delegation_invalid',
      ],
      [
        'links in the wrong order [C3]',
        async () => {
          const { token, first, second } = await two();
          return send(api, { token, links: [second, first] });
        },
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a duplicate link [C3]',
        async () => {
          const { token, first, second } = await two();
          return send(api, { token, links: [first, first, second] });
        },
        401,
        'delegation_invalid',
      ],
      bad('the hash of another parent [C3]', 'delegation_invalid', () => ({ parent: 'a.b.c' })),
      claims('a parent hash that is not a hash [C3]', 'delegation_malformed', () => ({ pth: 'x' })),
      [
        "a user's plain token, delegated by an agent [C9]",
        async () => send(api, await handedOn(api, {}, { act: undefined, may_act: { sub: orchestrator.id } })),
        401,
        'token_delegation_invalid',
      ],
      [
        'the token of another agent, delegated [C4]',
        async () => send(api, await handedOn(api, {}, { act: { sub: runnerId } })),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a link for another agent [C4]',
        async () => send(api, { ...(await handedOn(api)), key: theRunner }),
        401,
        'delegation_invalid',
      ],
      claims('the delegate in another case [C4]', 'delegation_invalid', () => ({ sub: 'Agent-Code-Reviewer-01' })),
      claims('the delegate with a space at its end [C5]', 'delegation_malformed', () => ({ sub: `${reviewerId} ` })),
      claims('another agent as delegator [C4]', 'delegation_invalid', () => ({ iss: billing.id })),
      bad('a link behind a token, signed with the key of another agent [C4]', 'token_not_bound_to_agent', () => ({
        header: { kid: billing.key.thumbprint },
        sign: (input) => billing.key.sign(input),
      })),
      [
        'a link without a token, signed with the key of another agent [C4]',
        () => {
          const forger = { id: orchestrator.id, key: billing.key };
          return send(api, { links: [linkOf(forger, reviewerId, { audience: audience() })] });
        },
        401,
        'delegation_invalid',
      ],
      bad('a link signed by the delegate [C4]', 'delegation_invalid', () => ({
        sign: (input) => reviewer.sign(input),
      })),
      bad('an unknown key [A11]', 'delegation_invalid', () => ({
        header: { kid: stranger.thumbprint },
        sign: (input) => stranger.sign(input),
      })),
      bad('an expired key of the delegator [C7]', 'delegation_invalid', () => ({
        header: { kid: expiredKey.thumbprint },
        claims: { iss: 'agent-rotated' },
        sign: (input) => expiredKey.sign(input),
      })),
      [
        'a suspended delegator [C7]',
        () => send(api, { links: [linkOf({ id: suspendedId, key: suspended }, reviewerId, { audience: audience() })] }),
        401,
        'delegation_revoked',
      ],
      bad('a link in the name of a suspended agent, which tells nothing of it [A11, C7]', 'delegation_invalid', () => ({
        header: { kid: suspended.thumbprint },
        sign: (input) => stranger.sign(input),
      })),
      [
        'a token bound to another key of its agent [B8]',
        async () => send(api, await handedOn(api, {}, { cnf: { jkt: stranger.thumbprint } })),
        401,
        'token_not_bound_to_agent',
      ],
      claims('a link bound to another key [B8]', 'delegation_invalid', () => ({ cnf: { jkt: runner.thumbprint } })),
      claims('a link that vouches for a key [A11]', 'delegation_malformed', () => ({
        cnf: { jwk: reviewer.publicJwk },
      })),
      [
        'a second link signed by a key in the token [A11]',
        async () => {
          const jwk = guest.key.publicJwk;
          const token = await api.token({ act: { sub: guest.id }, cnf: { jwk }, scope: 'repo:read' });
          const [first = ''] = linksThrough([guest, billing], audience(), token, { scope: 'repo:read' });
          const again = linkOf(guest, reviewerId, {
            audience: audience(),
            parent: first,
            claims: { scope: 'repo:read' },
          });
          return send(api, { token, links: [first, again] });
        },
        401,
        'delegation_invalid',
      ],
      [
        'an expired link [B6]',
        async () => send(api, await handedOn(api, { claims: { iat: now() - 100, exp: now() - 10 } })),
        401,
        'delegation_expired',
      ],
      claims('a link issued in the future [B6]', 'delegation_expired', () => ({ iat: now() + 30, exp: now() + 60 })),
      [
        'a link with a lifetime of two hours [B6]',
        () => {
          const claimed = { exp: now() + 7200 };
          return send(api, { links: [linkOf(orchestrator, reviewerId, { audience: audience(), claims: claimed })] });
        },
        401,
        'delegation_invalid',
      ],
      [
        'a link for another API [B5]',
        () => send(api, { links: [linkOf(orchestrator, reviewerId, { audience: 'https://mcp.acme.dev' })] }),
        401,
        'delegation_audience_mismatch',
      ],
      claims('an audience with a trailing slash [B5]', 'delegation_audience_mismatch', () => ({
        aud: `${audience()}/`,
      })),
      claims('no scope', 'delegation_malformed', () => ({ scope: undefined })),
      claims('an empty scope', 'delegation_malformed', () => ({ scope: '' })),
      claims('a scope that is a list [B7]', 'delegation_malformed', () => ({ scope: ['repo:read'] })),
      claims('no jti', 'delegation_malformed', () => ({ jti: undefined })),
      claims('no iat', 'delegation_malformed', () => ({ iat: undefined })),
      claims('exp as text [B6]', 'delegation_malformed', () => ({ exp: String(now() + 60) })),
      claims('an agent that hands on to itself', 'delegation_malformed', () => ({ sub: orchestrator.id })),
      claims('a claim that no link has', 'delegation_malformed', () => ({ act: { sub: userId } })),
      claims('max_hops below zero [C6]', 'delegation_malformed', () => ({ max_hops: -1 })),
      claims('empty authorization_details [C6]', 'delegation_malformed', () => ({ authorization_details: [] })),
      ...['at+jwt', 'JWT', 'dpop+jwt', 'Delegation+JWT', undefined].map((typ) =>
        bad(`typ ${typ} [B3]`, 'delegation_malformed', () => ({ header: { typ } })),
      ),
      ...['none', 'HS256', 'RS256', 'ES256', 'ed25519', undefined].map((alg) =>
        bad(`alg ${alg} [B1]`, 'delegation_malformed', () => ({ header: { alg } })),
      ),
      bad('a key in its header [B2]', 'delegation_malformed', () => ({
        header: { jwk: stranger.publicJwk },
        sign: (input) => stranger.sign(input),
      })),
      bad('a critical header [B2]', 'delegation_malformed', () => ({ header: { crit: ['b64'] } })),
      bad('no kid [B2]', 'delegation_malformed', () => ({ header: { kid: undefined } })),
      bad('a kid that is a path [B2]', 'delegation_malformed', () => ({ header: { kid: '../../etc/passwd' } })),
      bad('a link signed by a key of another type [B1]', 'delegation_invalid', () => ({
        sign: (input) => sign('sha256', input, generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
      })),
      field('another encoding of its signature [B2]', 'delegation_invalid', (link) =>
        link.replace(/..$/, (end) => (end === 'AA' ? 'BA' : 'AA')),
      ),
      field('two parts [B2]', 'delegation_malformed', (link) => link.split('.', 2).join('.')),
      field('a String in place of a Token', 'delegation_malformed', (link) => `"${link}"`),
      field('bytes in place of a Token', 'delegation_malformed', () => ':AAAA:'),
      field('a link with a parameter', 'delegation_malformed', (link) => `${link};a=1`),
      field('an inner list', 'delegation_malformed', (link) => `(${link})`),
      field('a comma at the end', 'delegation_malformed', (link) => `${link},`),
      field('two links without a comma', 'delegation_malformed', (link) => `${link} ${link}`),
      field('an empty field', 'delegation_malformed', () => ''),
      field('no link at all', 'delegation_malformed', () => 'none'),
      [
        'two Agent-Delegation fields',
        async () => {
          const { token, first, second } = await two();
          return api.signed({ token, fields: [delegationField([first]), delegationField([second])] });
        },
        401,
        'delegation_malformed',
      ],
      [
        'an access token in place of a link',
        async () => send(api, { links: [await api.token()] }),
        401,
        'delegation_malformed',
      ],
      [
        'a link in place of an access token [B3]',
        () => api.signed({ token: linkOf(orchestrator, reviewerId, { audience: audience() }) }),
        401,
        'token_invalid',
      ],
      [
        'links that the signature does not cover',
        async () => send(api, { ...(await handedOn(api)), request: { uncovered: ['"agent-delegation"'] } }),
        401,
        'credential_uncovered',
      ],
      [
        'links added to a signed request',
        async () => {
          const { token = '', links } = await handedOn(api);
          return withFields(api.signed({ token }), delegationField(links));
        },
        401,
        'credential_uncovered',
      ],
      [
        'a field of 64 kB',
        () => api.signed({ fields: [['Agent-Delegation', 'a'.repeat(64 * 1024)]] }),
        431,
        'fields_too_large',
      ],
    ]);
  },
  { ...world, start: { maxHeaderBytes: 256 * 1024 } },
);

onEveryHost(
  'Links, as an API has chosen',
  (api) => {
    it('no delegation at all', async () => {
      const strict = await api.variant({ config: { ...world.config, maxDelegationDepth: 0 } });
      await strict.accepts(strict.signed(), 200);
      await strict.refuses(await strict.pull(), 401, 'delegation_too_deep');
      const links = [linkOf(orchestrator, reviewerId, { audience: strict.audience })];
      await strict.refuses(send(strict, { links }), 401, 'delegation_too_deep');
    });

    it('seven delegations, each for two hours', async () => {
      const config = { ...world.config, maxDelegationDepth: 7, maxLinkLifetimeSeconds: 7200 };
      const lenient = await api.variant({ config });
      const links = linksThrough(crowd, lenient.audience, undefined, { exp: now() + 7200 });
      expect(idsOf(await whoami(lenient, { links, key: crowd[6] ?? guest }))).toHaveLength(7);
    });

    it('scopes that cover only themselves [C6]', async () => {
      const exact = await api.variant({ config: { ...world.config, scopeMatch: 'exact' } });
      const draft = { claims: { scope: 'pr:write:draft' } };
      await exact.refuses(send(exact, await handedOn(exact, draft)), 401, 'delegation_wider');
      await exact.denies(await exact.pull({ scope: 'pr:write' }), 403, 'policy_denied');
      await exact.accepts(await exact.pull({ scope: 'pr:write:draft' }), 201);
    });

    it('a token whose issuer compares scopes in the same way [C6]', async () => {
      const exact = await api.variant({ config: { ...world.config, scopeMatch: 'exact' } });
      const draft = { scope: 'pr:write:draft' };
      await exact.accepts(await exact.pull({ ...draft, scope_match: 'exact' }), 201);
      await exact.refuses(await exact.pull({ ...draft, scope_match: 'hierarchical' }), 401, 'token_invalid');
      await api.accepts(await api.pull({ ...draft, scope_match: 'hierarchical' }), 201);
      await api.refuses(await api.pull({ ...draft, scope_match: 'exact' }), 401, 'token_invalid');
    });

    it('exact scopes do not cover a narrower scope of the policy [C6]', async () => {
      const capable = agents.map((one) =>
        'id' in one && one.id === reviewerId ? { ...one, capabilities: ['pr:write'] } : one,
      );
      const hierarchical = await api.variant({ config: { agents: capable } });
      await hierarchical.accepts(await hierarchical.pull({ scope: 'pr:write' }), 201);
      const exact = await api.variant({ config: { agents: capable, scopeMatch: 'exact' } });
      await exact.denies(await exact.pull({ scope: 'pr:write' }), 403, 'policy_denied');
    });
  },
  world,
);

/** The agent with our own client. */
function agentOf({ id, key }: TestAgent): Promise<Agent> {
  return createAgent({ id, key: loadAgentKey(key.privateKey.export({ format: 'pem', type: 'pkcs8' }).toString()) });
}

onEveryHost(
  'Our own agents hand on',
  (api) => {
    it('user to orchestrator to billing to reviewer, each with less', async () => {
      const orchestrating = (await agentOf(orchestrator)).withToken(await api.token(rootClaims));
      const first = await orchestrating.delegate(billing.id, { scope: 'repo:read invoice:read', ttlSeconds: 60 });
      const sent = JSON.stringify(first);
      const billed = (await agentOf(billing)).accept(JSON.parse(sent) as DelegationBundle);
      const second = await billed.delegate(reviewerId, { scope: ['invoice:read'], keyId: reviewer.thumbprint });
      const reviewing = (await agentOf(theReviewer)).accept(second);
      const answer = (await api.recorded(() => reviewing.fetch(`${api.url}${api.at('/whoami')}`))) as Answer;
      expect(idsOf(answer)).toEqual([userId, orchestrator.id, billing.id, reviewerId]);
      expect(answer.scope).toEqual(['invoice:read']);
      await api.recorded(() => reviewing.fetch(`${api.url}${api.at('/invoices')}`));
    });

    it('an agent delegates its own rights', async () => {
      const bundle = await (await agentOf(orchestrator)).delegate(runnerId, { scope: 'repo', audience: api.audience });
      const running = (await agentOf(theRunner)).accept(bundle);
      const answer = (await api.recorded(() => running.fetch(`${api.url}${api.at('/whoami')}`))) as Answer;
      expect(answer).toMatchObject({ subject: { id: orchestrator.id }, scope: ['repo:read'] });
    });
  },
  world,
);
