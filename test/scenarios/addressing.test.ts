import { expect, it } from 'vitest';
import { type Api, type Attack, onEveryHost, onEverySetup, refuseEach } from '../support/api.js';
import { json, loopback, startKeyServer } from '../support/key-server.js';
import { delegationField, linkOf } from '../support/links.js';
import { type RawRequest, tampered, withFields } from '../support/signed-request.js';
import { issuer, reviewer, reviewerId, runner, runnerId, userId } from '../support/world.js';

const origin = 'https://api.acme.dev';

const onFastify = ({ host }: Api): boolean => host.includes('fastify');

onEverySetup(
  'The address of a request',
  (api) => {
    const to = (host: string, target = '/whoami') => api.signed({ host, target, scheme: 'https' });
    const absolute = (target: string, host = 'api.acme.dev') =>
      api.signed({ host, target, scheme: 'https', covered: ['"@method"', '"@authority"', '"@path"', '"@query"'] });

    refuseEach(
      api,
      (
        [
          ['another host', 'evil.example'],
          ['a sibling host', 'other.acme.dev'],
          ['a subdomain of ours', 'x.api.acme.dev'],
          ['a name that starts with ours', 'api.acme.dev.evil.example'],
          ['a trailing dot', 'api.acme.dev.'],
          ['another port', 'api.acme.dev:8443'],
          ['the default port of another scheme', 'api.acme.dev:80'],
          ['an address', '127.0.0.1'],
          ['an IPv6 address', '[::1]:443'],
        ] as const
      ).map(([title, host]): Attack => [`${title} [A13]`, () => to(host), 401, 'origin_mismatch']),
    );
    refuseEach(
      api,
      (
        [
          ['user information', 'user@api.acme.dev'],
          ['a path', 'api.acme.dev/x'],
          ['a space', 'api.acme.dev x'],
          ['a list', 'api.acme.dev, evil.example'],
          ['nothing', ''],
          ['bytes beyond ASCII', 'api.acme.d\xe9v'],
        ] as const
      ).map(([title, host]): Attack => [`${title} in Host [A13]`, () => to(host), 400, 'request_malformed']),
    );
    refuseEach(api, [
      [
        'a Host changed after signing [A13]',
        () => tampered(to('api.acme.dev'), { fields: { Host: 'evil.example' } }),
        401,
        'origin_mismatch',
      ],
      [
        'another Host beside X-Forwarded-* and Forwarded fields with ours [A13]',
        () =>
          withFields(
            to('evil.example'),
            ['X-Forwarded-Host', 'api.acme.dev'],
            ['X-Forwarded-Proto', 'https'],
            ['Forwarded', 'host=api.acme.dev;proto=https'],
          ),
        401,
        'origin_mismatch',
      ],
      [
        '@target-uri with the scheme of the hop before TLS [A13]',
        () => api.signed({ host: 'api.acme.dev', scheme: 'http', covered: ['"@method"', '"@target-uri"'] }),
        401,
        'signature_invalid',
      ],
      [
        'a backslash, which some routers read as a slash [A13]',
        () => absolute(`https://api.acme.dev${api.at('/admin\\wipe')}`),
        400,
        'request_malformed',
      ],
      [
        'an absolute target for another host [A13]',
        () => absolute(`https://evil.example${api.at('/whoami')}`),
        400,
        'request_malformed',
      ],
      [
        'an absolute target of another scheme [A13]',
        () => absolute(`http://api.acme.dev${api.at('/whoami')}`),
        401,
        'origin_mismatch',
      ],
      [
        'an absolute target with user information [A13]',
        () => absolute(`https://a@api.acme.dev${api.at('/whoami')}`),
        400,
        'request_malformed',
      ],
    ]);

    it.each([
      ['the Host as it is', 'api.acme.dev'],
      ['upper case', 'API.Acme.DEV'],
      ['the default port', 'api.acme.dev:443'],
    ])('%s is accepted as ours [A13]', async (_title, host) => {
      await api.accepts(to(host), 200);
      await api.accepts(api.signed({ host, scheme: 'https', covered: ['"@method"', '"@target-uri"'] }), 200);
    });

    // Below a mount the router finds no route, and no guard is reached.
    if (api.mount === '') {
      it('an absolute target whose only slash is in the query, which some routers read as the path [A13]', async () => {
        const request = to('api.acme.dev', '/?next=/whoami');
        await api.refuses({ ...request, target: 'https://api.acme.dev?next=/whoami' }, 400, 'request_malformed');
      });
    }

    it('an absolute target with our authority is routed like any other [A13]', async () => {
      await api.accepts(absolute(`https://api.acme.dev${api.at('/invoices')}?x=1`), 200);
    });

    it('X-Forwarded-* and Forwarded do not change the authority of a request [A13]', async () => {
      await api.accepts(
        withFields(to('api.acme.dev'), ['X-Forwarded-Host', 'evil.example'], ['Forwarded', 'host=evil.example']),
        200,
      );
    });
  },
  { config: { origin } },
);

