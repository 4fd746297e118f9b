import { agentsFromObjects } from '@countersign/core';
import { expect, it } from 'vitest';
import { type Attack, onEveryHost, refuseEach } from '../support/api.js';
import { keyNamed, thumbprintOf } from '../support/keys.js';
import { delegationField, linkOf } from '../support/links.js';
import type { Field } from '../support/signed-request.js';
import type { Claims } from '../support/tokens.js';
import { issuer, partner, reviewer, reviewerId, runner, runnerId, suspendedId, userId } from '../support/world.js';

const guest = keyNamed('guest');

/** Actors of a token, the one that acts now first. */
function nested(...actors: readonly string[]): Claims {
  return {
    act: actors.toReversed().reduce<object | undefined>((act, sub) => ({ sub, ...(act && { act }) }), undefined),
  };
}

onEveryHost('Who acts for whom', (api) => {
  const bad = (title: string, claims: Claims, code: Attack[3] = 'token_delegation_invalid'): Attack => [
    title,
    () => api.pull(claims),
    401,
    code,
  ];
  refuseEach(api, [
    bad('act as a string [C1]', { act: reviewerId }),
    bad('act as a list [C1]', { act: [{ sub: reviewerId }] }),
    bad('act null [C1]', { act: null }),
    bad('act as a number [C1]', { act: 1 }),
    bad('act empty [C1]', { act: {} }),
    bad('act false [C1]', { act: false }),
    bad('act.sub as a number [C1]', { act: { sub: 1 } }),
    bad('act.sub empty [C1]', { act: { sub: '' } }),
    bad('act.sub as a list [C1]', { act: { sub: [reviewerId] } }),
    bad('the same actor twice [C1]', { act: { sub: reviewerId, act: { sub: reviewerId } } }),
    bad('an actor that acted before [C1]', nested(reviewerId, runnerId, reviewerId)),
    bad('the user among the actors [C1]', nested(reviewerId, userId)),
    bad('a further act without sub [C1]', { act: { sub: reviewerId, act: {} } }),
    bad(
      '17 nested act claims [C1]',
      nested(...Array.from({ length: 17 }, (_, index) => (index === 0 ? reviewerId : `agent-${index}`))),
    ),
    bad('a sixth delegation [C1]', nested(reviewerId, 'a-5', 'a-4', 'a-3', 'a-2', 'a-1'), 'delegation_too_deep'),
    bad('a prior act.iss of another issuer [C5]', { act: { sub: reviewerId, act: { sub: 'a', iss: partner.issuer } } }),
    bad('a further act that is not an object [C1]', { act: { sub: reviewerId, act: 'x' } }),
    bad('a further act that is null [C1]', { act: { sub: reviewerId, act: null } }),
    bad('an agent that acts for itself [C1]', { sub: reviewerId }),
    bad('actor and subject swapped [C2]', { sub: reviewerId, act: { sub: userId } }, 'token_not_bound_to_agent'),
    bad("a user's plain token [C3, C9]", { act: undefined }),
    bad('only may_act [C3, C9]', { act: undefined, may_act: { sub: reviewerId } }),
    bad('an actor in another claim [C3]', { act: undefined, actor: { sub: reviewerId }, azp: reviewerId }),
    bad("another agent's token [C4]", { act: { sub: runnerId } }, 'token_not_bound_to_agent'),
    bad('the token of an unknown agent [C4]', { act: { sub: 'agent-x' } }, 'token_not_bound_to_agent'),
    bad('a token about another agent [C4]', { sub: runnerId, act: undefined }),
    bad('act.iss of another issuer [C5]', { act: { sub: reviewerId, iss: partner.issuer } }),
    bad('the actor in another case [C5]', { act: { sub: 'Agent-Code-Reviewer-01' } }, 'token_not_bound_to_agent'),
    bad(
      'the actor with a look-alike character [C5]',
      { act: { sub: '\u0430gent-code-reviewer-01' } },
      'token_not_bound_to_agent',
    ),
    bad('the actor with a space at its end [C5]', { act: { sub: `${reviewerId} ` } }),
    bad('the actor with a zero-width space [C5]', { act: { sub: `${reviewerId}\u200b` } }),
    bad('a separator in the actor [C5]', { act: { sub: `${userId},${reviewerId}` } }, 'token_not_bound_to_agent'),
    [
      'the right token, signed by another agent [C4]',
      () => api.pull({}, { key: runner }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'a token bound to the key of one agent, used by another [C4, B8]',
      () => api.pull({ cnf: { jkt: reviewer.thumbprint } }, { key: runner }),
      401,
      'token_not_bound_to_agent',
    ],
  ]);

  it('act.iss has no effect when it is the issuer itself [C5]', async () => {
    await api.accepts(await api.pull({ act: { sub: reviewerId, iss: issuer.issuer } }), 201);
  });

  it('earlier actors are in the chain, oldest first, with proof issuer [C1]', async () => {
    const { response, records } = await api.accepts(await api.pull(nested(reviewerId, runnerId, 'agent-first')), 201);
    const chain = [
      { id: userId, type: 'user', proof: 'issuer' },
      { id: 'agent-first', type: 'agent', proof: 'issuer' },
      { id: runnerId, type: 'agent', proof: 'issuer' },
      { id: reviewerId, type: 'agent', proof: 'issuer', keyId: reviewer.thumbprint },
    ];
    expect(JSON.parse(response.body)).toMatchObject({ chain });
    expect(records[0]).toMatchObject({ chain });
  });

  it('a permit for a prior actor does not permit the request [C4]', async () => {
    await api.denies(await api.pull(nested(runnerId, reviewerId), { key: runner }), 403, 'policy_denied');
  });

  it('an inner actor cannot use the token of the outer one [C3]', async () => {
    await api.refuses(await api.pull(nested(runnerId, reviewerId)), 401, 'token_not_bound_to_agent');
  });

  it('a transaction token authenticates nobody alone, and has no effect beside a signature [C10]', async () => {
    const txn = await api.token({ act: { sub: runnerId }, txn: 'txn-1', scope: 'pr:write' }, { typ: 'txntoken+jwt' });
    const fields: Field[] = [
      ['Txn-Token', txn],
      ['Txn-Token', await api.token({}, { typ: 'txntoken+jwt' })],
    ];
    const signed = api.signed({ fields });
    const unsigned = { ...signed, fields: signed.fields.filter(([name]) => !/^signature/i.test(name)) };
    await api.refuses(unsigned, 401, 'signature_required');
    const plain = await api.accepts(api.signed(), 200);
    for (const request of [signed, api.signed({ fields: fields.slice(1), alsoCovered: ['"txn-token"'] })]) {
      const { response } = await api.accepts(request, 200);
      expect(response.body).toBe(plain.response.body);
    }
    await api.refuses(api.signed({ token: txn }), 401, 'token_invalid');
  });

  it('a subject that its token calls an agent is no user, and ends the chain when it is suspended [C2, C7]', async () => {
    const token = await api.token({ sub: runnerId, sub_profile: 'ai_agent' });
    const { response, records } = await api.accepts(api.signed({ token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ subject: { id: runnerId, type: 'agent' } });
    expect(records[0]).toMatchObject({ subject: { id: runnerId, type: 'agent' } });
    const suspended = await api.token({ sub: suspendedId, sub_profile: 'ai_agent' });
    await api.refuses(api.signed({ token: suspended }), 401, 'delegation_revoked');
  });

  it('a token does not revive a suspended agent [C7]', async () => {
    const token = await api.token({ act: { sub: suspendedId } });
    await api.refuses(api.signed({ key: keyNamed(suspendedId), token }), 401, 'agent_suspended');
  });

  it('a scope outside the capabilities of the agent grants nothing [C6]', async () => {
    const token = await api.token({ act: { sub: runnerId }, scope: 'pr:write:draft invoice:read record:delete:one' });
    const { response } = await api.accepts(api.signed({ key: runner, token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: ['record:delete:one'] });
    await api.denies(api.signed({ key: runner, token, target: '/invoices' }), 403, 'policy_denied');
  });

  it('a token without scope grants a delegate nothing [C6]', async () => {
    const token = await api.token({ scope: undefined });
    const { response } = await api.accepts(api.signed({ token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: [] });
  });
});

onEveryHost('Several issuers, and keys that they vouch for', (api) => {
  const vouched = async (claims: Claims, by = issuer) =>
    api.signed({ key: guest, token: await api.token({ cnf: { jwk: guest.publicJwk }, ...claims }, {}, by) });

  it('users of two issuers are different when their names are equal [C5]', async () => {
    const ours = await api.accepts(api.signed({ token: await api.token() }), 200);
    const theirs = await api.accepts(api.signed({ token: await api.token({}, {}, partner) }), 200);
    expect(JSON.parse(ours.response.body)).toMatchObject({ subject: { id: 'user_123', issuer: issuer.issuer } });
    expect(JSON.parse(theirs.response.body)).toMatchObject({
      subject: { id: 'partner:user_123', issuer: partner.issuer },
    });
  });

  it('an agent of a partner has a name in the namespace of the partner [C5]', async () => {
    const { response } = await api.accepts(await vouched({ act: { sub: 'agent-guest' } }, partner), 200);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: 'partner:agent-guest', keyId: guest.thumbprint } });
  });

  it("a partner's history names agents within its namespace [C5]", async () => {
    const token = await api.token(nested(reviewerId, runnerId, 'agent-theirs'), {}, partner);
    const { response } = await api.accepts(api.signed({ token }), 200);
    const ids = (JSON.parse(response.body) as { chain: { id: string }[] }).chain.map(({ id }) => id);
    expect(ids).toEqual(['partner:user_123', 'partner:agent-theirs', `partner:${runnerId}`, reviewerId]);
  });

  it("a partner's agent is not the agent of that name here, as a subject [C5]", async () => {
    const claims = { sub: runnerId, sub_profile: 'ai_agent', act: { sub: reviewerId } };
    const token = await api.token(claims, {}, partner);
    const { response } = await api.accepts(api.signed({ token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ subject: { id: `partner:${runnerId}`, type: 'agent' } });
  });

  it.each(['prior actor', 'subject'])(
    'a %s of a partner with the name of a suspended agent ends the chain [C7]',
    async (place) => {
      const claims =
        place === 'subject'
          ? { sub: suspendedId, sub_profile: 'ai_agent', act: { sub: reviewerId } }
          : nested(reviewerId, suspendedId);
      await api.refuses(api.signed({ token: await api.token(claims, {}, partner) }), 401, 'delegation_revoked');
    },
  );

  it('an agent of a partner that hands on its own right ends the chain, if it has the name of a suspended one [C7]', async () => {
    const own = { sub: suspendedId, client_id: suspendedId, act: undefined, scope: 'repo:read' };
    const token = await api.token({ ...own, cnf: { jwk: guest.publicJwk } }, {}, partner);
    const options = { audience: api.audience, parent: token, claims: { scope: 'repo:read' } };
    const link = linkOf({ id: suspendedId, key: guest }, reviewerId, options);
    await api.refuses(api.signed({ token, fields: [delegationField([link])] }), 401, 'delegation_revoked');
  });

  it.each([
    ['as the actor', { act: { sub: suspendedId } }],
    ['for itself', { sub: suspendedId, client_id: suspendedId, act: undefined }],
  ])('a suspended agent does not go on %s by a key for which a partner vouches [C7]', async (_how, names) => {
    const token = await api.token({ ...names, scope: 'repo:read', cnf: { jwk: guest.publicJwk } }, {}, partner);
    await api.refuses(api.signed({ token, key: guest }), 401, 'agent_suspended');
  });

  it.each([
    ['contains its name here', `when { context.via.contains(Agent::"${runnerId}") }`],
    ['names only our agent', `unless { [Agent::"${runnerId}"].containsAll(context.via) }`],
    ['names only theirs', `unless { [Agent::"partner:${runnerId}"].containsAll(context.via) }`],
  ])("a forbid about a partner's history that %s holds for either name [C5]", async (_title, condition) => {
    const ids = [`partner:${runnerId}`, reviewerId];
    const forbidding = await api.variant({
      config: { policies: `permit(principal, action, resource); forbid(principal, action, resource) ${condition};` },
    });
    const token = await forbidding.token(nested(reviewerId, runnerId), {}, partner);
    const asked = await forbidding.denies(forbidding.signed({ target: '/invoices', token }), 403, 'policy_denied');
    expect(asked.records[0]?.chain?.[1]).toMatchObject({ id: ids[0], registeredAs: runnerId });

    // The same agent, with a key for which its issuer vouches, and a link of its own.
    const claims = { act: { sub: runnerId }, cnf: { jwk: guest.publicJwk }, scope: 'repo:read' };
    const vouching = await forbidding.token(claims, {}, partner);
    const options = { audience: forbidding.audience, parent: vouching, claims: { scope: 'repo:read' } };
    const link = linkOf({ id: runnerId, key: guest }, reviewerId, options);
    const handedOn = { target: '/invoices', token: vouching, fields: [delegationField([link])] };
    const linked = await forbidding.denies(forbidding.signed(handedOn), 403, 'policy_denied');
    expect(linked.records[0]?.chain?.slice(1).map(({ id }) => id)).toEqual(ids);
  });

  it("a forbid about our agent at the start of a partner's chain holds by its name here, and no permit does [C5]", async () => {
    const begun = { ...nested(reviewerId), sub: runnerId, sub_profile: 'ai_agent' };
    const forbidding = await api.variant({
      config: {
        policies: `permit(principal, action, resource); forbid(principal, action, resource) when { context.via.contains(Agent::"${runnerId}") };`,
      },
    });
    const token = await forbidding.token(begun, {}, partner);
    const denied = await forbidding.denies(forbidding.signed({ target: '/invoices', token }), 403, 'policy_denied');
    expect(denied.records[0]?.chain?.[0]).toMatchObject({ id: `partner:${runnerId}`, registeredAs: runnerId });
    const unknown = await forbidding.token({ ...begun, sub: 'agent-theirs' }, {}, partner);
    const { records } = await forbidding.accepts(forbidding.signed({ target: '/invoices', token: unknown }), 200);
    expect(records[0]?.chain?.[0]).not.toHaveProperty('registeredAs');

    for (const [name, status] of [
      [runnerId, 403],
      [`partner:${runnerId}`, 200],
    ] as const) {
      const permitting = await api.variant({
        config: {
          policies: `permit(principal, action, resource)
            when { context has onBehalfOfAgent && context.onBehalfOfAgent == Agent::"${name}" };`,
        },
      });
      const request = permitting.signed({ target: '/invoices', token: await permitting.token(begun, {}, partner) });
      if (status === 200) await permitting.accepts(request, 200);
      else await permitting.denies(request, 403, 'policy_denied');
    }
  });

  it("a suspended agent in a partner's history ends the chain under its name in the namespace [C7]", async () => {
    const key = { publicKey: reviewer.publicBase64, capabilities: ['repo:read'] };
    const theirs = { publicKey: guest.publicBase64, capabilities: [], status: 'suspended' as const };
    const registered = agentsFromObjects([
      { id: reviewerId, ...key },
      { id: 'partner:agent-theirs', ...theirs },
    ]);
    const suspending = await api.variant({ start: { guard: { agents: registered } } });
    const token = await suspending.token(nested(reviewerId, 'agent-theirs'), {}, partner);
    await suspending.refuses(suspending.signed({ token }), 401, 'delegation_revoked');
  });

  it('an agent that acts for itself with a key in its token [C5]', async () => {
    const { response } = await api.accepts(
      await vouched({ sub: 'agent-guest', client_id: 'agent-guest', act: undefined }),
      200,
    );
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: 'agent-guest' }, subject: { type: 'agent' } });
  });

  refuseEach(api, [
    [
      'a key vouched for under a registered name [C5]',
      () => vouched({ act: { sub: reviewerId } }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'a key vouched for under the name of a suspended agent [C5]',
      () => vouched({ act: { sub: suspendedId } }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'a key vouched for as the registered agent itself [C5]',
      () => vouched({ sub: reviewerId, client_id: reviewerId, act: undefined }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'a user whose token has a key [C2]',
      () => vouched({ sub: 'user_banned', client_id: 'web-app', act: undefined }),
      401,
      'token_delegation_invalid',
    ],
    [
      'a user with a key whose name is undefined [C2]',
      () => vouched({ sub: 'undefined', client_id: undefined, act: undefined }),
      401,
      'token_delegation_invalid',
    ],
    [
      'a prior actor within the namespace of another issuer [C5]',
      () => api.pull(nested(reviewerId, 'partner:agent-x')),
      401,
      'token_invalid',
    ],
    [
      'a name within the namespace of another issuer [C5]',
      () => api.pull({ sub: 'partner:user_123' }),
      401,
      'token_invalid',
    ],
    [
      'an unknown key with only its thumbprint in the token [A11]',
      () => vouched({ act: { sub: 'agent-guest' }, cnf: { jkt: guest.thumbprint } }),
      401,
      'key_unknown',
    ],
    [
      'an unknown key with another key in the token [A11]',
      () => vouched({ act: { sub: 'agent-guest' }, cnf: { jwk: runner.publicJwk } }),
      401,
      'key_unknown',
    ],
    [
      'a weak key in the token [A15]',
      async () => {
        const weak = { kty: 'OKP', crv: 'Ed25519', x: 'A'.repeat(43) } as const;
        const token = await api.token({ act: { sub: 'agent-guest' }, cnf: { jwk: weak } });
        const thumbprint = thumbprintOf(weak.x);
        return api.signed({
          key: guest,
          token,
          parameters: { keyid: `"${thumbprint}"` },
          sign: () => Buffer.alloc(64),
        });
      },
      401,
      'key_unknown',
    ],
  ]);
});
