import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { deflateSync } from 'node:zlib';
import type { IssuerOptions } from '@countersign/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { accessToken, type Claims, ed25519Issuer, type TestIssuer } from '../support/tokens.js';
import { evilIssuer, issuer, userId } from '../support/world.js';

const careful = ed25519Issuer('https://id.careful.example', 'careful-1');
const loopback = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true };
const issuers: readonly IssuerOptions[] = [
  { issuer: issuer.issuer, jwks: { keys: [issuer.jwk] }, ...loopback },
  // Its lists are allowed only under this prefix.
  { issuer: careful.issuer, jwks: { keys: [careful.jwk] }, subjectNamespace: 'careful:' },
];

// Two bits each: valid, revoked, suspended, application specific.
const statuses = deflateSync(Buffer.of(0b11_10_01_00)).toString('base64url');
const bomb = deflateSync(Buffer.alloc(16 * 1024 ** 2)).toString('base64url');

/** The defect of each list, by its path. */
const lists: Readonly<
  Record<string, { readonly claims?: Claims; readonly header?: Claims; readonly by?: TestIssuer }>
> = {
  '/good': {},
  '/about-others': { claims: { sub: 'https://id.acme.dev/statuslists/2' } },
  '/of-others': { by: evilIssuer },
  '/named-after-others': { claims: { iss: evilIssuer.issuer } },
  '/expired': { claims: { iat: 1_700_000_000, exp: 1_700_000_600 } },
  '/bomb': { claims: { status_list: { bits: 1, lst: bomb } } },
  '/access-token': { header: { typ: 'at+jwt' } },
};

let at: string;
const answer: RequestListener = (request, response) => {
  const { claims, header, by = issuer } = lists[request.url ?? ''] ?? {};
  const now = Math.floor(Date.now() / 1000);
  const list = {
    sub: `${at}${request.url}`,
    iat: now,
    exp: now + 600,
    status_list: { bits: 2, lst: statuses },
    ...claims,
  };
  void accessToken(by, list, { typ: 'statuslist+jwt', ...header }).then((text) => {
    if (request.url === '/moved') return response.writeHead(302, { location: `${at}/good` }).end();
    return response.setHeader('content-type', 'application/statuslist+jwt').end(text);
  });
};
const server = createServer(answer);

beforeAll(async () => {
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  at = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

onEveryHost(
  'Status lists',
  (api) => {
    const pull = (uri: string, idx: number) => api.pull({ status: { status_list: { uri, idx } } });
    const ofCareful = async (uri: string) => {
      const status = { status_list: { uri, idx: 0 } };
      return api.signed({ token: await api.token({ sub: userId, status }, {}, careful) });
    };

    it('accept a token with a valid status, the second time from the cached list', async () => {
      const valid = await api.token({ status: { status_list: { uri: `${at}/good`, idx: 0 } } });
      await api.accepts(api.signed({ token: valid }), 200);
      await api.accepts(api.signed({ token: valid }), 200);
    });

    refuseEach(api, [
      ['a revoked token [B11, C7]', () => pull(`${at}/good`, 1), 401, 'token_revoked'],
      ['a suspended token [B11, C7]', () => pull(`${at}/good`, 2), 401, 'token_revoked'],
      ['an application-specific status [B11]', () => pull(`${at}/good`, 3), 401, 'token_revoked'],
      ['an index beyond the end [B11]', () => pull(`${at}/good`, 4), 401, 'token_invalid'],
      ['an index far beyond the end [B11]', () => pull(`${at}/good`, 2 ** 40), 401, 'token_invalid'],
      ['a negative index [B11]', () => pull(`${at}/good`, -1), 401, 'token_invalid'],
      ['an unknown status mechanism [B11]', () => api.pull({ status: { x: {} } }), 401, 'token_invalid'],
      ['a list about another address [B11]', () => pull(`${at}/about-others`, 0), 503, 'revocations_unavailable'],
      ['a list signed by another issuer [B11]', () => pull(`${at}/of-others`, 0), 503, 'revocations_unavailable'],
      [
        'a list that names another issuer [B11]',
        () => pull(`${at}/named-after-others`, 0),
        503,
        'revocations_unavailable',
      ],
      ['an expired list [B11]', () => pull(`${at}/expired`, 0), 503, 'revocations_unavailable'],
      ['a zip bomb [B11]', () => pull(`${at}/bomb`, 0), 503, 'revocations_unavailable'],
      ['an access token for a list [B3]', () => pull(`${at}/access-token`, 0), 503, 'revocations_unavailable'],
      ['a list behind a redirect [A14]', () => pull(`${at}/moved`, 0), 503, 'revocations_unavailable'],
      [
        'an address where no server listens [B11]',
        () => pull('http://127.0.0.1:1/list', 0),
        503,
        'revocations_unavailable',
      ],
      ['a list over plain http [A14]', () => ofCareful('http://id.careful.example/list'), 401, 'token_invalid'],
      [
        'a list at the address of cloud metadata [A14]',
        () => ofCareful('https://169.254.169.254/'),
        401,
        'token_invalid',
      ],
      ['a list at a loopback address [A14]', () => ofCareful('https://[::ffff:7f00:1]/'), 401, 'token_invalid'],
    ]);

    it('report the problem of a list only to the operator [B11]', async () => {
      const { response, records } = await api.refuses(await pull(`${at}/of-others`, 0), 503, 'revocations_unavailable');
      expect(records[0]?.detail).toMatch(/status list: its signature does not verify|no single key/);
      expect(response.text).not.toContain('status list');
    });
  },
  { config: { issuers }, start: { guard: { onTrouble: () => {} } } },
);
