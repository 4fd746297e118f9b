import { createAgent, generateAgentKey } from '@countersign/agent';
import { verifyLog } from '@countersign/audit-verifier';
import { createAuthority, openSqlite, type SignInOptions } from '@countersign/authority';
import { agentsFromObjects } from '@countersign/core';
import { draftLink, mintDelegation } from '@countersign/delegation';
import { requireComponents } from '@countersign/signature';
import { expect, it } from 'vitest';

const audience = 'https://api.acme.dev';
const key = generateAgentKey();
const { public_key: publicKey } = key.registration('agent-a', []);
const now = 1_700_000_000;

const mint = (change: object) =>
  mintDelegation({
    issuer: 'https://id.acme.dev',
    key: {},
    user: 'alice',
    agent: 'agent-a',
    scope: 'a:read',
    audience,
    lifetimeSeconds: 60,
    now,
    ...change,
  });
const draft = async (change: object) =>
  draftLink({ delegator: 'a', delegate: 'b', scope: 'a:read', audience, lifetimeSeconds: 60, now, ...change });
const delegate = async (change: object) =>
  (await createAgent({ id: 'agent-a', key })).delegate('agent-b', { scope: 'a:read', audience, ...change });
const actFor = async (change: object) =>
  (await createAgent({ id: 'agent-a', key, authority: 'https://id.acme.dev' })).actFor('token', change);
const detail = { type: 'Repo', identifier: 'acme/api' };
const registration = async (change: object) => agentsFromObjects([{ id: 'agent-a', publicKey, ...change }]);
const signIn: SignInOptions = {
  issuer: 'https://login.acme.dev',
  clientId: 'authority',
  clientSecret: 'secret',
  subjectNamespace: 'acme:',
};

type Authority = Awaited<ReturnType<typeof createAuthority>>;

async function withAuthority(change: object, use: (authority: Authority) => unknown = () => undefined): Promise<void> {
  const store = await openSqlite(':memory:');
  try {
    const secret = 'secret-of-the-tests-0123456789-0123456789';
    const authority = await createAuthority({
      issuer: 'https://id.acme.dev',
      secret,
      store,
      resources: [{ audience }],
      ...change,
    });
    try {
      await use(authority);
    } finally {
      await authority.close();
    }
  } finally {
    await store.close();
  }
}

const add = (change: object) => withAuthority({}, ({ agents }) => agents.add({ id: 'agent-a', publicKey, ...change }));
const update = (change: object) =>
  withAuthority({}, async ({ agents }) => {
    await agents.add({ id: 'agent-a', publicKey, expiresAt: 2_000_000_000 });
    await agents.update('agent-a', change);
  });
const addKey = (key: object, options?: object) =>
  withAuthority({}, async ({ agents }) => {
    await agents.add({ id: 'agent-a', publicKey });
    const other = generateAgentKey().registration('agent-a', []).public_key;
    await agents.addKey('agent-a', { publicKey: other, ...key }, options);
  });

it.each<[call: string, option: string, open: (change: object) => unknown]>([
  ['mintDelegation', 'authorizationDetails', mint],
  ['mintDelegation', 'maxHops', mint],
  ['mintDelegation', 'agentKeyThumbprint', mint],
  ['mintDelegation', 'agentPublicKey', mint],
  ['mintDelegation', 'statusReference', mint],
  ['mintDelegation', 'previous', mint],
  ['mintDelegation', 'scopeMatch', mint],
  ['mintDelegation, a detail', 'actions', (change) => mint({ authorizationDetails: [{ ...detail, ...change }] })],
  ['draftLink', 'authorizationDetails', draft],
  ['draftLink', 'maxHops', draft],
  ['draftLink', 'delegateKeyThumbprint', draft],
  ['draftLink', 'parent', draft],
  ['agent.delegate', 'authorizationDetails', delegate],
  ['agent.delegate', 'maxHops', delegate],
  ['agent.delegate', 'keyId', delegate],
  ['agent.delegate', 'audience', delegate],
  ['agent.delegate, a detail', 'actions', (change) => delegate({ authorizationDetails: [{ ...detail, ...change }] })],
  ['agent.actFor', 'authorizationDetails', actFor],
  ['agent.actFor', 'scope', actFor],
  ['agentsFromObjects', 'status', registration],
  ['createAuthority, a resource', 'scopes', (change) => withAuthority({ resources: [{ audience, ...change }] })],
  [
    'createAuthority, signIn',
    'requiredClaims',
    (change) => withAuthority({ users: { signIn: { ...signIn, ...change } } }),
  ],
  ['agents.add', 'expiresAt', add],
  ['agents.add', 'notBefore', add],
  ['agents.add', 'roles', add],
  ['agents.add', 'owner', add],
  ['agents.add', 'tags', add],
  ['agents.add, a role', 'until', (change) => add({ roles: [{ name: 'editor', ...change }] })],
  ['agents.update', 'expiresAt', update],
  ['agents.addKey', 'expiresAt', addKey],
  ['agents.addKey', 'overlapSeconds', (change) => addKey({}, change)],
  ['requireComponents', 'all', async (change) => requireComponents(change)],
  ['verifyLog', 'checkpoints', (change) => verifyLog('nowhere', { key: 'x', ...change })],
  ['createAgent', 'cover', async (change) => createAgent({ id: 'agent-a', key, ...change })],
])('%s refuses an undefined %s, because a value would restrict more [G5]', async (_call, option, open) => {
  await expect(open({ [option]: undefined })).rejects.toThrow(`'${option}' is undefined. Leave the member out`);
});
