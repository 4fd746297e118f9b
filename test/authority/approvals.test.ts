import { approvalDetails, type ApprovalRequest } from '@countersign/approval';
import { developmentUser } from '@countersign/authority';
import { decodeJwt } from 'jose';
import * as openid from 'openid-client';
import { expect, it } from 'vitest';
import { newAgentKey, startAuthority } from './support.js';

const audience = 'https://api.acme.dev';
const approver = { subject: 'user:rita', name: 'Rita', groups: ['release-managers'] };
const request: ApprovalRequest = {
  version: 1,
  audience,
  actor: { id: 'agent-a' },
  subject: { id: 'user:alice', type: 'user' },
  chain: [{ id: 'agent-a', type: 'agent', proof: 'signature' }],
  action: 'pr.merge',
  resource: { type: 'Repo', id: 'acme/api' },
  policies: ['policies.cedar#merge'],
  policySet: 'a'.repeat(64),
  requirement: {
    quorums: [{ groups: ['release-managers'], count: 1 }],
    useWithinSeconds: 600,
    decideWithinSeconds: 3600,
    reason: 'optional',
    excluded: [],
  },
};

/** An agent that has nothing but a standard client. */
async function world(path: string) {
  const { issuer, authority } = await startAuthority({
    audience,
    path,
    users: { authenticate: developmentUser('user:rita') },
    approvals: {},
  });
  const { key, privateKey } = await newAgentKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['pr:write'] });
  const config = await openid.discovery(
    new URL(issuer),
    'agent-a',
    { id_token_signed_response_alg: 'EdDSA' },
    openid.PrivateKeyJwt(privateKey),
    { execute: [openid.allowInsecureRequests] },
  );
  const ask = async (action: string) =>
    await openid.initiateBackchannelAuthentication(config, {
      scope: 'openid',
      login_hint: 'approvers',
      binding_message: 'The tests are green',
      authorization_details: JSON.stringify([approvalDetails({ ...request, action })]),
    });
  return { authority, issuer, config, ask };
}

it.each(['', '/oidc'])('openid-client completes CIBA, below %j', async (path) => {
  const { authority, config, ask, issuer } = await world(path);
  const started = await ask('pr.merge');
  // A second may have passed.
  expect(started).toMatchObject({ expires_in: expect.closeTo(3596, -1) as unknown, interval: 2 });
  const waiting = openid.pollBackchannelAuthenticationGrant(config, started);
  const { approvals } = authority;
  expect((await approvals?.find(started.auth_req_id))?.shown).toEqual({ why: 'The tests are green' });
  await approvals?.decide(approver, {
    id: started.auth_req_id,
    binding: approvalDetails(request).binding,
    verdict: 'approve',
  });
  const { access_token: approval, authorization_details: details } = await waiting;
  const { binding } = approvalDetails(request);
  expect(decodeJwt(approval)).toMatchObject({ iss: issuer, jti: started.auth_req_id, aud: [audience], binding });
  expect(details).toMatchObject([{ type: 'countersign_approval', binding }]);
});

it('openid-client learns of a denial, and withdraws by revocation', async () => {
  const { authority, config, ask } = await world('');
  const [denied, withdrawn] = [await ask('pr.merge'), await ask('pr.close')];
  const { binding } = approvalDetails(request);
  await authority.approvals?.decide(approver, { id: denied.auth_req_id, binding, verdict: 'deny', reason: 'Später' });
  await expect(openid.pollBackchannelAuthenticationGrant(config, denied)).rejects.toMatchObject({
    error: 'access_denied',
    cause: { approval: { status: 'denied', reason: 'Später' } },
  });
  await openid.tokenRevocation(config, withdrawn.auth_req_id);
  expect((await authority.approvals?.find(withdrawn.auth_req_id))?.status).toBe('withdrawn');
});
