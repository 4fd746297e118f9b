import { generateKeyPairSync } from 'node:crypto';
import { maxAncestors, readClaims } from '@countersign/delegation';
import { SignJWT } from 'jose';
import { describe, expect, it } from 'vitest';
import { sql } from '../../src/storage/store.js';
import { startAuthority } from '../support/authority.js';
import { claimsOf, dpopProof, exchange, newKey, ownToken, post } from '../support/client.js';
import { asShown, type CodeAnswer, consent, newPkce, redeem, startPages } from '../support/pages.js';

const idp = 'https://idp.acme.dev';

async function world() {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const running = await startAuthority({
    externalIssuers: [
      {
        issuer: idp,
        audience: 'https://id.acme.dev',
        subjectNamespace: 'acme:',
        jwks: { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'idp-1' }] },
      },
    ],
    exchange: [
      { agents: ['agent-a'], issuer: idp },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const keys = { a: newKey(), b: newKey() };
  for (const [name, { publicKey: key }] of Object.entries(keys))
    await running.authority.agents.add({ id: `agent-${name}`, publicKey: key, capabilities: ['repo'] });
  const signIn = async (claims: object): Promise<string> => {
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: idp, sub: 'alice', aud: 'https://id.acme.dev', scope: 'repo:read', iat: now, exp: now + 120 };
    return await new SignJWT({ ...all, ...claims })
      .setProtectedHeader({ alg: 'EdDSA', typ: 'at+jwt', kid: 'idp-1' })
      .sign(privateKey);
  };
  return { running, keys, signIn };
}

describe('a token names what it was made from [C7]', () => {
  it('the sign-in elsewhere, and each token on the way with its key, most recent first', async () => {
    const { running, keys, signIn } = await world();
    const first = (await exchange(running, 'agent-a', keys.a, await signIn({ jti: 'sign-in-1' }))).access_token;
    const again = (await exchange(running, 'agent-a', keys.a, first)).access_token;
    const second = (await exchange(running, 'agent-b', keys.b, again)).access_token;
    const bySignIn = { iss: idp, jti: 'sign-in-1' };
    const byFirst = { jti: claimsOf(first).jti, jkt: keys.a.thumbprint };
    const byAgain = { jti: claimsOf(again).jti, jkt: keys.a.thumbprint };
    expect(claimsOf(first)['ancestors']).toEqual([bySignIn]);
    expect(claimsOf(again)['ancestors']).toEqual([byFirst, bySignIn]);
    expect(claimsOf(second)['ancestors']).toEqual([byAgain, byFirst, bySignIn]);
    expect(readClaims(claimsOf(second))).toMatchObject({ ok: true });
    const introspected = await post(running, '/introspect', 'agent-b', keys.b, { token: second });
    const { scope_match } = claimsOf(second);
    expect(scope_match).toBeDefined();
    const known = { active: true, ancestors: [byAgain, byFirst, bySignIn], scope_match };
    expect(await introspected.json()).toMatchObject(known);
  });

  it('the provider alone if its token has no id that can be one', async () => {
    const { running, keys, signIn } = await world();
    for (const jti of [undefined, 7, '', 'a\nb']) {
      const { access_token: token } = await exchange(running, 'agent-a', keys.a, await signIn({ jti }));
      expect(claimsOf(token)['ancestors']).toEqual([{ iss: idp }]);
    }
  });

  it('the consent of the user', async () => {
    const { running, key } = await startPages();
    const pkce = newPkce();
    const response = await redeem(running, key, await consent(running, 'user:alice', pkce, asShown), pkce);
    const { access_token: token } = (await response.json()) as CodeAnswer;
    const [{ id: jti } = {}] = await running.store.run(sql`SELECT id FROM countersign_consents`);
    expect(claimsOf(token)['ancestors']).toEqual([{ jti }]);
  });

  it('the key with which the agent got it, if it is bound to another', async () => {
    const { running, keys, signIn } = await world();
    const other = newKey();
    const proof = () => ({ headers: { dpop: dpopProof(`${running.issuer}/token`, other) } });
    const first = (await exchange(running, 'agent-a', keys.a, await signIn({}), {}, proof())).access_token;
    const again = (await exchange(running, 'agent-a', keys.a, first)).access_token;
    const before = [{ jkt: keys.a.thumbprint }, { iss: idp }];
    expect(claimsOf(first)).toMatchObject({ cnf: { jkt: other.thumbprint }, ancestors: before });
    expect(claimsOf(again)['ancestors']).toEqual([{ jti: claimsOf(first).jti, jkt: other.thumbprint }, ...before]);
  });

  it('nothing if an agent got it for itself', async () => {
    const { running, keys } = await world();
    const own = (await ownToken(running, 'agent-a', keys.a)).access_token;
    expect(claimsOf(own)).not.toHaveProperty('ancestors');
    const narrowed = (await exchange(running, 'agent-a', keys.a, own)).access_token;
    expect(claimsOf(narrowed)['ancestors']).toEqual([{ jti: claimsOf(own).jti, jkt: keys.a.thumbprint }]);
  });
});

it('an exchange is refused when a token would have too many ancestors', async () => {
  const { running, keys, signIn } = await world();
  let held = (await exchange(running, 'agent-a', keys.a, await signIn({}))).access_token;
  for (let count = 1; count < maxAncestors - 1; count++)
    held = (await exchange(running, 'agent-a', keys.a, held)).access_token;
  expect(claimsOf(held)['ancestors']).toHaveLength(maxAncestors - 1);
  const introspected = await post(running, '/introspect', 'agent-a', keys.a, { token: held });
  expect(await introspected.json()).toMatchObject({ active: true });
  for (const agent of ['a', 'b'] as const) {
    expect(await exchange(running, `agent-${agent}`, keys[agent], held)).toMatchObject({
      error: 'invalid_grant',
      error_description: 'the subject token was exchanged too often: exchange an earlier one',
    });
  }
});
