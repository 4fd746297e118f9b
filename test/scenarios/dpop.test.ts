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
  /** Changes claims of the token. */
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
    it('a registered agent acts for its user when it proves its key, also with a body [B9]', async () => {
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

    it('an unregistered agent is accepted when the issuer bound its token to its key', async () => {
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
  'Invalid DPoP proofs',
  (api) => {
    const send = (sent: Sent) => () => presented(api, sent);
    const claims = (changed: Claims) => send({ claims: changed });
    const header = (changed: Claims, sent: Sent = {}) => send({ header: changed, ...sent });

    refuseEach(api, [
      [
        'the token without a proof [B9]',
        async () => tampered(await presented(api), { fields: { DPoP: null } }),
        401,
        'dpop_proof_required',
      ],
      [
        'two proofs in two fields [B9]',
        async () => withFields(await presented(api), ['DPoP', proofOf(await presented(api))]),
        ...invalid,
      ],
      [
        'two proofs in one field [B9]',
        async () => {
          const request = await presented(api);
          return tampered(request, { fields: { DPoP: `${proofOf(request)}, ${proofOf(await presented(api))}` } });
        },
        ...invalid,
      ],
      [
        'a proof without a token [B9]',
        async () => tampered(await presented(api), { fields: { Authorization: null } }),
        ...invalid,
      ],
      ['htm of another method [B9]', claims({ htm: 'POST' }), ...invalid],
      ['htm in lower case [B9]', claims({ htm: 'get' }), ...invalid],
      ['no htm [B9]', claims({ htm: undefined }), ...invalid],
      ['htu of another path [B9]', claims({ htu: 'http://x/other' }), ...invalid],
      ['no htu [B9]', claims({ htu: undefined }), ...invalid],
      ['htu that is not a URI [B9]', claims({ htu: '/whoami' }), ...invalid],
      ['ath missing [B9]', claims({ ath: undefined }), ...invalid],
      ['ath of another token [B9]', claims({ ath: 'fUHyO2r2Z3DZ53EsNrWBb0xWXoaNy59IiKCAqksmQEo' }), ...invalid],
      [
        'the proof of another token of the same agent [B9]',
        async () => tampered(await presented(api), { fields: { DPoP: proofOf(await presented(api)) } }),
        ...invalid,
      ],
      ['no jti [B9]', claims({ jti: undefined }), ...invalid],
      ['a jti that is too short [B9]', claims({ jti: 'x' }), ...invalid],
      ['a jti that is a number [B9]', claims({ jti: 12_345_678 }), ...invalid],
      ['an old iat [B9]', () => presented(api, { claims: { iat: seconds() - 66 } }), 401, 'dpop_proof_expired'],
      ['iat in the future [B9]', () => presented(api, { claims: { iat: seconds() + 60 } }), 401, 'dpop_proof_expired'],
      ['no iat [B9]', claims({ iat: undefined }), ...invalid],
      ['iat as text [B9]', claims({ iat: 'now' }), ...invalid],
      ['typ of an access token [B3]', header({ typ: 'at+jwt' }), ...invalid],
      ['no typ [B3]', header({ typ: undefined }), ...invalid],
      ['a private jwk [B9]', header({ jwk: { ...reviewer.privateKey.export({ format: 'jwk' }) } }), ...invalid],
      ['no jwk [B9]', header({ jwk: undefined }), ...invalid],
      [
        'a symmetric jwk [B9]',
        header(
          { alg: 'HS256', jwk: { kty: 'oct', k: 'c2VjcmV0' } },
          {
            sign: (data) => createHmac('sha256', 'secret').update(data).digest(),
          },
        ),
        ...invalid,
      ],
      [
        'HMAC with the bytes of the public key [B9]',
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
      ['alg none [B1]', header({ alg: 'none' }, { sign: () => Buffer.alloc(0) }), ...invalid],
      ['an alg of another key type [B1]', header({ alg: 'ES256' }), ...invalid],
      [
        'a weak key [A15]',
        header(
          { jwk: { kty: 'OKP', crv: 'Ed25519', x: Buffer.alloc(32).toString('base64url') } },
          {
            sign: () => Buffer.alloc(64),
          },
        ),
        ...invalid,
      ],
      ['a key by reference [B2]', header({ jku: 'http://127.0.0.1:1/keys' }), ...invalid],
      ['crit [B2]', header({ crit: ['x'], x: 1 }), ...invalid],
      ['a signature of another key [B9]', send({ sign: (data) => runner.sign(data) }), ...invalid],
      [
        'a changed proof [B9]',
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
      [
        'a proof that is not a JWS [B9]',
        async () => tampered(await presented(api), { fields: { DPoP: 'x' } }),
        ...invalid,
      ],
      ['an empty proof [B9]', async () => tampered(await presented(api), { fields: { DPoP: '' } }), ...invalid],
      [
        'cnf.jkt of another key [B8]',
        send({ token: { cnf: { jkt: runner.thumbprint } } }),
        401,
        'token_not_bound_to_agent',
      ],
      ['a token that is bound to no key [B8]', send({ token: { cnf: undefined } }), 401, 'token_not_bound_to_agent'],
      [
        'cnf.x5t#S256 beside cnf.jkt [B8]',
        send({ token: { cnf: { jkt: reviewer.thumbprint, 'x5t#S256': reviewer.thumbprint } } }),
        401,
        'token_invalid',
      ],
      [
        'the bound token as Bearer [B8]',
        async () => {
          const request = await presented(api);
          const [token = ''] = fieldsNamed(request, 'authorization');
          return tampered(request, { fields: { Authorization: token.replace('DPoP', 'Bearer'), DPoP: null } });
        },
        401,
        'signature_required',
      ],
      [
        'the bound token as Bearer, with its proof [B8]',
        async () => {
          const request = await presented(api);
          const [token = ''] = fieldsNamed(request, 'authorization');
          return tampered(request, { fields: { Authorization: token.replace('DPoP', 'Bearer') } });
        },
        ...invalid,
      ],
      [
        'two spaces [B8]',
        async () => {
          const request = await presented(api);
          const [token = ''] = fieldsNamed(request, 'authorization');
          return tampered(request, { fields: { Authorization: token.replace(' ', '  ') } });
        },
        401,
        'token_malformed',
      ],
      [
        'two Authorization fields [B8]',
        async () => {
          const request = await presented(api);
          return withFields(request, ['Authorization', fieldsNamed(request, 'authorization')[0] ?? '']);
        },
        401,
        'token_malformed',
      ],
      [
        'an Authorization that is not UTF-8 [B10]',
        async () => tampered(await presented(api), { fields: { Authorization: 'DPoP \u00ff\u00fe%zz' } }),
        401,
        'token_malformed',
      ],
      ['an expired token [B6]', send({ token: { iat: 1_700_000_000, exp: 1_700_000_100 } }), 401, 'token_expired'],
      [
        'a token that names another agent than the holder of the key [C4]',
        send({ token: { act: { sub: 'agent-test-runner' } } }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'an issuer that binds the name of a registered agent to a new key [B9]',
        send({ key: es256 }),
        401,
        'token_not_bound_to_agent',
      ],
      [
        'a user whose token has a key [C9]',
        send({ key: es256, token: { act: undefined } }),
        401,
        'token_delegation_invalid',
      ],
      [
        "a user's token bound to the key of an agent [C9]",
        send({ token: { act: undefined } }),
        401,
        'token_delegation_invalid',
      ],
      [
        'a suspended agent [C7]',
        send({ key: ed25519ProofKey(suspended), token: { act: { sub: suspendedId } } }),
        401,
        'agent_suspended',
      ],
      [
        'delegation links, which a proof cannot cover [A18]',
        async () => withFields(await presented(api), ['Agent-Delegation', 'eyJ.x.y']),
        401,
        'credential_uncovered',
      ],
      [
        'another method in an override field [A18]',
        async () => withFields(await presented(api), ['X-HTTP-Method-Override', 'DELETE']),
        401,
        'credential_uncovered',
      ],
      [
        'a digest of another body [A18]',
        async () => {
          const request = await presented(api, { method: 'POST', target: '/repos/acme/api/pulls', body });
          return withFields(request, ['Content-Digest', sha256Digest('other')]);
        },
        401,
        'digest_mismatch',
      ],
      [
        'a proof beside our signature [A17]',
        async () => withFields(api.signed(), ['DPoP', proofOf(await presented(api))]),
        400,
        'proof_ambiguous',
      ],
      [
        'a proof beside a broken signature [A17]',
        async () => withFields(await presented(api), ['Signature-Input', 'x=();tag="countersign"']),
        400,
        'proof_ambiguous',
      ],
    ]);

    it('a proof is accepted once, for any spelling of its request [B9]', async () => {
      const request = await presented(api);
      await api.accepts(request, 200);
      await api.refuses(request, 401, 'dpop_proof_replayed');
      await api.refuses({ ...request, target: `${request.target}?a=b` }, 401, 'dpop_proof_replayed');
    });

    it('a proof is accepted once when it is sent fifty times concurrently [B9]', async () => {
      const request = await presented(api);
      const before = api.running.handled.length;
      await api.recordedOutcomes(1, async () => {
        const answers = await Promise.all(Array.from({ length: 50 }, () => api.send(request)));
        expect(answers.filter(({ status }) => status === 200)).toHaveLength(1);
      });
      expect(api.running.handled.length - before).toBe(1);
    });

    it('an invalid proof does not consume its jti [A10]', async () => {
      const request = await presented(api, { method: 'POST', target: '/repos/acme/api/pulls', body });
      await api.refuses(tampered(request, { target: '/repos/acme/api/merge' }), ...invalid);
      await api.accepts(request, 201);
    });

    it('a valid proof consumes its jti, even if the body is refused [A10]', async () => {
      const request = await presented(api, { method: 'POST', target: '/repos/acme/api/pulls', body });
      await api.refuses(withFields(request, ['Content-Digest', sha256Digest('other')]), 401, 'digest_mismatch');
      await api.refuses(request, 401, 'dpop_proof_replayed');
    });

    it('a proof is refused when it expires during verification [J1]', async () => {
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

    it('a jti does not collide with the nonce of a signature [B9]', async () => {
      const jti = crypto.randomUUID();
      await api.accepts(api.signed({ parameters: { nonce: `"${jti}"` } }), 200);
      await api.accepts(await presented(api, { claims: { jti } }), 200);
    });

    it('htu is compared after normalisation, without query and fragment [B9]', async () => {
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

    it('policy sees whether the body is bound', async () => {
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

    it('revoking a key or an issuer takes effect immediately, also with a cached token [C7]', async () => {
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

    it('a proof without nonce gets a nonce, and is accepted with it [B9]', async () => {
      const nonce = await challenged();
      expect(nonce).toMatch(/^[\w-]{43}$/);
      await api.accepts(await presented(api, { nonce }), 200);
    });

    it('a nonce is refused when it is absent, of another server, or misspelt [B9]', async () => {
      const nonce = await challenged();
      for (const wrong of [undefined, '', 'x', Buffer.alloc(32).toString('base64url'), `${nonce}=`, nonce.slice(1)]) {
        await challenged(wrong === undefined ? {} : { nonce: wrong });
      }
    });

    it('an old proof is refused with a valid nonce', async () => {
      const nonce = await challenged();
      await api.refuses(await presented(api, { nonce, claims: { iat: seconds() - 66 } }), 401, 'dpop_proof_expired');
    });
  },
  { config: { dpop: { nonce: 'required' } } },
);

onEveryHost('DPoP where it is not accepted', (api) => {
  it('a DPoP-bound token and its proof are refused without a DPoP challenge [B8]', async () => {
    const { response } = await api.refuses(await presented(api), 401, 'signature_required');
    expect(response.headers['www-authenticate']).not.toContain('DPoP');
  });

  it('a DPoP token beside a signature is malformed [B8]', async () => {
    const token = await api.token();
    const request = api.signed({ fields: [['Authorization', `DPoP ${token}`]] });
    await api.refuses(request, 401, 'token_malformed');
  });
});

onEveryHost(
  'DPoP in mixed traffic',
  (api) => {
    it('an opaque token of scheme DPoP is one of our marks [A17]', async () => {
      const opaque = dpopRequest({ method: 'GET', target: whoami, host: api.authority, token: 'opaque', proofs: [] });
      await api.refuses(opaque, 401, 'dpop_proof_required');
      await api.accepts(await presented(api), 200);
    });

    it('an issuer with a namespace vouches only for names within it', async () => {
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
