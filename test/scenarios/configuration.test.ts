import { type AgentDirectory, ConfigError, createGuard, type GuardOptions, memoryAudit } from '@countersign/core';
import { expect, it } from 'vitest';
import { onEveryHost } from '../support/api.js';
import { issuer, policies } from '../support/world.js';

const agents: AgentDirectory = { findByThumbprint: () => ({ kind: 'unknown' }), statusOf: () => 'unknown' };
const policy: GuardOptions['policy'] = {
  scopeVocabulary: [],
  decide: () => ({ decision: 'deny', cause: 'policy', policies: [], policySet: '', errors: [] }),
};
const certificates: GuardOptions['mtls'] = { findByCertificate: () => ({ kind: 'none' }), statusOf: () => 'unknown' };
const good: GuardOptions = { origin: 'https://api.acme.dev', agents, policy, audit: memoryAudit() };

it('a guard starts with the minimal configuration [G5]', async () => {
  await expect(createGuard(good)).resolves.toHaveProperty('authenticate');
});

it.each<[string, object, RegExp]>([
  ['no origin', { origin: undefined }, /'origin' is missing/],
  ['no origin in the list', { origin: [] }, /'origin' is missing/],
  ['an origin with a path', { origin: 'https://api.acme.dev/v1' }, /is not an origin/],
  ['an origin without scheme', { origin: 'api.acme.dev' }, /is not an origin/],
  ['a wildcard', { origin: '*' }, /is not an origin/],
  ['an origin in clear', { origin: 'http://api.acme.dev' }, /plain http/],
  ['no agents', { agents: undefined }, /'agents' is missing/],
  ['agents that are a promise', { agents: Promise.resolve(agents) }, /write 'await'/i],
  ['agents that cannot be asked for a name', { agents: { findByThumbprint: agents.findByThumbprint } }, /statusOf/],
  ['no policy', { policy: undefined }, /'policy' is missing/],
  ['a policy that does not decide', { policy: {} }, /decide/],
  ['no audit', { audit: undefined }, /'audit' is missing/],
  ['agents that are a text', { agents: 'agents.json' }, /'agents' is a text. Write await agentsFromFile/],
  ['a policy that is a text', { policy: 'policies' }, /'policy' is a text. Write await cedarFromDirectory/],
  ['an audit that is a text', { audit: 'audit' }, /'audit' is a text. Write auditFile\('audit'\)/],
  ['an audit with a text in it', { audit: ['audit'] }, /'audit' is a text/],
  ['an empty list of sinks', { audit: [] }, /'audit' is missing/],
  ['a sink that does not write', { audit: {} }, /'audit' is missing/],
  ['a replay store that does not reserve', { replay: {} }, /reserve/],
  ['a replay store that is null', { replay: null }, /'replay'/],
  ['a store under a misspelt name', { replay: undefined }, /'replay' is undefined\. Leave the member out/],
  ['revocations under a misspelt name', { revocations: undefined }, /'revocations' is undefined/],
  ['uses of approvals under a misspelt name', { approvals: { issuers: [], uses: undefined } }, /'uses' is undefined/],
  [
    'the audience of an issuer under a misspelt name',
    { issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] }, audience: undefined }] },
    /'audience' is undefined/,
  ],
  ['an empty audience', { audience: [] }, /'audience'/],
  ['an audience of no characters', { audience: '' }, /'audience'/],
  ['an audience that is no text', { audience: {} }, /'audience'/],
  ['an audience of null', { audience: null }, /'audience'/],
  [
    'a plain http origin allowed by a text',
    { origin: 'http://api.acme.dev', dangerouslyAllowHttpOrigin: 'false' },
    /'dangerouslyAllowHttpOrigin' must be true or false/,
  ],
  ['explanations switched on by a text', { dangerouslyExplainRefusals: 'no' }, /must be true or false/],
  ['the rule for subjects as a text', { subjectMustAlsoBePermitted: 'yes' }, /must be true or false/],
  ['certificates without a source', { mtls: true }, /await agentsFromSpiffe/],
  ['a source of certificates that is a promise', { mtls: Promise.resolve({}) }, /await agentsFromSpiffe/],
  [
    'certificates beside plain tokens',
    { mtls: certificates, bearer: true, issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } }] },
    /neither for 'bearer'/,
  ],
  ['certificates in mixed traffic', { mtls: certificates, traffic: 'mixed' }, /nor for traffic: 'mixed'/],
  ['proxies that are no list', { trustedProxies: '10.0.0.0/8' }, /write a list/],
  ['a proxy that is no text', { trustedProxies: [null] }, /no address/],
  ['an age of 0', { maxAgeSeconds: 0 }, /'maxAgeSeconds'/],
  ['an age that is no number', { maxAgeSeconds: Number.NaN }, /'maxAgeSeconds'/],
  ['an endless age', { maxAgeSeconds: Infinity }, /'maxAgeSeconds'/],
  [
    'a store for clocks that are less far ahead',
    { clockSkewSeconds: 60, replay: { clockSkewSeconds: 5, reserve: () => 'reserved' } },
    /Give the store the same: \{ clockSkewSeconds: 60 \}/,
  ],
  ['a negative skew', { clockSkewSeconds: -1 }, /'clockSkewSeconds'/],
  ['a body limit as a string', { maxBodyBytes: '1mb' }, /'maxBodyBytes'/],
  ['a misspelt option', { maxAgeSecond: 5 }, /Did you mean 'maxAgeSeconds'/],
  [
    'an issuer whose keys are in two places',
    {
      issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] }, jwksUri: 'https://id.acme.dev/jwks.json' }],
    },
    /say once/,
  ],
  ['an issuer with an empty key set', { issuers: [{ issuer: issuer.issuer, jwks: { keys: [] } }] }, /none of its keys/],
  ['an issuer in clear', { issuers: [{ issuer: 'http://id.acme.dev', jwks: { keys: [issuer.jwk] } }] }, /plain http/],
  [
    'an issuer with a shared key',
    { issuers: [{ issuer: issuer.issuer, jwks: { keys: [{ kty: 'oct', k: 'c2VjcmV0' }] } }] },
    /symmetric/,
  ],
  [
    'an algorithm that is none',
    { issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] }, algorithms: ['none'] }] },
    /algorithms/,
  ],
])('%s stops the start [G5]', async (_title, change, says) => {
  const attempt = createGuard({ ...good, ...change });
  await expect(attempt).rejects.toThrow(ConfigError);
  await expect(attempt).rejects.toThrow(says);
});

