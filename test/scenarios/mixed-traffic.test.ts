import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { onEverySetup, refuseEach } from '../support/api.js';
import type { TestKey } from '../support/keys.js';
import { type Field, type RawRequest, serialized, tampered, withFields } from '../support/signed-request.js';
import { rawToken, signedBy } from '../support/tokens.js';
import { issuer, reviewer, reviewerId, runner, runnerId, userId } from '../support/world.js';

const bearer = (token: string): Field => ['Authorization', `Bearer ${token}`];
const base64 = (token: string) => token.replaceAll('-', '+').replaceAll('_', '/');

const actorOf = (text: string) => (JSON.parse(text) as { actor?: { id: string } }).actor?.id;

onEverySetup(
  'Mixed traffic',
  (api) => {
    const plain = (target: string, ...fields: readonly Field[]): RawRequest => ({
      method: 'GET',
      target: api.at(target),
      fields: [['Host', api.authority], ...fields],
      body: Buffer.alloc(0),
    });
    /** An unsigned request that must reach the application without a record or caller. */
    const passes = async (request: RawRequest, status = 200) => {
      const before = api.records.length;
      const handledBefore = api.running.handled.length;
      const response = await api.send(request);
      expect({ status: response.status, body: response.body }).toMatchObject({ status });
      expect(api.running.handled.length - handledBefore).toBe(1);
      expect(api.records).toHaveLength(before);
      return JSON.parse(response.body) as unknown;
    };

    it('an unmarked request reaches the application without a caller', async () => {
      expect(await passes(plain('/whoami'))).toEqual({});
      expect(await passes(plain('/invoices?a=b', ['Cookie', 'session=1'], ['X-User', 'admin']))).toEqual({
        query: { a: 'b' },
      });
    });

    it("a person's own token is left to the application", async () => {
      await passes(plain('/whoami', bearer(await api.token({ act: undefined }))));
      await passes(plain('/whoami', ['Authorization', 'Basic dXNlcjpwYXNzd29yZA==']));
      await passes(plain('/whoami', bearer('not-even.a.token')));
    });

    it('a signature of another profile is not a mark', async () => {
      await passes(api.signed({ parameters: { tag: '"web-bot-auth"' } }));
    });

    it('a body passes unchanged', async () => {
      const body = Buffer.alloc(200_000, 'x');
      const upload = plain('/upload', ['Content-Length', String(body.length)], ['Content-Digest', 'sha-256=:AAAA:']);
      expect(await passes({ ...upload, method: 'PUT', body })).toEqual({
        bytes: body.length,
        sha256: createHash('sha256').update(body).digest('hex'),
      });
    });

    it('an agent is decided on as usual', async () => {
      await api.accepts(await api.pull(), 201);
      await api.denies(api.signed({ key: runner, target: '/invoices' }), 403, 'policy_denied');
    });

    it('people and agents are not confused on one connection or on many [A17, G1]', async () => {
      const person = async () => plain('/whoami', ['Cookie', 'session=1'], bearer(await api.token({ act: undefined })));
      const agent = async (key: TestKey) => api.signed({ key });
      const kinds = [
        { make: person, actor: undefined },
        { make: () => agent(reviewer), actor: reviewerId },
        { make: () => agent(runner), actor: runnerId },
      ];
      const order = [...kinds, ...kinds.toReversed(), ...kinds, ...kinds];
      const expected = order.map(({ actor }) => actor);

      await api.recordedOutcomes(2 * expected.filter((actor) => actor !== undefined).length, async () => {
        const apart = await Promise.all(order.map(async ({ make }) => api.send(await make())));
        expect(apart.map(({ body }) => actorOf(body))).toEqual(expected);

        const connection = await api.connect();
        const together: (string | undefined)[] = [];
        for (const { make } of order) connection.write(serialized(await make()));
        for (const _ of order) together.push(actorOf((await connection.read()).body));
        connection.destroy();
        expect(together).toEqual(expected);
      });
    });

    const delegated = () => api.token();
    const escaped = () => {
      const claims = { iss: issuer.issuer, aud: api.audience, sub: userId, exp: 9_999_999_999 };
      const payload = JSON.stringify(claims).replace('{', String.raw`{"\u0061ct":{"sub":"${reviewerId}"},`);
      return rawToken(JSON.stringify({ typ: 'at+jwt', alg: 'EdDSA', kid: issuer.kid }), payload, signedBy(issuer));
    };
    refuseEach(api, [
      [
        'a delegated token without its signature [A17, C9]',
        async () => plain('/whoami', bearer(await delegated())),
        401,
        'signature_required',
      ],
      [
        'a token bound to a key, without its signature [A17]',
        async () => plain('/whoami', bearer(await api.token({ act: undefined, cnf: { jkt: reviewer.thumbprint } }))),
        401,
        'signature_required',
      ],
      [
        'a delegated token with another spelling of the scheme [A17]',
        async () => plain('/whoami', ['Authorization', `bEARER   ${await delegated()}`]),
        401,
        'signature_required',
      ],
      [
        'a delegated token in a cookie [A17]',
        async () => plain('/whoami', ['Cookie', `a=b; token=${await delegated()}`]),
        401,
        'signature_required',
      ],
      [
        'a delegated token in another field [B8]',
        async () => plain('/whoami', ['X-Access-Token', await delegated()]),
        401,
        'signature_required',
      ],
      [
        'a delegated token in the query [B8]',
        async () => plain(`/whoami?access_token=${await delegated()}`),
        401,
        'signature_required',
      ],
      [
        'a delegated token in the query, escaped [B8]',
        async () => plain(`/whoami?access_token=${(await delegated()).replaceAll('.', '%2E')}`),
        401,
        'signature_required',
      ],
      [
        'a delegated token in base64 [A17]',
        async () => plain('/whoami', bearer(base64(await delegated()))),
        401,
        'signature_required',
      ],
      [
        'a delegated token encoded in base64, as Kubernetes reads it [A17]',
        async () => {
          const packed = Buffer.from(await delegated()).toString('base64url');
          return plain('/whoami', ['Sec-WebSocket-Protocol', `x, base64url.bearer.authorization.k8s.io.${packed}`]);
        },
        401,
        'signature_required',
      ],
      ['act written with an escape [A17]', () => plain('/whoami', bearer(escaped())), 401, 'signature_required'],
      [
        'two tokens, the second delegated [A17]',
        async () => plain('/whoami', bearer(await api.token({ act: undefined })), bearer(await delegated())),
        401,
        'signature_required',
      ],
      [
        'an Agent-Approval without a signature [A17]',
        () => plain('/whoami', ['agent-approval', 'x']),
        401,
        'signature_required',
      ],
      ['a broken signature [A17]', () => api.signed({ sign: () => Buffer.alloc(64) }), 401, 'signature_invalid'],
      [
        'our tag in only one of the two fields [A17]',
        () => tampered(api.signed(), { fields: { Signature: null } }),
        400,
        'signature_ambiguous',
      ],
      [
        'a token added to a signature of another profile [A18]',
        async () => withFields(api.signed({ parameters: { tag: '"web-bot-auth"' } }), bearer(await delegated())),
        401,
        'signature_required',
      ],
      [
        "a user's own token, signed by an agent [C9]",
        () => api.pull({ act: undefined }),
        401,
        'token_delegation_invalid',
      ],
    ]);
  },
  { start: { guard: { traffic: 'mixed' } } },
);
