import { expect, it } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { documents, down, hostile, type KeyServer, loopback, startKeyServer } from '../support/key-server.js';
import { delegationField, linkOf } from '../support/links.js';
import { ed25519Issuer } from '../support/tokens.js';
import { partner, reviewerId, runner, runnerId, userId } from '../support/world.js';

const metadataPath = '/.well-known/oauth-authorization-server';
const openidPath = '/.well-known/openid-configuration';

/** An API that trusts the issuer at that address by its name alone. */
function trusting(api: Api, { url }: KeyServer): Promise<Api> {
  return api.variant({ config: { issuers: [{ issuer: url, ...loopback }] } });
}

/** Invalid metadata of an issuer at this URL: the other document is valid, and must not be fetched. */
const badMetadata: readonly ((url: string) => unknown)[] = [
  (url) => ({ issuer: 'https://id.acme.dev', jwks_uri: `${url}/keys` }),
  (url) => ({ issuer: `${url}/`, jwks_uri: `${url}/keys` }),
  (url) => ({ jwks_uri: `${url}/keys` }),
  (url) => ({ issuer: url, jwks_uri: 'file:///etc/passwd' }),
  (url) => ({ issuer: url, jwks_uri: url.replace('//', '//u:p@') }),
  (url) => ({ issuer: url }),
];

/** One API trusts them all; a genuine token of each is refused, because its keys cannot be had. */
async function refusedAsUnavailable(api: Api, servers: readonly KeyServer[]): Promise<void> {
  const issuers = servers.map(({ url }, index) => ({ issuer: url, subjectNamespace: `${index}:`, ...loopback }));
  const guarded = await api.variant({ config: { issuers } });
  for (const { url } of servers) {
    const token = await guarded.token({}, {}, ed25519Issuer(url, 'one'));
    await guarded.refuses(await guarded.pull({}, { token }), 503, 'issuer_unavailable');
  }
}

onEveryHost('Issuers that are discovered', (api) => {
  it.each([metadataPath, openidPath])('by %s', async (path) => {
    const server = await startKeyServer(down);
    const issuer = ed25519Issuer(server.url, 'one');
    server.answer = documents({
      [path]: { issuer: server.url, jwks_uri: `${server.url}/keys` },
      '/keys': { keys: [issuer.jwk] },
    });
    const guarded = await trusting(api, server);
    // There is no fetch before the first token.
    await guarded.accepts(guarded.signed(), 200);
    expect(server.asked).toEqual([]);
    const token = await guarded.token({}, {}, issuer);
    const { records } = await guarded.accepts(await guarded.pull({}, { token }), 201);
    expect(records[0]).toMatchObject({ subject: { id: userId, issuer: server.url } });
    const asked = server.asked.length;
    await guarded.accepts(await guarded.pull({}, { token }), 201);
    expect(server.asked).toHaveLength(asked);
  });

  it('invalid metadata is refused, without a fallback [A14, B4]', async () => {
    const servers = await Promise.all(
      badMetadata.map(async (metadata) => {
        const server = await startKeyServer(down);
        const { jwk } = ed25519Issuer(server.url, 'one');
        server.answer = documents({
          [metadataPath]: metadata(server.url),
          [openidPath]: { issuer: server.url, jwks_uri: `${server.url}/keys` },
          '/keys': { keys: [jwk] },
        });
        return server;
      }),
    );
    await refusedAsUnavailable(api, servers);
    for (const { asked } of servers) expect(asked).toEqual([metadataPath]);
  });

  it(`an issuer that ${hostile.map(([title]) => title).join(', or ')} [A14]`, async () => {
    await refusedAsUnavailable(api, await Promise.all(hostile.map(async ([, answer]) => startKeyServer(answer))));
  });

  it('a flood of unknown kids makes for one fetch; B4 nor do they count for another issuer [A14]', async () => {
    const server = await startKeyServer(down);
    const issuer = ed25519Issuer(server.url, 'one');
    server.answer = documents({
      [metadataPath]: { issuer: server.url, jwks_uri: `${server.url}/keys` },
      '/keys': { keys: [issuer.jwk] },
    });
    const guarded = await trusting(api, server);
    for (const kid of ['two', 'three', '../keys', '__proto__']) {
      const token = await guarded.token({}, { kid }, issuer);
      await guarded.refuses(await guarded.pull({}, { token }), 401, 'token_invalid');
    }
    expect(server.asked).toEqual([metadataPath, '/keys']);
    const token = await guarded.token({ iss: `${server.url}/` }, {}, issuer);
    await guarded.refuses(await guarded.pull({}, { token }), 401, 'token_issuer_unknown');
  });
});

