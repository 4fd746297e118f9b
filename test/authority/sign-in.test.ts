import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateAgentKey } from '@countersign/agent';
import * as openid from 'openid-client';
import { expect, it, onTestFinished, vi } from 'vitest';
import { CookieBrowser } from '../support/cookie-browser.js';
import { freePort as freePortNumber } from '../support/free-port.js';
import { startOpenIdProvider } from '../support/openid-provider.js';
import { patiently } from '../support/patiently.js';
import { privateKeyOf } from './support.js';
import { adminToken, configure, countersign, startCommand } from './support-process.js';

const redirectUri = 'http://127.0.0.1:4999/callback';

/** A configuration whose users sign in at a provider that may start later. */
async function world(secret: 'file' | 'environment') {
  const port = await freePortNumber();
  const signIn = {
    issuer: `http://127.0.0.1:${port}`,
    clientId: 'authority',
    subjectNamespace: 'acme:',
    ...(secret === 'file' && { clientSecretFile: 'client-secret', subjectClaim: 'oid' }),
  };
  const files = await configure({ resources: [{ audience: 'https://api.acme.dev' }], users: { signIn } });
  const startIdp = async () => {
    const idp = await startOpenIdProvider({ redirectUris: [`${files.issuer}/sign-in/callback`], port });
    onTestFinished(() => idp.close());
    await writeFile(join(files.folder, 'client-secret'), idp.clientSecret, { mode: 0o600 });
    return idp;
  };
  return { ...files, idpIssuer: signIn.issuer, startIdp };
}

it('users of a standalone authority sign in, let an agent act, and end it, without a line of code', async () => {
  const { folder, config, issuer, idpIssuer, startIdp } = await world('file');
  await startIdp();
  const { err } = await startCommand(['authority', '--config', config]);
  await vi.waitFor(
    () => expect(err()).toContain(`Users sign in at ${idpIssuer}, where ${issuer}/sign-in/callback must be registered`),
    patiently,
  );
  const key = generateAgentKey();
  await writeFile(join(folder, 'agent.pem'), key.exportPem(), { mode: 0o600 });
  const agent = ['agents', 'add', 'agent-a', '--authority', issuer, '--key', join(folder, 'agent.pem')];
  const facts = ['--capabilities', 'repo:read', '--redirect-uris', redirectUri];
  const added = await countersign([...agent, ...facts], { COUNTERSIGN_ADMIN_TOKEN: adminToken });
  expect(added.exitCode, added.stderr).toBe(0);

  const auth = openid.PrivateKeyJwt(await privateKeyOf(key));
  const client = await openid.discovery(new URL(issuer), 'agent-a', undefined, auth, {
    execute: [openid.allowInsecureRequests],
  });
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const browser = new CookieBrowser();
  const there = await browser.open(
    openid.buildAuthorizationUrl(client, {
      redirect_uri: redirectUri,
      scope: 'repo:read',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
    }),
  );
  const question = await browser.submit(there, '', { login: 'alice', do: 'sign-in' });
  const answer = { scope: 'repo:read', seconds: '300', uses: '', decision: 'allow' };
  const sent = await browser.request(...browser.formOf(question, '/consent', answer));
  const callback = new URL(String(sent.headers.get('location')));
  const tokens = await openid.authorizationCodeGrant(client, callback, { pkceCodeVerifier });
  const isActive = async () => await openid.tokenIntrospection(client, tokens.access_token);
  expect(await isActive()).toMatchObject({ active: true, sub: 'acme:oid-alice', act: { sub: 'agent-a' } });

  const page = await browser.open(`${issuer}/delegations`);
  expect(page.text).toContain('alice@acme.dev');
  await browser.submit(page, '/delegations');
  expect(await isActive()).toEqual({ active: false });
});

it('an authority takes the secret from the environment, and starts while the provider is down', async () => {
  const { config, issuer, idpIssuer, startIdp } = await world('environment');
  const idp = { clientSecret: 'secret-of-the-environment' };
  const { err } = await startCommand(['authority', '--config', config], {
    COUNTERSIGN_CLIENT_SECRET: idp.clientSecret,
  });
  await vi.waitFor(() => expect(err()).toContain(`users cannot sign in until '${idpIssuer}' answers`), patiently);
  expect((await fetch(`${issuer}/delegations`)).status).toBe(503);
  await startIdp();
  expect((await new CookieBrowser().open(`${issuer}/delegations`)).text).toContain('Sign in at Acme');
});
