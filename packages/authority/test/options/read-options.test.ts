import { ConfigError } from '@countersign/common';
import { describe, expect, it } from 'vitest';
import { type AuthorityOptions, createAuthority, openSqlite } from '../../src/index.js';

const signIn = {
  issuer: 'https://login.acme.dev',
  clientId: 'authority',
  clientSecret: 'secret',
  subjectNamespace: 'acme:',
};
const external = { issuer: 'https://idp.acme.dev', audience: 'x', subjectNamespace: 'acme:' };

async function create(change: object): Promise<void> {
  const store = await openSqlite(':memory:');
  const options = {
    issuer: 'https://id.acme.dev',
    secret: 'secret-of-the-tests-0123456789-0123456789',
    store,
    resources: [{ audience: 'https://api.acme.dev' }],
    ...change,
  } as AuthorityOptions;
  const authority = await createAuthority(options).finally(async () => await store.close());
  await authority.close();
}

describe('createAuthority', () => {
  it('accepts what is right', async () => {
    await create({ issuer: 'https://acme.dev/oidc' });
    const users = { signIn: { ...signIn, issuer: 'http://127.0.0.1:9' } };
    for (const subjectNamespace of ['acme:', 'b:']) {
      const same = { ...external, issuer: users.signIn.issuer, subjectNamespace };
      await create({ users, externalIssuers: [same], onTrouble: () => {} });
    }
    const same = { ...external, issuer: users.signIn.issuer, subjectClaim: 'uid' };
    await create({ users, externalIssuers: [same], approvals: {}, onTrouble: () => {} });
    await create({
      issuer: 'http://127.0.0.1:8080',
      externalIssuers: [external],
      exchange: [{ tag: 'a', issuer: external.issuer }],
    });
  });

  it.each([
    [{ issuer: 'http://id.acme.dev' }, /https/],
    [{ issuer: 'https://id.acme.dev/' }, /slash/],
    [{ issuer: 'https://ID.acme.dev' }, /issuer/],
    [{ issuer: 'https://id.acme.dev?x' }, /issuer/],
    [{ secret: 'short' }, /32/],
    [{ store: undefined }, /openSqlite/],
    [{ store: openSqlite(':memory:') }, /await/],
    [{ resources: [] }, /at least one/],
    [{ resources: [{ audience: 'api' }] }, /absolute URL/],
    [{ resources: [{ audience: 'https://a.dev' }, { audience: 'https://a.dev' }] }, /twice/],
    [{ resources: [{ audience: 'https://a.dev', scopes: ['a b:'] }] }, /scopes/],
    [{ resources: [{ audience: 'https://a.dev', scopeMatch: 'Exact' as 'exact' }] }, /'hierarchical' or 'exact'/],
    [{ resources: [{ audience: 'https://a.dev', scope: ['a'] }] }, /Did you mean 'scopes'/],
    [{ adminTokens: ['admin'] }, /32/],
    [{ adminTokens: 'x'.repeat(40) }, /list/],
    [{ tokenLifetimeSeconds: 86_400 }, /3600/],
    [{ maxDelegationDepth: 17 }, /16/],
    [{ signingKeyDays: 0 }, /365/],
    [{ audit: 'audit' }, /auditFile/],
    [{ audit: [] }, /auditFile/],
    [{ audit: undefined }, /'audit' must be a sink/],
    [{ audit: { write: async () => {}, bestEffort: true } }, /no sink keeps records for sure/],
    [{ tokenLifetimeSecond: 60 }, /Did you mean 'tokenLifetimeSeconds'/],
    [{ externalIssuers: [{ ...external, subjectNamespace: '' }] }, /subjectNamespace/],
    [
      { externalIssuers: [external, { ...external, issuer: 'https://b.dev', subjectNamespace: 'acme:b' }] },
      /beginning/,
    ],
    [{ externalIssuers: [external, external] }, /twice/],
    [{ externalIssuers: [{ ...external, issuer: 'https://id.acme.dev' }] }, /itself/],
    [{ externalIssuers: [{ ...external, algorithms: ['HS256'] }] }, /EdDSA/],
    [{ externalIssuers: [{ ...external, algorithms: [] }] }, /algorithms/],
    [{ externalIssuers: [{ ...external, jwksUri: 'http://idp.acme.dev/jwks' }] }, /jwksUri/],
    [{ externalIssuers: [{ ...external, subjectClaim: '' }] }, /'subjectClaim' must be the name of a claim/],
    [{ externalIssuers: [{ ...external, subjectClaim: ['oid'] }] }, /'subjectClaim' must be the name of a claim/],
    [{ users: {} }, /either 'signIn'/],
    [{ users: { signIn, authenticate: () => ({ redirect: '/' }) } }, /either 'signIn'/],
    [{ users: { signIn, longestConsentSeconds: 1 } }, /longestConsentSeconds/],
    [{ users: { signIn: { ...signIn, issuer: 'http://login.acme.dev' } } }, /https URL of your OpenID provider/],
    [{ users: { signIn: { ...signIn, issuer: 'https://id.acme.dev' } } }, /itself/],
    [{ users: { signIn: { ...signIn, clientId: '' } } }, /clientId/],
    [{ users: { signIn: { ...signIn, clientSecret: undefined } } }, /clientSecret/],
    [{ users: { signIn: { ...signIn, subjectNamespace: ' ' } } }, /'subjectNamespace' like/],
    [{ users: { signIn: { ...signIn, requiredClaims: { hd: 1 } } } }, /requiredClaims/],
    [{ users: { signIn: { ...signIn, tenantClaim: undefined } } }, /'tenantClaim' is undefined. Leave/],
    [{ users: { signIn: { ...signIn, subjectClaim: 1 } } }, /'subjectClaim' must be the name of a claim/],
    [
      {
        users: { signIn },
        approvals: {},
        externalIssuers: [{ ...external, issuer: signIn.issuer, subjectNamespace: 'b:' }],
      },
      /'approvals'.*'acme:….*'b:….*subjectClaim/,
    ],
    [
      {
        users: { signIn },
        approvals: {},
        externalIssuers: [{ ...external, issuer: `${signIn.issuer}/`, subjectNamespace: 'b:' }],
      },
      /'approvals'.*'acme:….*'b:….*subjectClaim/,
    ],
    [{ users: { signIn: { ...signIn, requiredClaim: {} } } }, /Did you mean 'requiredClaims'/],
    [{ users: { signIn }, externalIssuers: [external] }, /beginning/],
    [
      { users: { signIn }, externalIssuers: [{ ...external, issuer: signIn.issuer, subjectNamespace: 'acme:b' }] },
      /beginning/,
    ],
    [{ exchange: [{}] }, /exactly one/],
    [{ exchange: [{ agents: ['a'], tag: 'b' }] }, /exactly one/],
    [{ exchange: [{ agents: [] }] }, /ids of agents/],
    [{ exchange: [{ agents: ['a'], issuer: 'https://elsewhere.dev' }] }, /none of/],
    [{ exchange: [{ agents: ['a'], form: ['b'] }] }, /Did you mean 'from'/],
  ])('refuses %j', async (change, message) => {
    const created = create(change);
    await expect(created).rejects.toThrow(ConfigError);
    await expect(created).rejects.toThrow(message);
  });
});
