import { createHmac, createPublicKey } from 'node:crypto';
import { type AgentDirectory, agentsFromObjects } from '@countersign/core';
import { expect, it } from 'vitest';
import { type Api, onEveryHost, onEverySetup, refuseEach } from '../support/api.js';
import {
  dpopProof,
  dpopRequest,
  ed25519ProofKey,
  es256ProofKey,
  type ProofKey,
  type ProofOptions,
} from '../support/dpop.js';
import { fieldsNamed, type RawRequest, sha256Digest, tampered, withFields } from '../support/signed-request.js';
import type { Claims } from '../support/tokens.js';
import {
  agents,
  partner,
  policies,
  reviewer,
  reviewerId,
  runner,
  schema,
  suspended,
  suspendedId,
  userId,
} from '../support/world.js';

const reviewerKey = ed25519ProofKey(reviewer);
const es256 = es256ProofKey();
const whoami = '/whoami';
const body = '{"title":"x"}';

interface Sent extends Partial<Omit<ProofOptions, 'token'>> {
  readonly target?: string;
  readonly body?: string;
  /** Changes what the token says. */
  readonly token?: Claims;
  readonly nonce?: string;
}

/** A request with a token bound to the key of its proof. */
async function presented(api: Api, sent: Sent = {}): Promise<RawRequest> {
  const { key = reviewerKey, method = 'GET', target = whoami } = sent;
  const token = await api.token({ cnf: { jkt: key.thumbprint }, ...sent.token });
  const claims = { ...(sent.nonce !== undefined && { nonce: sent.nonce }), ...sent.claims };
  const { uri = `${api.audience}${api.at(target).replace(/\?.*/, '')}`, header = {}, sign } = sent;
  const proof = dpopProof({ key, token, method, uri, header, claims, ...(sign !== undefined && { sign }) });
  return dpopRequest({
    method,
    target: api.at(target),
    host: api.authority,
    token,
    proofs: [proof],
    ...(sent.body !== undefined && { body: sent.body }),
  });
}

function proofOf(request: RawRequest): string {
  return fieldsNamed(request, 'dpop')[0] ?? '';
}

const invalid = [401, 'dpop_proof_invalid'] as const;
const on = { config: { dpop: true } } as const;
const seconds = () => Math.floor(Date.now() / 1000);

onEverySetup(
  'DPoP',
  (api) => {
    it('B9 a registered agent that proves its key acts for its user, also with a body', async () => {
      const { response } = await api.accepts(
        await presented(api, { method: 'POST', target: '/repos/acme/api/pulls?a=b', body }),
        201,
      );
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: reviewerId, keyId: reviewer.thumbprint },
        subject: { id: userId },
        chain: [
          { id: userId, proof: 'issuer' },
          { id: reviewerId, proof: 'issuer', keyId: reviewer.thumbprint },
        ],
        body: api.bodyParser === 'none' ? null : { title: 'x' },
      });
    });

    it('an agent that is registered nowhere is vouched for by the issuer that bound its token to its key', async () => {
      const { response } = await api.accepts(
        await presented(api, { key: es256, token: { act: { sub: 'agent-new' } } }),
        200,
      );
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: 'agent-new', keyId: es256.thumbprint, capabilities: ['pr:write:draft', 'repo:read'] },
        subject: { id: userId },
      });
    });
  },
  on,
);

