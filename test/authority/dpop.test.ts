import { agentsFromAuthority, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller, permit } from '@countersign/node-http';
import * as openid from 'openid-client';
import { expect, it, onTestFinished } from 'vitest';
import { listen, newAgentKey, startAuthority } from './support.js';

const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;

it('an OAuth client that cannot sign messages calls an API with DPoP and its registered key', async () => {
  let handle: Parameters<typeof listen>[0] | undefined;
  const api = await listen((request, response) => handle?.(request, response));
  const { issuer, authority } = await startAuthority({ audience: api });
  const guard = await createGuard({
    origin: api,
    agents: await agentsFromAuthority(issuer, local),
    issuers: [{ issuer, ...local }],
    policy: await cedarFromText({ policies: 'permit (principal, action, resource);' }),
    audit: memoryAudit(),
    dpop: {},
  });
  onTestFinished(() => guard.close());
  const auth = agentAuth(guard);
  const mayRead = permit('repo.read', { type: 'Repo', id: 'acme/api' });
  handle = async (request, response) => {
    if (!(await auth(request, response)) || !(await mayRead(request, response))) return;
    response.end(getCaller(request)?.actor.id);
  };
  const { key, privateKey } = await newAgentKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['repo:read'] });
  const config = await openid.discovery(new URL(issuer), 'agent-a', undefined, openid.PrivateKeyJwt(privateKey), {
    execute: [openid.allowInsecureRequests],
  });
  const publicKey = await globalThis.crypto.subtle.importKey('jwk', { ...key.publicJwk }, 'Ed25519', true, ['verify']);
  const DPoP = openid.getDPoPHandle(config, { privateKey, publicKey });
  const token = await openid.clientCredentialsGrant(config, undefined, { DPoP });
  const call = async (handle = DPoP) =>
    await openid.fetchProtectedResource(config, token.access_token, new URL(`${api}/`), 'GET', null, undefined, {
      DPoP: handle,
    });
  expect(await (await call()).text()).toBe('agent-a');
  const other = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('Ed25519'));
  await expect(call(other)).rejects.toThrow();
  const bearer = await fetch(api, { headers: { authorization: `Bearer ${token.access_token}` } });
  expect(bearer.status).toBe(401);
});
