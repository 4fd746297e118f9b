import { expect, it } from 'vitest';
import { type Attack, onEveryHost, refuseEach } from '../support/api.js';
import { keyNamed, thumbprintOf } from '../support/keys.js';
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
    bad('C1 act as a string', { act: reviewerId }),
    bad('C1 act as a list', { act: [{ sub: reviewerId }] }),
    bad('C1 act null', { act: null }),
    bad('C1 act as a number', { act: 1 }),
    bad('C1 act empty', { act: {} }),
    bad('C1 act false', { act: false }),
    bad('C1 act.sub as a number', { act: { sub: 1 } }),
    bad('C1 act.sub empty', { act: { sub: '' } }),
    bad('C1 act.sub as a list', { act: { sub: [reviewerId] } }),
    bad('C1 the same actor twice', { act: { sub: reviewerId, act: { sub: reviewerId } } }),
    bad('C1 an actor that acted before', nested(reviewerId, runnerId, reviewerId)),
    bad('C1 the user among the actors', nested(reviewerId, userId)),
    bad('C1 a further act without sub', { act: { sub: reviewerId, act: {} } }),
    bad(
      'C1 a nest of 17',
      nested(...Array.from({ length: 17 }, (_, index) => (index === 0 ? reviewerId : `agent-${index}`))),
    ),
    bad('C1 a sixth delegation', nested(reviewerId, 'a-5', 'a-4', 'a-3', 'a-2', 'a-1'), 'delegation_too_deep'),
    bad('C5 a prior act.iss of another issuer', { act: { sub: reviewerId, act: { sub: 'a', iss: partner.issuer } } }),
    bad('C1 a further act that is no object', { act: { sub: reviewerId, act: 'x' } }),
    bad('C1 a further act that is null', { act: { sub: reviewerId, act: null } }),
    bad('C1 an agent that acts for itself', { sub: reviewerId }),
    bad('C2 actor and subject exchanged', { sub: reviewerId, act: { sub: userId } }, 'token_not_bound_to_agent'),
    bad("C3 C9 a user's plain token", { act: undefined }),
    bad('C3 C9 only may_act', { act: undefined, may_act: { sub: reviewerId } }),
    bad('C3 an actor in another claim', { act: undefined, actor: { sub: reviewerId }, azp: reviewerId }),
    bad("C4 another agent's token", { act: { sub: runnerId } }, 'token_not_bound_to_agent'),
    bad('C4 the token of an agent that nobody knows', { act: { sub: 'agent-x' } }, 'token_not_bound_to_agent'),
    bad('C4 a token about another agent', { sub: runnerId, act: undefined }),
    bad('C5 act.iss of another issuer', { act: { sub: reviewerId, iss: partner.issuer } }),
    bad('C5 the actor in another case', { act: { sub: 'Agent-Code-Reviewer-01' } }, 'token_not_bound_to_agent'),
    bad('C5 the actor with a look-alike', { act: { sub: '\u0430gent-code-reviewer-01' } }, 'token_not_bound_to_agent'),
    bad('C5 the actor with a space at its end', { act: { sub: `${reviewerId} ` } }),
    bad('C5 the actor with a zero-width space', { act: { sub: `${reviewerId}\u200b` } }),
    bad('C5 a separator in the actor', { act: { sub: `${userId},${reviewerId}` } }, 'token_not_bound_to_agent'),
    [
      'C4 the right token, signed by another agent',
      () => api.pull({}, { key: runner }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'C4 B8 a token bound to the key of the agent, used by another',
      () => api.pull({ cnf: { jkt: reviewer.thumbprint } }, { key: runner }),
      401,
      'token_not_bound_to_agent',
    ],
  ]);

  it('C5 act.iss of the issuer itself says nothing new', async () => {
    await api.accepts(await api.pull({ act: { sub: reviewerId, iss: issuer.issuer } }), 201);
  });

  it('C1 actors before the last stand in the chain, oldest first, as the issuer asserts them', async () => {
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

  it('C4 a prior actor to whom policy permits it permits nothing', async () => {
    await api.denies(await api.pull(nested(runnerId, reviewerId), { key: runner }), 403, 'policy_denied');
  });

  it('C3 the inner actor cannot act with the token of the outer one', async () => {
    await api.refuses(await api.pull(nested(runnerId, reviewerId)), 401, 'token_not_bound_to_agent');
  });

  it('C10 a transaction token is no credential here: alone it authenticates nobody, beside a signature it changes nothing', async () => {
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

  it('C7 a token does not revive a suspended agent', async () => {
    const token = await api.token({ act: { sub: suspendedId } });
    await api.refuses(api.signed({ key: keyNamed(suspendedId), token }), 401, 'agent_suspended');
  });

  it('C6 a scope that the agent does not have gives it nothing', async () => {
    const token = await api.token({ act: { sub: runnerId }, scope: 'pr:write:draft invoice:read record:delete:one' });
    const { response } = await api.accepts(api.signed({ key: runner, token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: ['record:delete:one'] });
    await api.denies(api.signed({ key: runner, token, target: '/invoices' }), 403, 'policy_denied');
  });

  it('C6 a token without scope gives a delegate nothing', async () => {
    const token = await api.token({ scope: undefined });
    const { response } = await api.accepts(api.signed({ token }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ scope: [] });
  });
});

onEveryHost('Several issuers, and keys that they vouch for', (api) => {
  const vouched = async (claims: Claims, by = issuer) =>
    api.signed({ key: guest, token: await api.token({ cnf: { jwk: guest.publicJwk }, ...claims }, {}, by) });

  it('C5 users of two issuers are two users, even with one name', async () => {
    const ours = await api.accepts(api.signed({ token: await api.token() }), 200);
    const theirs = await api.accepts(api.signed({ token: await api.token({}, {}, partner) }), 200);
    expect(JSON.parse(ours.response.body)).toMatchObject({ subject: { id: 'user_123', issuer: issuer.issuer } });
    expect(JSON.parse(theirs.response.body)).toMatchObject({
      subject: { id: 'partner:user_123', issuer: partner.issuer },
    });
  });

  it('C5 an agent known by a partner goes by a name of the partner', async () => {
    const { response } = await api.accepts(await vouched({ act: { sub: 'agent-guest' } }, partner), 200);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: 'partner:agent-guest', keyId: guest.thumbprint } });
  });

  it('C5 history told by a partner: our own agents by their name, others within its namespace', async () => {
    const token = await api.token(nested(reviewerId, runnerId, 'agent-theirs'), {}, partner);
    const { response } = await api.accepts(api.signed({ token }), 200);
    const ids = (JSON.parse(response.body) as { chain: { id: string }[] }).chain.map(({ id }) => id);
    expect(ids).toEqual(['partner:user_123', 'partner:agent-theirs', runnerId, reviewerId]);
  });

  it('C5 an agent that acts for itself with a key in its token', async () => {
    const { response } = await api.accepts(
      await vouched({ sub: 'agent-guest', client_id: 'agent-guest', act: undefined }),
      200,
    );
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: 'agent-guest' }, subject: { type: 'agent' } });
  });

  refuseEach(api, [
    [
      'C5 a key vouched for under a registered name',
      () => vouched({ act: { sub: reviewerId } }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'C5 the same for a suspended agent',
      () => vouched({ act: { sub: suspendedId } }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'C5 a key vouched for as the registered agent itself',
      () => vouched({ sub: reviewerId, client_id: reviewerId, act: undefined }),
      401,
      'token_not_bound_to_agent',
    ],
    [
      'C2 a user with a key of its own, which makes no agent of it',
      () => vouched({ sub: 'user_banned', client_id: 'web-app', act: undefined }),
      401,
      'token_delegation_invalid',
    ],
    [
      'C5 a prior actor within the namespace of another issuer',
      () => api.pull(nested(reviewerId, 'partner:agent-x')),
      401,
      'token_invalid',
    ],
    [
      'C5 a name within the namespace of another issuer',
      () => api.pull({ sub: 'partner:user_123' }),
      401,
      'token_invalid',
    ],
    [
      'A11 only a thumbprint vouches for no key',
      () => vouched({ act: { sub: 'agent-guest' }, cnf: { jkt: guest.thumbprint } }),
      401,
      'key_unknown',
    ],
    [
      'A11 another key vouched for',
      () => vouched({ act: { sub: 'agent-guest' }, cnf: { jwk: runner.publicJwk } }),
      401,
      'key_unknown',
    ],
    [
      'A15 a weak key vouched for',
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