onEverySetup('The target, byte for byte', (api) => {
  const swapped = (signedTarget: string, sentTarget: string): RawRequest =>
    tampered(api.signed({ target: signedTarget }), { target: api.at(sentTarget) });
  refuseEach(
    api,
    (
      [
        ['/invoices', '/%69nvoices'],
        ['/%69nvoices', '/invoices'],
        ['/x/../invoices', '/invoices'],
        ['/x/%2e%2e/invoices', '/invoices'],
        ['//invoices', '/invoices'],
        ['/invoices;a=b', '/invoices'],
        ['/invoices/', '/invoices'],
        ['/Invoices', '/invoices'],
        ['/a%2fb', '/a%2Fb'],
        ['/a%2Fb', '/a/b'],
        ['/invoices?a=%20', '/invoices?a=+'],
      ] as const
    ).map(
      ([signed, sent]): Attack => [
        `${signed} signed, ${sent} sent [A13]`,
        () => swapped(signed, sent),
        401,
        'signature_invalid',
      ],
    ),
  );

  // Routers normalise paths differently, but policy decides about the route that is reached.
  const takenForInvoices: readonly string[] = [
    ...(onFastify(api) ? ['/%69nvoices'] : []),
    ...(api.host === 'express4' && api.mount !== '' ? ['//invoices'] : []),
  ];
  it.each(['//invoices', '/%69nvoices', '/invoices%2Fwhoami', '/invoices;a=b'])(
    '%s verifies undecoded, and the decision is for the route that it reaches [A13, D8]',
    async (target) => {
      if (!takenForInvoices.includes(target)) return void (await api.answers(api.signed({ target }), 404));
      const { records } = await api.accepts(api.signed({ target }), 200);
      expect(records[0]).toMatchObject({ action: 'invoice.read', request: { path: api.at(target) } });
      await api.denies(api.signed({ key: runner, target }), 403, 'policy_denied');
    },
  );

  // Koa's router keeps an undecodable path unchanged; Fastify answers before any hook, so nothing is recorded.
  it.each(['%zz', '%ED%A0%80', '%'])('an undecodable path, %s, causes no 5xx [B10, G3]', async (id) => {
    const request = api.signed({ key: runner, method: 'DELETE', target: `/records/${id}` });
    if (api.host === 'koa2' || api.host === 'koa3') {
      const { records } = await api.accepts(request, 204);
      expect(records[0]).toMatchObject({ resource: { type: 'Record', id } });
      return;
    }
    if (!onFastify(api)) return void (await api.answers(request, 400));
    const handledBefore = api.running.handled.length;
    expect(await api.send(request)).toMatchObject({ status: 400 });
    expect(api.running.handled).toHaveLength(handledBefore);
  });

  it('two Host fields [A13]', async () => {
    const request = withFields(api.signed(), ['Host', 'evil.example']);
    const before = api.records.length;
    const handledBefore = api.running.handled.length;
    const response = await api.send(request);
    expect(response.status).toBe(400);
    expect(api.running.handled).toHaveLength(handledBefore);
    expect(api.records.slice(before).map(({ code }) => code)).toEqual(['request_malformed']);
  });

  it('no Host field, as HTTP/1.0 allows [A13]', async () => {
    const fields = 'Signature: sig=:AA==:\r\nSignature-Input: sig=()\r\n\r\n';
    const raw = Buffer.from(`GET ${api.at('/whoami')} HTTP/1.0\r\n${fields}`);
    const { response } = await api.refuses(raw, 400, 'request_malformed');
    expect(response.headers).not.toHaveProperty('www-authenticate');
  });

  it.each(['OPTIONS *', 'GET whoami', 'GET /whoami#top', 'GET /who\xe4mi'])(
    '%s is never served [A13]',
    async (line) => {
      const handledBefore = api.running.handled.length;
      const mounted = line.replace(' /', ` ${api.mount}/`);
      const response = await api.send(Buffer.from(`${mounted} HTTP/1.1\r\nHost: ${api.authority}\r\n\r\n`, 'latin1'));
      // A path outside the mount never reaches the guard.
      expect(api.mount === '' ? [400] : [400, 404]).toContain(response.status);
      expect(api.running.handled).toHaveLength(handledBefore);
    },
  );
});