onEveryHost('What is configured in words', (api) => {
  it.each<[string, object, RegExp]>([
    ['no policy at all', { policies: '' }, /no policy/],
    ['policies that do not parse', { policies: 'permit(' }, /policies\.cedar:1/],
    [
      'policies that do not match the schema [D6]',
      { policies: 'permit(principal, action, resource) when { context.scop.contains("x") };' },
      /scop/,
    ],
    [
      'an action that is not in the schema [D6]',
      { policies: 'permit(principal, action == Action::"pr.merg", resource);' },
      /pr\.merg/,
    ],
    ['a schema that does not parse', { schema: 'entity' }, /schema\.cedarschema/],
    ['two policies of one name', { policies: `${policies}${policies}` }, /already names/],
    [
      'an agent with a misspelt member',
      { agents: [{ id: 'x', publicKey: 'AAAA', capabilitys: [] }] },
      /Did you mean 'capabilities'/,
    ],
    [
      'two issuers without namespaces',
      {
        issuers: ['https://a.example', 'https://b.example'].map((name) => ({
          issuer: name,
          jwks: { keys: [issuer.jwk] },
        })),
      },
      /subjectNamespace/,
    ],
  ])('%s stops the start [G5]', async (_title, config, says) => {
    await expect(api.variant({ config })).rejects.toThrow(says);
  });
});