onEveryHost('Users of several issuers', (api) => {
  it("a permit for our user does not cover a partner's user of the same name [C8]", async () => {
    const ours = `permit(principal, action == Action::"pr.create", resource)
      when { context has onBehalfOf && context.onBehalfOf == User::"${userId}" };`;
    const guarded = await api.variant({ config: { policies: ours } });
    await guarded.accepts(await guarded.pull(), 201);
    const theirs = await guarded.token({}, {}, partner);
    const { records } = await guarded.denies(await guarded.pull({}, { token: theirs }), 403, 'policy_denied');
    expect(records[0]).toMatchObject({ subject: { id: `partner:${userId}`, issuer: partner.issuer } });
    // The name in a token turns neither a partner's user into ours nor ours into the partner's.
    const inside = await guarded.token({ sub: `partner:${userId}` });
    await guarded.refuses(await guarded.pull({}, { token: inside }), 401, 'token_invalid');
  });
});

onEveryHost('Issuers with an audience of their own', (api) => {
  it('accept their tokens only for that audience, not for the one of the guard [B5]', async () => {
    const issuers = [{ issuer: partner.issuer, jwks: { keys: [partner.jwk] }, audience: 'urn:acme:api' }];
    const guarded = await api.variant({ config: { issuers } });
    const token = await guarded.token({ aud: ['urn:acme:api', 'urn:other'] }, {}, partner);
    await guarded.accepts(await guarded.pull({}, { token }), 201);
    const usual = await guarded.token({}, {}, partner);
    await guarded.refuses(await guarded.pull({}, { token: usual }), 401, 'token_audience_mismatch');
  });

  it('accept links to their tokens for that audience only [B5]', async () => {
    const issuers = [{ issuer: partner.issuer, jwks: { keys: [partner.jwk] }, audience: 'urn:acme:api' }];
    const guarded = await api.variant({ config: { issuers } });
    const claims = { aud: ['urn:acme:api', 'urn:other'], act: { sub: runnerId }, scope: 'repo:read' };
    const token = await guarded.token(claims, {}, partner);
    const handedOn = (audience: string) => {
      const link = linkOf({ id: runnerId, key: runner }, reviewerId, {
        audience,
        parent: token,
        claims: { scope: 'repo:read' },
      });
      return guarded.signed({ token, fields: [delegationField([link])] });
    };
    const { response } = await guarded.accepts(handedOn('urn:acme:api'), 200);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: reviewerId }, subject: { id: userId } });
    await guarded.refuses(handedOn('urn:other'), 401, 'delegation_audience_mismatch');
    await guarded.refuses(handedOn(guarded.audience), 401, 'delegation_audience_mismatch');
  });

  it('do not change the audience of a link without a token [B5]', async () => {
    const issuers = [{ issuer: partner.issuer, jwks: { keys: [partner.jwk] }, audience: 'urn:acme:api' }];
    const guarded = await api.variant({ config: { issuers } });
    const own = (audience: string) => {
      const link = linkOf({ id: runnerId, key: runner }, reviewerId, { audience, claims: { scope: 'repo:read' } });
      return guarded.signed({ fields: [delegationField([link])] });
    };
    await guarded.accepts(own(guarded.audience), 200);
    await guarded.refuses(own('urn:acme:api'), 401, 'delegation_audience_mismatch');
  });
});