onEveryHost(
  'DPoP proofs that do not count',
  (api) => {
    const send = (sent: Sent) => () => presented(api, sent);
    const claims = (changed: Claims) => send({ claims: changed });
    const header = (changed: Claims, sent: Sent = {}) => send({ header: changed, ...sent });

    refuseEach(api, [
      [
        'B9 the token without a proof',
        async () => tampered(await presented(api), { fields: { DPoP: null } }),
        401,
        'dpop_proof_required',
      ],
      [
        'B9 two proofs in two fields',
        async () => withFields(await presented(api), ['DPoP', proofOf(await presented(api))]),
        ...invalid,
      ],
      [
        'B9 two proofs in one field',
        async () => {
          const request = await presented(api);
          return tampered(request, { fields: { DPoP: `${proofOf(request)}, ${proofOf(await presented(api))}` } });
        },
        ...invalid,
      ],
      [
        'B9 a proof without a token',
        async () => tampered(await presented(api), { fields: { Authorization: null } }),
        ...invalid,
      ],
      ['B9 htm of another method', claims({ htm: 'POST' }), ...invalid],
      ['B9 htm in lower case', claims({ htm: 'get' }), ...invalid],
      ['B9 no htm', claims({ htm: undefined }), ...invalid],
      ['B9 htu of another path', claims({ htu: 'http://x/other' }), ...invalid],
      ['B9 no htu', claims({ htu: undefined }), ...invalid],
      ['B9 htu that is no URI', claims({ htu: '/whoami' }), ...invalid],
      ['B9 ath missing', claims({ ath: undefined }), ...invalid],
      ['B9 ath of another token', claims({ ath: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo' }), ...invalid],
      [
        'B9 the proof of another token of the same agent',
        async () => tampered(await presented(api), { fields: { DPoP: proofOf(await presented(api)) } }),
        ...invalid,
      ],
      ['B9 no jti', claims({ jti: undefined }), ...invalid],
      ['B9 a jti that is hardly one', claims({ jti: 'x' }), ...invalid],
      ['B9 a jti that is a number', claims({ jti: 12_345_678 }), ...invalid],
      ['B9 iat old', () => presented(api, { claims: { iat: seconds() - 66 } }), 401, 'dpop_proof_expired'],
      ['B9 iat in the future', () => presented(api, { claims: { iat: seconds() + 60 } }), 401, 'dpop_proof_expired'],
      ['B9 no iat', claims({ iat: undefined }), ...invalid],
      ['B9 iat in words', claims({ iat: 'now' }), ...invalid],
      ['B3 typ of an access token', header({ typ: 'at+jwt' }), ...invalid],
      ['B3 no typ', header({ typ: undefined }), ...invalid],
      ['B9 a private jwk', header({ jwk: { ...reviewer.privateKey.export({ format: 'jwk' }) } }), ...invalid],
      ['B9 no jwk', header({ jwk: undefined }), ...invalid],
      [
        'B9 a symmetric jwk',
        header(
          { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } },
          {
            sign: (data) => createHmac('sha256', 'secret').update(data).digest(),
          },
        ),
        ...invalid,
      ],
      [
        'B9 HMAC with the bytes of the public key',
        header(
          { alg: 'HS256' },
          {
            sign: (data) =>
              createHmac('sha256', createPublicKey(reviewer.privateKey).export({ format: 'pem', type: 'spki' }))
                .update(data)
                .digest(),
          },
        ),
        ...invalid,
      ],
      ['B1 alg none', header({ alg: 'none' }, { sign: () => Buffer.alloc(0) }), ...invalid],
      ['B1 an alg that does not fit the key', header({ alg: 'ES256' }), ...invalid],
      [
        'A15 a weak key',
        header(
          { jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') } },
          {
            sign: () => Buffer.alloc(64),
          },
        ),
        ...invalid,
      ],
      ['B2 a key by reference', header({ jku: 'http://127.0.0.1:1/keys' }), ...invalid],
      ['B2 crit', header({ crit: ['x'], x: 1 }), ...invalid],
      ['B9 a signature of another key', send({ sign: (data) => runner.sign(data) }), ...invalid],
      [
        'B9 a proof that was changed',
        async () => {
          const request = await presented(api);
          const [head, payload = '', signature] = proofOf(request).split('.');
          const changed = {
            ...(JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims),
            jti: 'another-one',
          };
          const other = Buffer.from(JSON.stringify(changed)).toString('base64url');
          return tampered(request, { fields: { DPoP: `${head}.${other}.${signature}` } });
        },
        ...invalid,
      ],
      ['B9 a proof that is no JWS', async () => tampered(await presented(api), { fields: { DPoP: 'x' } }), ...invalid],
      ['B9 an empty proof', async () => tampered(await presented(api), { fields: { DPoP: '' } }), ...invalid],
      [
        'B8 cnf.jkt of another key',
        send({ token: { cnf: { jkt: runner.thumbprint } } }),
        401,
        'token_not_bound_to_agent',
      ],
      ['B8 a token that is bound to no key', send({ token: { cnf: undefined } }), 401, 'token_not_bound_to_agent'],
      [
        'B8 cnf.x5t#S256 beside cnf.jkt',
        send({ token: { cnf: { jkt: reviewer.thumbprint, 'x5t#S256': reviewer.thumbprint } } }),
        401,
        'token_invalid',
      ],
      [
        'B8 the bound token as Bearer',
        async () => {
          const request = await presented(api);
          const [token = ''] = fieldsNamed(request, 'authorization');
          return tampered(request, { fields: { Authorization: token.replace('DPoP', 'Bearer'), DPoP: null } });
        },
        401,
        'signature_required',
      ],
      [
        'B8 the bound token as Bearer, with its proof',
        async () => {
          const request = await presented(api);
          const [token = ''] = fieldsNamed(request, 'authorization');
          return tampered(request, { fields: { Authorization: token.replace('DPoP', 'Bearer') } });
        },
        ...invalid,
      ],
      [
        'B8 two spaces',
        async () => {
          const request = await presented(api);
          const [token = ''] = fieldsNamed(request, 'authorization');
          return tampered(request, { fields: { Authorization: token.replace(' ', '  ') } });
        },
        401,
        'token_malformed',
      ],
      [
        'B8 two Authorization fields',
        async () => {
          const request = await presented(api);
          return withFields(request, ['Authorization', fieldsNamed(request, 'authorization')[0] ?? '']);
        },
        401,
        'token_malformed',
      ],
      [
        'B10 what is not UTF-8 in Authorization',
        async () => tampered(await presented(api), { fields: { Authorization: 'DPoP \u00ff\u00fe%zz' } }),
        401,
        'token_malformed',
      ],
      ['B6 an expired token', send({ token: { iat: 1_700_000_000, exp: 1_700_000_100 } }), 401, 'token_expired'],
      [
        'C4 another agent than the one that holds the key',
        send({ token: { act: { sub: 'agent-test-runner' } } }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'B9 an issuer that binds the name of a registered agent to a new key',
        send({ key: es256 }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'C9 a user with a key is no agent',
        send({ key: es256, token: { act: undefined } }),
        401,
        'token_delegation_invalid',
      ],
      [
        "C9 a user's token bound to the key of an agent",
        send({ token: { act: undefined } }),
        401,
        'token_delegation_invalid',
      ],
      [
        'C7 a suspended agent',
        send({ key: ed25519ProofKey(suspended), token: { act: { sub: suspendedId } } }),
        401,
        'agent_suspended',
      ],
      [
        'A18 links, which no proof covers',
        async () => withFields(await presented(api), ['Agent-Delegation', 'eyJ.x.y']),
        401,
        'credential_uncovered',
      ],
      [
        'A18 another method for the application',
        async () => withFields(await presented(api), ['X-HTTP-Method-Override', 'DELETE']),
        401,
        'credential_uncovered',
      ],
      [
        'A18 a digest of another body',
        async () => {
          const request = await presented(api, { method: 'POST', target: '/repos/acme/api/pulls', body });
          return withFields(request, ['Content-Digest', sha256Digest('other')]);
        },
        401,
        'digest_mismatch',
      ],
      [
        'A17 a proof beside our signature',
        async () => withFields(api.signed(), ['DPoP', proofOf(await presented(api))]),
        400,
        'proof_ambiguous',
      ],
      [
        'A17 a proof beside a broken signature',
        async () => withFields(await presented(api), ['Signature-Input', 'x=();tag="countersign"']),
        400,
        'proof_ambiguous',
      ],
    ]);

    it('B9 a proof counts once, however its request is spelt', async () => {
      const request = await presented(api);
      await api.accepts(request, 200);
      await api.refuses(request, 401, 'dpop_proof_replayed');
      await api.refuses({ ...request, target: `${request.target}?a=b` }, 401, 'dpop_proof_replayed');
    });

    it('B9 sent fifty times at once it counts once', async () => {
      const request = await presented(api);
      const before = api.running.handled.length;
      await api.recordedOutcomes(1, async () => {
        const answers = await Promise.all(Array.from({ length: 50 }, () => api.send(request)));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      });
      expect(api.running.handled.length - before).toBe(1);
    });

    it('a proof that does not verify is not used up [A10]', async () => {
      const request = await presented(api, { method: 'POST', target: '/repos/acme/api/pulls', body });
      await api.refuses(tampered(request, { target: '/repos/acme/api/merge' }), ...invalid);
      await api.accepts(request, 201);
    });

    it('a proof that verified is used up, whatever becomes of the body [A10]', async () => {
      const request = await presented(api, { method: 'POST', target: '/repos/acme/api/pulls', body });
      await api.refuses(withFields(request, ['Content-Digest', sha256Digest('other')]), 401, 'digest_mismatch');
      await api.refuses(request, 401, 'dpop_proof_replayed');
    });

    it('a proof that ends while it is checked counts no more [J1]', async () => {
      const at = seconds();
      let time = at;
      const held = agentsFromObjects(agents);
      const slow: AgentDirectory = {
        findByThumbprint(thumbprint) {
          time = at + 65;
          return held.findByThumbprint(thumbprint);
        },
        statusOf: (id) => held.statusOf(id),
      };
      const guard = { clock: () => time * 1000, agents: slow };
      const timed = await api.variant({ config: { dpop: true }, start: { guard } });
      await timed.refuses(await presented(timed, { claims: { iat: at } }), 401, 'dpop_proof_expired');
    });

    it('B9 a jti does not collide with the nonce of a signature', async () => {
      const jti = crypto.randomUUID();
      await api.accepts(api.signed({ parameters: { nonce: `"${jti}"` } }), 200);
      await api.accepts(await presented(api, { claims: { jti } }), 200);
    });

    it('B9 htu is compared without query and fragment, and as far as spellings mean the same', async () => {
      const spelt = `HTTP://${api.authority.toUpperCase()}/%77hoami?x=y#z`;
      await api.accepts(await presented(api, { claims: { htu: spelt } }), 200);
      await api.refuses(await presented(api, { claims: { htu: `${api.audience}/x/../whoami` } }), ...invalid);
      await api.refuses(await presented(api, { claims: { htu: `https://${api.authority}/whoami` } }), ...invalid);
    });

    it('a challenge names DPoP and its algorithms', async () => {
      const algs = 'algs="Ed25519 EdDSA ES256"';
      const challenge = async (
        request: RawRequest,
        code: 'signature_required' | 'token_expired' | 'dpop_proof_required',
      ) => (await api.refuses(request, 401, code)).response.headers['www-authenticate'];
      const unsigned = tampered(await presented(api), { fields: { DPoP: null, Authorization: null } });
      expect(await challenge(unsigned, 'signature_required')).toBe(
        `Signature error="signature_required", DPoP ${algs}`,
      );
      const expired = await presented(api, { token: { iat: 1_700_000_000, exp: 1_700_000_100 } });
      const error = 'error="invalid_token", error_description="The access token is not valid at this time."';
      expect(await challenge(expired, 'token_expired')).toBe(`Bearer ${error}, DPoP ${error}, ${algs}`);
      const bare = tampered(await presented(api), { fields: { DPoP: null } });
      expect(await challenge(bare, 'dpop_proof_required')).toBe(
        `DPoP error="invalid_dpop_proof", error_description="The access token is used without a DPoP proof.", ${algs}`,
      );
    });

    it('policy can tell a body that is not bound', async () => {
      const strict = await api.variant({
        config: {
          dpop: true,
          schema,
          policies: `${policies}\nforbid(principal, action == Action::"pr.create", resource) when { context.possession == "dpop" };`,
        },
      });
      const request = await presented(strict, { method: 'POST', target: '/repos/acme/api/pulls', body });
      await strict.denies(request, 403, 'policy_denied');
      await strict.accepts(await strict.pull(), 201);
    });

    it('C7 a revoked key, a revoked issuer: at once, also with a token that is remembered', async () => {
      const own = await api.variant(on);
      const key = es256ProofKey();
      const request = () => presented(own, { key, token: { act: { sub: 'agent-new' } } });
      await own.accepts(await request(), 200);
      own.running.guard.revocations.revoke({ key: key.thumbprint });
      await own.refuses(await request(), 401, 'key_not_valid');
    });
  },
  on,
);

onEveryHost(
  'DPoP with nonces of the server',
  (api) => {
    const challenged = async (sent: Sent = {}): Promise<string> => {
      const { response } = await api.refuses(await presented(api, sent), 401, 'dpop_nonce_required');
      expect(response.headers['www-authenticate']).toContain('DPoP error="use_dpop_nonce"');
      return String(response.headers['dpop-nonce']);
    };

    it('B9 a proof without nonce is answered with one, and counts with it', async () => {
      const nonce = await challenged();
      expect(nonce).toMatch(/^[\w-]{43}$/);
      await api.accepts(await presented(api, { nonce }), 200);
    });

    it('B9 the nonce absent after the challenge, of somebody else, or misspelt', async () => {
      const nonce = await challenged();
      for (const wrong of [undefined, '', 'x', Buffer.alloc(32).toString('base64url'), `${nonce}=`, nonce.slice(1)]) {
        await challenged(wrong === undefined ? {} : { nonce: wrong });
      }
    });

    it('a nonce does not make an old proof new', async () => {
      const nonce = await challenged();
      await api.refuses(await presented(api, { nonce, claims: { iat: seconds() - 66 } }), 401, 'dpop_proof_expired');
    });
  },
  { config: { dpop: { nonce: 'required' } } },
);

onEveryHost('DPoP where it is not accepted', (api) => {
  it('B8 a DPoP-bound token and its proof are refused, and the answer does not lead there', async () => {
    const { response } = await api.refuses(await presented(api), 401, 'signature_required');
    expect(response.headers['www-authenticate']).not.toContain('DPoP');
  });

  it('B8 beside a signature its token is malformed', async () => {
    const token = await api.token();
    const request = api.signed({ fields: [['Authorization', `DPoP ${token}`]] });
    await api.refuses(request, 401, 'token_malformed');
  });
});

onEveryHost(
  'DPoP in mixed traffic',
  (api) => {
    it('A17 an opaque token of scheme DPoP is one of our marks', async () => {
      const opaque = dpopRequest({ method: 'GET', target: whoami, host: api.authority, token: 'opaque', proofs: [] });
      await api.refuses(opaque, 401, 'dpop_proof_required');
      await api.accepts(await presented(api), 200);
    });

    it('an issuer with a namespace vouches within it', async () => {
      const key: ProofKey = es256ProofKey();
      const token = await api.token({ act: { sub: 'agent-x' }, cnf: { jkt: key.thumbprint } }, {}, partner);
      const proof = dpopProof({ key, token, method: 'GET', uri: `${api.audience}${whoami}` });
      const request = dpopRequest({ method: 'GET', target: whoami, host: api.authority, token, proofs: [proof] });
      const { response } = await api.accepts(request, 200);
      expect(JSON.parse(response.body)).toMatchObject({
        actor: { id: 'partner:agent-x' },
        subject: { id: `partner:${userId}` },
      });
    });
  },
  { config: { dpop: true }, start: { guard: { traffic: 'mixed' } } },
);
