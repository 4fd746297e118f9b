import { member } from '@countersign/common';
import {
  type ApprovalUses,
  cedarFromText,
  type QueueAnswer,
  type Revocation,
  type RevocationSource,
} from '@countersign/core';
import { expect, it } from 'vitest';
import { type Api, type ApiOptions, onEveryHost } from '../support/api.js';
import { approvalOf, askIn, type Ask, bindingOf, person, seconds } from '../support/approvals.js';
import { keyNamed } from '../support/keys.js';
import { delegationField, linkOf, linksThrough, type TestAgent } from '../support/links.js';
import { dpopProof, dpopRequest, ed25519ProofKey } from '../support/dpop.js';
import type { Field, RawRequest, SignedRequestOptions } from '../support/signed-request.js';
import { accessToken, type Claims, ed25519Issuer, rsaIssuer } from '../support/tokens.js';
import {
  agents,
  issuer,
  policies,
  reviewer,
  reviewerId,
  runner,
  runnerId,
  schema,
  secondKey,
  userId,
} from '../support/world.js';

/** The authority that collects approvals. */
const authority = ed25519Issuer('https://approvals.acme.dev', 'approvals-1');
const otherAuthority = ed25519Issuer('https://approvals.partner.example', 'partner-1');

const asking = `@id("merges-with-approval") @approval("release-managers") @approval_excludes("owner")
permit(principal, action == Action::"pr.merge", resource == Repo::"acme/api");

@id("merges-by-two") @approval("release-managers") @approval_count("2") @approval_reason("required")
permit(principal, action == Action::"pr.merge", resource == Repo::"acme/two");

@id("no-merges-in-frozen")
forbid(principal, action == Action::"pr.merge", resource == Repo::"acme/frozen");

@id("merges-in-frozen") @approval("release-managers")
permit(principal, action == Action::"pr.merge", resource == Repo::"acme/frozen");`;

const withoutMerges = policies.replace(/@id\("merges"\)[^;]*;/, '');
const world: ApiOptions = {
  config: {
    policies: `${withoutMerges}\n${asking}`,
    approvals: {
      issuers: [{ issuer: authority.issuer, jwks: { keys: [authority.jwk] } }],
      breakGlass: ['user_911'],
    },
  },
};

type Merge = Partial<SignedRequestOptions> & { readonly claims?: Claims; readonly approval?: string };

/** A queue in which nobody has decided. */
const waiting = (): QueueAnswer => ({ status: 'pending', url: 'https://approve.acme.dev/1' });

/** The reviewer merges for the user. */
async function merge(api: Api, { claims = {}, approval, fields = [], ...options }: Merge = {}): Promise<RawRequest> {
  const approved: Field[] = approval === undefined ? [] : [['Agent-Approval', approval]];
  return api.signed({
    method: 'POST',
    target: '/repos/acme/api/merge',
    body: '{"sha":"d6cd1e2bd19e03a81132a23b2025920577f84e37"}',
    token: await api.token(claims),
    ...options,
    fields: [...fields, ...approved],
  });
}

/** What people are asked about a merge. */
async function asked(api: Api, options: Merge = {}): Promise<Ask> {
  return askIn((await api.denies(await merge(api, options), 403, 'approval_required')).response.body);
}