const admin = 'https://admin.acme.dev';

onEveryHost(
  'Several origins of one guard',
  (api) => {
    const at = (authority: string, more: object) =>
      api.signed({ host: authority, target: api.at('/whoami'), scheme: 'https', ...more });

    it('are an audience each for tokens, and the log says which was called [A13, B4]', async () => {
      const token = await api.token({ aud: admin });
      const { response, records } = await api.accepts(at('admin.acme.dev', { token }), 200);
      expect(JSON.parse(response.body)).toMatchObject({ subject: { id: userId } });
      expect(records[0]?.request).toMatchObject({ authority: 'admin.acme.dev' });
      await api.refuses(at('api.acme.dev', { token }), 401, 'token_audience_mismatch');
    });

    refuseEach(api, [
      [
        'another origin in X-Forwarded-Host, which a framework may believe [A13]',
        () => at('api.acme.dev', { fields: [['X-Forwarded-Host', 'admin.acme.dev']] }),
        400,
        'request_malformed',
      ],
      [
        'another origin in a list of X-Forwarded-Host [A13]',
        () => at('api.acme.dev', { fields: [['X-Forwarded-Host', 'api.acme.dev, admin.acme.dev']] }),
        400,
        'request_malformed',
      ],
      ...(['Host', 'X-Forwarded-Host'] as const).flatMap((name) =>
        ['API.acme.dev', 'api.acme.dev:443'].map(
          (host): Attack => [
            `${host} in ${name}, which a router by host takes for another origin [H2]`,
            () => (name === 'Host' ? at(host, {}) : at('api.acme.dev', { fields: [[name, host]] })),
            400,
            'request_malformed',
          ],
        ),
      ),
    ]);

    it('serve a request whose X-Forwarded-Host says the same [A13]', async () => {
      await api.accepts(at('api.acme.dev', { fields: [['X-Forwarded-Host', 'api.acme.dev']] }), 200);
    });

    it('are an audience each for links [A13, B4]', async () => {
      const token = await api.token({ aud: [origin, admin], scope: 'repo:read' });
      const from = { id: reviewerId, key: reviewer };
      const link = linkOf(from, runnerId, { audience: admin, parent: token, claims: { scope: 'repo:read' } });
      const handedOn = { key: runner, token, fields: [delegationField([link])] };
      await api.accepts(at('admin.acme.dev', handedOn), 200);
      await api.refuses(at('api.acme.dev', handedOn), 401, 'delegation_audience_mismatch');
    });

    it('fetch the keys of an issuer once for all, so that a change of keys counts for all at once [A14]', async () => {
      const server = await startKeyServer(json({ keys: [issuer.jwk] }));
      const trusted = { issuer: issuer.issuer, jwksUri: server.url, ...loopback };
      const both = await api.variant({ config: { issuers: [trusted] }, start: { guard: { origin: [origin, admin] } } });
      const token = await both.token({ aud: [origin, admin] });
      await both.accepts(at('admin.acme.dev', { token }), 200);
      await both.accepts(at('api.acme.dev', { token }), 200);
      expect(server.asked).toHaveLength(1);
    });
  },
  { start: { guard: { origin: [origin, admin] } } },
);

onEveryHost(
  'Several origins of one guard over HTTP/2',
  (api) => {
    const to = (host: string) => api.signed({ host, scheme: 'https' });
    const beside = (host: string) => withFields(to('api.acme.dev'), ['host', host]);

    refuseEach(
      api,
      ['API.acme.dev', 'api.acme.dev:443'].map(
        (host): Attack => [`:authority ${host} [H2]`, () => to(host), 400, 'request_malformed'],
      ),
    );
    refuseEach(api, [['API.acme.dev beside :authority [H2]', () => beside('API.acme.dev'), 400, 'request_malformed']]);

    it('are served where both are spelt like the origin [H2]', async () => {
      await api.accepts(beside('api.acme.dev'), 200);
    });
  },
  { start: { guard: { origin: [origin, admin] }, http2: true } },
);