onEveryHost(
  'Approvals',
  (api) => {
    it('a request that policy asks people about is refused with what they have to approve', async () => {
      const { response, records } = await api.denies(await merge(api), 403, 'approval_required');
      const ask = askIn(response.body);
      expect(ask).toEqual({
        binding: bindingOf(ask.request),
        request: expect.any(Object),
        issuers: [authority.issuer],
      });
      expect(ask.request).toEqual({
        version: 1,
        audience: api.audience,
        actor: { id: reviewerId, owner: 'platform-team' },
        subject: { id: userId, type: 'user', issuer: issuer.issuer },
        chain: [
          { id: userId, type: 'user', proof: 'issuer', issuer: issuer.issuer },
          { id: reviewerId, type: 'agent', proof: expect.any(String), issuer: issuer.issuer },
        ],
        action: 'pr.merge',
        resource: { type: 'Repo', id: 'acme/api' },
        http: {
          method: 'POST',
          authority: api.authority,
          path: api.at('/repos/acme/api/merge'),
          fields: { 'content-type': 'application/json' },
          contentDigest: expect.stringMatching(/^sha-256=:/),
        },
        policies: ['policies.cedar#merges-with-approval'],
        policySet: expect.stringMatching(/^[0-9a-f]{64}$/),
        requirement: {
          quorums: [{ groups: ['release-managers'], count: 1 }],
          useWithinSeconds: 600,
          decideWithinSeconds: 86_400,
          reason: 'optional',
          excluded: ['owner'],
        },
      });
      expect(records[0]).toMatchObject({ approval: { binding: ask.binding }, subject: { id: userId } });
      expect(records[0]?.approval).toEqual({ binding: ask.binding });
    });

    it('runs once with the approval, and the log says who approved [C11]', async () => {
      const ask = await asked(api);
      const approver = person('user_42', { amr: ['pwd', 'hwk'], auth_time: seconds() - 60, reason: 'reviewed' });
      const approval = await approvalOf(ask, authority, { jti: 'approval-of-one-merge', approvers: [approver] });
      const { records } = await api.accepts(await merge(api, { approval }), 200);
      expect(records[0]).toMatchObject({ phase: 'decision', decision: 'allow', action: 'pr.merge' });
      expect(records[0]?.approval).toEqual({
        binding: ask.binding,
        id: 'approval-of-one-merge',
        issuer: authority.issuer,
        approvers: [
          {
            id: 'user_42',
            groups: ['release-managers'],
            decidedAt: approver['decided_at'],
            amr: ['pwd', 'hwk'],
            authTime: approver['auth_time'],
            reason: 'reviewed',
          },
        ],
      });
      const again = await api.denies(await merge(api, { approval }), 403, 'approval_used');
      expect(again.records[0]?.approval).toMatchObject({ id: 'approval-of-one-merge', binding: ask.binding });
      expect(askIn(again.response.body).binding).toBe(ask.binding);
    });

    it('one of a hundred concurrent executions runs [C11]', async () => {
      const approval = await approvalOf(await asked(api), authority);
      const handled = api.running.handled.length;
      const requests = await Promise.all(Array.from({ length: 100 }, () => merge(api, { approval })));
      await api.recordedOutcomes(1, async () => {
        const answers = await Promise.all(requests.map((request) => api.send(request)));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
        expect(answers.filter(({ body }) => body.includes('"approval_used"'))).toHaveLength(99);
      });
      expect(api.running.handled.length).toBe(handled + 1);
    });

    it.each<[string, Merge]>([
      ['another body', { body: '{"sha":"0000000000000000000000000000000000000000"}' }],
      ['the same body of another type', { contentType: 'application/json; version=2' }],
      ['another query', { target: '/repos/acme/api/merge?force=1' }],
      ['another resource', { target: '/repos/acme/two/merge' }],
      ['another user', { claims: { sub: 'user_124' } }],
      ['another agent', { key: runner, claims: { act: { sub: runnerId } } }],
      ['an agent between', { claims: { act: { sub: reviewerId, act: { sub: 'agent-orchestrator' } } } }],
    ])('an approval does not fit %s [C11]', async (_what, change) => {
      const approval = await approvalOf(await asked(api), authority);
      await api.denies(await merge(api, { ...change, approval }), 403, 'approval_mismatch');
    });

    it.each<[string, Claims, 'approval_invalid' | 'approval_mismatch']>([
      ['that counts longer than policy allows', { exp: seconds() + 3600 }, 'approval_invalid'],
      ['from the future', { iat: seconds() + 3600 }, 'approval_invalid'],
      ['for another API', { aud: 'https://api.partner.example' }, 'approval_invalid'],
      ['for another binding', { binding: bindingOf({}) }, 'approval_mismatch'],
      ['by the acting agent itself', { approvers: [person(reviewerId)] }, 'approval_invalid'],
      [
        'by somebody of another group',
        { approvers: [person('user_42', { groups: ['everybody'] })] },
        'approval_invalid',
      ],
      [
        'by the owner, whom policy excludes',
        { approvers: [person('user_7', { groups: ['release-managers', 'platform-team'] })] },
        'approval_invalid',
      ],
      ['by nobody', { approvers: [] }, 'approval_invalid'],
      ['without its id', { jti: undefined }, 'approval_invalid'],
      [
        'of break-glass by somebody who is not named',
        { break_glass: true, approvers: [person('user_42', { reason: 'fire' })] },
        'approval_invalid',
      ],
      [
        'of break-glass without a reason',
        { break_glass: true, approvers: [person('user_911', { groups: [] })] },
        'approval_invalid',
      ],
    ])('refuses an approval %s [C11]', async (_what, claims, code) => {
      const approval = await approvalOf(await asked(api), authority, claims);
      await api.denies(await merge(api, { approval }), 403, code);
    });

    it('refuses an approval that has expired [C11]', async () => {
      const [asked_at, decided_at, exp] = [seconds() - 400, seconds() - 310, seconds() - 60];
      const approvers = [person('user_42', { decided_at })];
      const approval = await approvalOf(await asked(api), authority, {
        asked_at,
        iat: seconds() - 300,
        exp,
        approvers,
      });
      await api.denies(await merge(api, { approval }), 403, 'approval_expired');
    });

    it('refuses an approval of an authority of others, and one that is none [C11]', async () => {
      const ask = await asked(api);
      const now = seconds();
      const claims = {
        iss: authority.issuer,
        aud: api.audience,
        jti: 'approval-x',
        binding: ask.binding,
        exp: now + 60,
      };
      for (const approval of [
        await approvalOf(ask, otherAuthority),
        // Another's key under the name of ours.
        await approvalOf(ask, { ...otherAuthority, issuer: authority.issuer, kid: authority.kid }),
        // The issuer of tokens may not approve.
        await approvalOf(ask, issuer),
        await approvalOf(ask, { ...rsaIssuer(authority.issuer, 'approvals-1') }),
        await approvalOf(ask, authority, {}, { typ: 'at+jwt' }),
        await approvalOf(ask, authority, {}, { kid: secondKey.kid }),
        await accessToken(authority, claims),
      ]) {
        await api.denies(await merge(api, { approval }), 403, 'approval_invalid');
      }
    });

    it('refuses an approval that cannot be read [C11]', async () => {
      const approval = await approvalOf(await asked(api), authority);
      for (const text of ['x', `${approval}.x`, approval.replace('.', '..'), `${approval.slice(0, 20)}.e30.AAAA`]) {
        await api.denies(await merge(api, { approval: text }), 400, 'approval_malformed');
      }
    });

    it('two people must approve where policy says so, each with a reason [C11]', async () => {
      const target = '/repos/acme/two/merge';
      const ask = await asked(api, { target });
      const [one, two] = [person('user_41', { reason: 'reviewed' }), person('user_42', { reason: 'tested' })];
      for (const approvers of [[one], [one, one], [one, person('user_42')], [one, { ...two, groups: ['everybody'] }]]) {
        const approval = await approvalOf(ask, authority, { approvers });
        await api.denies(await merge(api, { target, approval }), 403, 'approval_invalid');
      }
      const approval = await approvalOf(ask, authority, { approvers: [one, two] });
      await api.accepts(await merge(api, { target, approval }), 200);
    });

    it('a forbid wins over every approval [C11]', async () => {
      const target = '/repos/acme/frozen/merge';
      const approval = await approvalOf(await asked(api), authority);
      await api.denies(await merge(api, { target, approval }), 403, 'policy_denied');
    });

    it('what a body or a field says of approvals does not count [C11]', async () => {
      await api.denies(await merge(api, { body: '{"approved":true,"approval":"yes"}' }), 403, 'approval_required');
      await api.denies(await merge(api, { fields: [['Approved', 'true']] }), 403, 'approval_required');
    });

    it('where policy asks nobody, an approval changes nothing and is not used up', async () => {
      const approval = await approvalOf(await asked(api), authority);
      await api.accepts(await api.pull({}, { fields: [['Agent-Approval', approval]] }), 201);
      await api.denies(
        await api.pull({ sub: 'user_124' }, { fields: [['Agent-Approval', approval]] }),
        403,
        'policy_denied',
      );
      await api.accepts(await merge(api, { approval }), 200);
    });

    it('a named person may approve alone in an emergency, and the log says so', async () => {
      const approvers = [person('user_911', { groups: [], reason: 'production is down' })];
      const approval = await approvalOf(await asked(api), authority, { break_glass: true, approvers });
      const { records } = await api.accepts(await merge(api, { approval }), 200);
      expect(records[0]?.approval).toMatchObject({ breakGlass: true, approvers: [{ id: 'user_911' }] });
    });

    it('an approval from before a change of the policies does not count [C11]', async () => {
      const policy = await cedarFromText({ policies: `${withoutMerges}\n${asking}`, schema });
      const changing = await api.variant({ ...world, start: { guard: { policy } } });
      const approval = await approvalOf(await asked(changing), authority);
      const other = `${withoutMerges}\n${asking}\n@id("more") permit(principal, action == Action::"pr.merge", resource == Repo::"a/b");`;
      expect(await policy.replace({ policies: other, schema })).toEqual({ ok: true });
      const { response } = await changing.denies(await merge(changing, { approval }), 403, 'approval_mismatch');
      const anew = await approvalOf(askIn(response.body), authority);
      await changing.accepts(await merge(changing, { approval: anew }), 200);
    });

    it('a clock that was ahead for a moment keeps nobody out because of an approval that was used [J3]', async () => {
      let ahead = 0;
      const jumping = await api.variant({ ...world, start: { guard: { clock: () => Date.now() + ahead * 1000 } } });
      const approval = await approvalOf(await asked(jumping), authority);
      await jumping.accepts(await merge(jumping, { approval }), 200);
      ahead = 3600;
      await jumping.accepts(jumping.signed({ target: '/invoices', now: seconds() + ahead }), 200);
      ahead = 0;
      // Later than the signatures before the jump, which are forgotten.
      await jumping.accepts(jumping.signed({ target: '/invoices', now: seconds() + 3 }), 200);
    });

    it('policy is asked again at execution [C11]', async () => {
      const policy = await cedarFromText({ policies: `${withoutMerges}\n${asking}`, schema });
      const changing = await api.variant({ ...world, start: { guard: { policy } } });
      const approval = await approvalOf(await asked(changing), authority);
      const none = `${withoutMerges}\n${asking}\n@id("freeze") forbid(principal, action == Action::"pr.merge", resource);`;
      expect(await policy.replace({ policies: none, schema })).toEqual({ ok: true });
      await changing.denies(await merge(changing, { approval }), 403, 'policy_denied');
    });

    it('refuses when what is needed to check an approval is out of order', async () => {
      const { issuers = [] } = world.config?.approvals ?? {};
      for (const use of [() => Promise.reject(new Error('down')), () => 'full' as const, () => 'perhaps' as 'first']) {
        const failing = await api.variant({
          ...world,
          start: { guard: { approvals: { issuers, uses: { use } }, onTrouble: () => {} } },
        });
        const approval = await approvalOf(await asked(failing), authority);
        await failing.denies(await merge(failing, { approval }), 503, 'approvals_unavailable');
      }
      const before = await api.variant({
        ...world,
        start: { guard: { approvals: { issuers, uses: { use: () => 'before_epoch' } } } },
      });
      const approval = await approvalOf(await asked(before), authority);
      await before.denies(await merge(before, { approval }), 403, 'approval_used');
    });

    it('a guard that observes lets a request go on without approval, and records that', async () => {
      const observing = await api.variant({ config: { ...world.config, mode: 'observe' } });
      const { records } = await observing.accepts(await merge(observing), 200);
      expect(records[0]).toMatchObject({
        decision: 'would_refuse',
        code: 'approval_required',
        approval: { binding: expect.any(String) },
      });
      const approval = await approvalOf(
        { binding: records[0]?.approval?.binding ?? '', request: { audience: observing.audience } },
        authority,
      );
      const approved = await observing.accepts(await merge(observing, { approval }), 200);
      expect(approved.records[0]).toMatchObject({ decision: 'allow', approval: { approvers: [{ id: 'user_42' }] } });
    });

    it('asks nobody about a request whose body nothing binds to its sender [C11]', async () => {
      const unbound = await api.variant({
        config: { ...world.config, dpop: true },
        start: { guard: { approvals: { queue: waiting } } },
      });
      const key = ed25519ProofKey(reviewer);
      const target = unbound.at('/repos/acme/api/merge');
      const token = await unbound.token({ cnf: { jkt: key.thumbprint } });
      const proof = dpopProof({ key, token, method: 'POST', uri: `${unbound.audience}${target}` });
      const request = dpopRequest({
        method: 'POST',
        target,
        host: unbound.authority,
        token,
        proofs: [proof],
        body: '{}',
      });
      const { status, body } = await unbound.send(request);
      expect(status).toBe(403);
      // There is nothing that people could approve.
      expect(JSON.parse(body)).toEqual({
        type: 'https://countersign.github.io/countersign/refusals/approval_required',
        title: expect.any(String),
        status: 403,
        code: 'approval_required',
      });
      expect(unbound.running.handled).toEqual([]);
    });

    it('asks nobody about a body that the handler reads before its digest has matched [C11]', async () => {
      const streaming = await api.variant({ ...world, start: { admission: { streamBody: () => true } } });
      const approval = await approvalOf(await asked(api), authority);
      for (const given of [{}, { approval }]) {
        const { status, body } = await streaming.send(await merge(streaming, given));
        expect([status, JSON.parse(body)]).toEqual([403, expect.objectContaining({ code: 'approval_required' })]);
        expect(JSON.parse(body)).not.toHaveProperty('approval');
      }
      expect(streaming.running.handled).toEqual([]);
      await streaming.accepts(await merge(streaming, { target: '/repos/acme/api/pulls', body: '{"title":"x"}' }), 201);
    });

    it("an application's own queue is asked with the same binding, and held to the same rules [C11]", async () => {
      const answers = new Map<string, QueueAnswer>();
      const queue = ({ binding }: { readonly binding: string }): QueueAnswer =>
        answers.get(binding) ?? { status: 'pending', url: 'https://approve.acme.dev/1' };
      const queued = await api.variant({ ...world, start: { guard: { approvals: { queue } } } });
      const ask = await asked(queued);
      expect(ask).toMatchObject({ url: 'https://approve.acme.dev/1', issuers: [] });
      answers.set(ask.binding, { status: 'denied', reason: 'not on a Friday' });
      const denied = await queued.denies(await merge(queued), 403, 'approval_denied');
      expect(askIn(denied.response.body).reason).toBe('not on a Friday');

      const now = seconds();
      const { binding } = ask;
      const approver = { id: 'user_42', groups: ['release-managers'], decidedAt: now };
      const approved = {
        status: 'approved',
        id: 'queue-0001',
        binding,
        askedAt: now,
        issuedAt: now,
        expiresAt: now + 60,
        approvers: [approver],
      } as const;
      answers.set(binding, { ...approved, approvers: [{ ...approver, groups: [] }] });
      await queued.denies(await merge(queued), 403, 'approval_invalid');
      answers.set(binding, { ...approved, binding: bindingOf({}) });
      await queued.denies(await merge(queued), 403, 'approval_mismatch');
      answers.set(binding, approved);
      const { records } = await queued.accepts(await merge(queued), 200);
      expect(records[0]?.approval).toMatchObject({ id: 'queue-0001', issuer: 'urn:countersign:application' });
      await queued.denies(await merge(queued), 403, 'approval_used');
    });

    it('people of one authority do not approve for the groups of another [C11]', async () => {
      const keysOf = ({ issuer: name, jwk }: typeof authority) => ({ issuer: name, jwks: { keys: [jwk] } });
      const issuers = [
        { ...keysOf(authority), groups: ['release-managers'] },
        { ...keysOf(otherAuthority), groups: ['partner-directors'], subjectNamespace: 'partner:' },
      ];
      const shared = await api.variant({ config: { ...world.config, approvals: { issuers } } });
      const ask = await asked(shared);
      expect(ask.issuers).toEqual([authority.issuer]);
      const partners = await approvalOf(ask, otherAuthority);
      await shared.denies(await merge(shared, { approval: partners }), 403, 'approval_invalid');
      await shared.accepts(await merge(shared, { approval: await approvalOf(ask, authority) }), 200);
    });

    it('an authority approves neither in the name of people of another, nor beyond its groups in an emergency [C11]', async () => {
      const keysOf = ({ issuer: name, jwk }: typeof authority) => ({ issuer: name, jwks: { keys: [jwk] } });
      const issuers = [
        { ...keysOf(authority), groups: ['release-managers'], subjectNamespace: 'corp:' },
        { ...keysOf(otherAuthority), groups: ['writers', 'release-managers'] },
      ];
      const approvals = { issuers, breakGlass: ['corp:user_911', 'user_911'] };
      const shared = await api.variant({ config: { ...world.config, approvals } });
      const ask = await asked(shared);
      const named = await approvalOf(ask, otherAuthority, { approvers: [person('corp:user_42')] });
      await shared.denies(await merge(shared, { approval: named }), 403, 'approval_invalid');

      const emergency = { break_glass: true, approvers: [person('user_911', { groups: [], reason: 'it is down' })] };
      const writers = {
        ...approvals,
        issuers: [issuers[0], { ...issuers[1], groups: ['writers'] }],
      } as typeof approvals;
      const bounded = await api.variant({ config: { ...world.config, approvals: writers } });
      const beyond = await approvalOf(await asked(bounded), otherAuthority, emergency);
      await bounded.denies(await merge(bounded, { approval: beyond }), 403, 'approval_invalid');
      const within = await approvalOf(await asked(bounded), authority, emergency);
      await bounded.accepts(await merge(bounded, { approval: within }), 200);
    });

    it('a subject does not approve under the name without its namespace where policy excludes it [C11]', async () => {
      const excluding = await api.variant({
        config: {
          policies: `${withoutMerges}
@id("merges") @approval("release-managers") @approval_excludes("subject")
permit(principal, action == Action::"pr.merge", resource);`,
          issuers: [
            { issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } },
            { issuer: authority.issuer, jwks: { keys: [authority.jwk] }, subjectNamespace: 'acme:' },
          ],
          approvals: { issuers: [{ issuer: authority.issuer, jwks: { keys: [authority.jwk] } }] },
        },
      });
      const token = await excluding.token({ sub: 'user_42' }, {}, authority);
      const ask = await asked(excluding, { token });
      expect(ask.request).toMatchObject({ subject: { id: 'acme:user_42' } });
      const own = await approvalOf(ask, authority);
      await excluding.denies(await merge(excluding, { token, approval: own }), 403, 'approval_invalid');
      const others = await approvalOf(ask, authority, { approvers: [person('user_41')] });
      const { records } = await excluding.accepts(await merge(excluding, { token, approval: others }), 200);
      expect(records[0]?.approval).toMatchObject({ approvers: [{ id: 'acme:user_41' }] });
    });

    it('the owner of the agent that began does not approve for one that goes on [C11]', async () => {
      const excluding = await api.variant({
        config: {
          ...world.config,
          agents: agents.map((agent) => ({ owner: 'ops-team', ...agent })),
          policies: `${withoutMerges}
@id("merges") @approval("release-managers") @approval_excludes("owner")
permit(principal, action == Action::"pr.merge", resource);`,
        },
      });
      const token = await excluding.token({ scope: 'repo:read' });
      const link = linkOf({ id: reviewerId, key: reviewer }, runnerId, {
        audience: excluding.audience,
        parent: token,
        claims: { scope: 'repo:read' },
      });
      const handedOn: Merge = { key: runner, token, fields: [delegationField([link])] };
      const ask = await asked(excluding, handedOn);
      expect(ask.request).toMatchObject({
        chain: [{ id: userId }, { id: reviewerId, owner: 'platform-team' }, { id: runnerId }],
      });
      const own = { ...person('user_7'), groups: ['release-managers', 'platform-team'] };
      const approval = await approvalOf(ask, authority, { approvers: [own] });
      await excluding.denies(await merge(excluding, { ...handedOn, approval }), 403, 'approval_invalid');
      const others = await approvalOf(ask, authority);
      await excluding.accepts(await merge(excluding, { ...handedOn, approval: others }), 200);
    });

    it('neither further details nor more hops take away people who must approve [C4] [C6]', async () => {
      const head = '(principal, action == Action::"pr.merge", resource == Repo::"acme/api")';
      const limits = [
        'context.depth <= 2',
        `if context has authorizationDetails.privileges
           then context.authorizationDetails.privileges.contains("large") else true`,
      ];
      const between: TestAgent = { id: 'agent-between', key: keyNamed('agent-between') };
      const registered = { id: between.id, jwk: between.key.publicJwk, capabilities: ['repo'] };
      const managers = `@approval("release-managers") permit${head};`;
      const withPolicies = (...more: string[]): Promise<Api> => {
        const text = [withoutMerges, managers, ...more].join('\n');
        return api.variant({ config: { ...world.config, agents: [...agents, registered], policies: text } });
      };
      for (const limit of limits) {
        await expect(withPolicies(`@approval("security") permit${head} when { ${limit} };`)).rejects.toThrow(
          'a permit with @approval reads',
        );
      }
      const both = await withPolicies(
        `@approval("security") permit${head};`,
        ...limits.map((limit, index) => `@id("limit-${index}") forbid${head} unless { ${limit} };`),
      );
      const through = async (middle: readonly TestAgent[], privileges?: readonly string[]): Promise<Merge> => {
        const token = await both.token({ scope: 'repo:read' });
        const claims = {
          scope: 'repo:read',
          ...(privileges && { authorization_details: [{ type: 'Repo', privileges }] }),
        };
        const chain = [{ id: reviewerId, key: reviewer }, ...middle, { id: runnerId, key: runner }];
        const links = linksThrough(chain, both.audience, token, claims);
        return { key: runner, token, fields: [delegationField(links)] };
      };
      for (const privileges of [undefined, ['large', 'small']]) {
        const { request } = await asked(both, await through([], privileges));
        const quorums = ['release-managers', 'security'].map((group) => ({ groups: [group], count: 1 }));
        expect(request['requirement']).toMatchObject({ quorums });
      }
      const narrower = await both.denies(await merge(both, await through([], ['small'])), 403, 'policy_denied');
      expect(narrower.records[0]?.policies).toEqual(['policies.cedar#limit-1']);
      const farther = await both.denies(await merge(both, await through([between])), 403, 'policy_denied');
      expect(farther.records[0]?.policies).toEqual(['policies.cedar#limit-0']);
    });

    it('everybody who approved is in the record [F1]', async () => {
      const now = seconds();
      const others = Array.from({ length: 8 }, (_, index) => `other-${index}`);
      const approvers = Array.from({ length: 12 }, (_, index) => ({
        id: `user_${index}`,
        groups: [...others, 'release-managers'],
        decidedAt: now,
        reason: '\u754c'.repeat(1000),
      }));
      const times = { askedAt: now - 60, issuedAt: now, expiresAt: now + 60 };
      const queue = ({ binding }: { readonly binding: string }): QueueAnswer => ({
        status: 'approved',
        id: 'queue-0002',
        binding,
        ...times,
        approvers,
      });
      const queued = await api.variant({ ...world, start: { guard: { approvals: { queue } } } });
      const { records } = await queued.accepts(await merge(queued), 200);
      expect(records[0]).not.toHaveProperty('oversize');
      expect(records[0]?.approval?.approvers?.map(({ id }) => id)).toEqual(approvers.map(({ id }) => id));
      expect(records[0]?.approval?.approvers?.[0]?.groups).toEqual(['release-managers']);
    });

    it('nobody approves where policy excludes the owner of an agent without one [C11]', async () => {
      const claims = { act: { sub: runnerId } };
      const ask = await asked(api, { key: runner, claims });
      const approval = await approvalOf(ask, authority);
      await api.denies(await merge(api, { key: runner, claims, approval }), 403, 'approval_invalid');
    });

    it('an approval binds the fields that the application names, signed or not [C11]', async () => {
      const approvals = { ...world.config?.approvals, fields: ['x-amount'] };
      const naming = await api.variant({ config: { ...world.config, approvals } });
      const fields: Field[] = [['X-Amount', '10']];
      const ask = await asked(naming, { fields });
      expect(ask.request).toMatchObject({
        http: { fields: { 'content-type': 'application/json', 'x-amount': '10' } },
      });
      const approval = await approvalOf(ask, authority);
      for (const others of [[], [['X-Amount', '1000000']], [...fields, ...fields]] as Field[][]) {
        await naming.denies(await merge(naming, { fields: others, approval }), 403, 'approval_mismatch');
      }
      const more: Field = ['X-Other', '1'];
      await naming.accepts(await merge(naming, { fields: [...fields, more], approval }), 200);
    });

    it('an approval binds which part of a resource the body is [C11]', async () => {
      const approval = await approvalOf(await asked(api, { fields: [['Content-Range', 'bytes 0-9/20']] }), authority);
      const fields: Field[] = [['Content-Range', 'bytes 10-19/20']];
      await api.denies(await merge(api, { fields, approval }), 403, 'approval_mismatch');
    });

    it.each<[string, Revocation]>([
      ['its authority', { issuer: authority.issuer }],
      ['the approver', { subject: 'user_42' }],
      ['the approver at its authority', { subject: 'user_42', issuer: authority.issuer }],
      ['the approval', { delegation: 'approval-0001' }],
      ['the approval of its authority', { delegation: 'approval-0001', issuer: authority.issuer }],
    ])('an approval counts no more once %s is revoked, and is not used up [C7, C11]', async (_what, revoked) => {
      const revoking = await api.variant(world);
      const approval = await approvalOf(await asked(revoking), authority, { jti: 'approval-0001' });
      const { revocations } = revoking.running.guard;
      revocations.revoke({ subject: 'user_42', issuer: issuer.issuer });
      revocations.revoke(revoked);
      const { response } = await revoking.denies(await merge(revoking, { approval }), 403, 'approval_invalid');
      expect(askIn(response.body).binding).toBeDefined();
      revocations.restore(revoked);
      await revoking.accepts(await merge(revoking, { approval }), 200);
    });

    it('an approval that is revoked while it is used up does not count [C7, C11]', async () => {
      const { issuers = [] } = world.config?.approvals ?? {};
      const uses: ApprovalUses = {
        use: ({ issuer: by }) => {
          revoking.running.guard.revocations.revoke({ issuer: by });
          return 'first';
        },
      };
      const revoking = await api.variant({ ...world, start: { guard: { approvals: { issuers, uses } } } });
      const approval = await approvalOf(await asked(revoking), authority);
      await revoking.denies(await merge(revoking, { approval }), 403, 'approval_invalid');
    });

    it('a source of revocations is asked about approvals, too, and 503 is the answer if it fails [C7, J3]', async () => {
      let isDown = false;
      const revocations: RevocationSource = {
        findRevoked: async (named) => {
          const found = named.find((one) => member(one, 'subject') === 'user_42');
          if (isDown && found !== undefined) throw new Error('down');
          return found;
        },
      };
      const revoking = await api.variant({ ...world, start: { guard: { revocations, onTrouble: () => {} } } });
      const approval = await approvalOf(await asked(revoking), authority);
      await revoking.denies(await merge(revoking, { approval }), 403, 'approval_invalid');
      isDown = true;
      await revoking.denies(await merge(revoking, { approval }), 503, 'revocations_unavailable');
    });

    it('a guard that observes asks nobody and uses nothing up', async () => {
      const { issuers = [] } = world.config?.approvals ?? {};
      let calls = 0;
      const queue = (): QueueAnswer => ((calls += 1), { status: 'pending' });
      const uses: ApprovalUses = { use: () => ((calls += 1), 'first') };
      const observing = await api.variant({
        config: { ...world.config, mode: 'observe' },
        start: { guard: { approvals: { issuers, queue, uses }, onTrouble: () => {} } },
      });
      const { records } = await observing.accepts(await merge(observing), 200);
      expect(records[0]).toMatchObject({ decision: 'would_refuse', code: 'approval_required' });
      const approval = await approvalOf(
        { binding: records[0]?.approval?.binding ?? '', request: { audience: observing.audience } },
        authority,
      );
      for (const given of [approval, approval]) {
        const approved = await observing.accepts(await merge(observing, { approval: given }), 200);
        expect(approved.records[0]).toMatchObject({ decision: 'allow', approval: { approvers: [{ id: 'user_42' }] } });
      }
      const other = await observing.accepts(await merge(observing, { approval, body: '{}' }), 200);
      expect(other.records[0]).toMatchObject({ decision: 'would_refuse', code: 'approval_mismatch' });
      expect(calls).toBe(0);
    });

    it("refuses when an application's own queue fails, or answers with something else", async () => {
      for (const queue of [
        () => Promise.reject(new Error('down')),
        () => ({ status: 'yes' }) as unknown as QueueAnswer,
        () => undefined as unknown as QueueAnswer,
        () => ({ status: 'approved' }) as unknown as QueueAnswer,
        // Its rejection would fail the run if nobody handled it.
        () => ({ status: 'approved', approvers: Promise.reject(new Error('down')) }) as unknown as QueueAnswer,
        () => ({ status: 'pending', url: 'javascript:alert(1)' }) as const,
      ]) {
        const failing = await api.variant({
          ...world,
          start: { guard: { approvals: { queue }, onTrouble: () => {} } },
        });
        await failing.denies(await merge(failing), 503, 'approvals_unavailable');
      }
    });
  },
  world,
);
