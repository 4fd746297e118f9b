import { ConfigError } from '@countersign/common';
import { expect, it } from 'vitest';
import { oddAnswers, outages, says, startStubPdp } from '../../../test/support/stub-pdp.js';
import { inputDocument } from '../src/input-document.js';
import { opaServer } from '../src/opa-server.js';
import { about, query } from './query.js';

const path = 'agent/authz/allow';

it('asks for the rule with the input document, and takes errors of built-in functions for errors', async () => {
  const stub = await startStubPdp(says({ result: true }));
  const engine = opaServer({ url: stub.url, path, token: 'secret-token', scopeVocabulary: ['pr:write:draft'] });
  expect(engine.scopeVocabulary).toEqual(['pr:write:draft']);
  expect(await engine.decide(query)).toEqual({
    decision: 'allow',
    cause: 'policy',
    policies: [],
    policySet: '',
    errors: [],
  });
  expect(stub.asked).toMatchObject([
    {
      method: 'POST',
      target: '/v1/data/agent/authz/allow?provenance=true&strict-builtin-errors=true',
      headers: { authorization: 'Bearer secret-token' },
      body: { input: inputDocument(query) },
    },
  ]);
});

it('names the revisions of the bundles that decided', async () => {
  const bundles = { rules: { revision: 'r7' }, data: { revision: 'd1' }, more: {}, none: null };
  const stub = await startStubPdp(says({ result: { allow: false, policies: ['p'] }, provenance: { bundles } }));
  expect(await opaServer({ url: stub.url, path }).decide(query)).toMatchObject({
    decision: 'deny',
    cause: 'policy',
    policies: ['p'],
    policySet: 'data@d1 more@ none@ rules@r7',
  });
});

it.each<[string, unknown]>([
  ['no result', {}],
  ['null', null],
  ['a bare true', true],
  ['an array', [{ result: true }]],
  ['a result as text', { result: 'true' }],
  ['errors beside a true [M2]', { result: true, errors: [{ code: 'rego_error' }] }],
  ['an error beside a true', { result: true, error: {} }],
  ['the code of an error beside a true', { code: 'internal_error', message: 'x', result: true }],
  ['provenance of another kind', { result: 'x', provenance: 'y' }],
])('%s denies as an error [D3]', async (_title, document) => {
  const stub = await startStubPdp(says(document));
  expect(await opaServer({ url: stub.url, path }).decide(query)).toMatchObject({ decision: 'deny', cause: 'error' });
});

it.each(oddAnswers({ result: true }))('%s denies as an error [D3]', async (_title, answer) => {
  const stub = await startStubPdp(answer);
  expect(await opaServer({ url: stub.url, path }).decide(query)).toMatchObject({ decision: 'deny', cause: 'error' });
});

it.each(outages)('%s is an outage [D4]', async (_title, answer) => {
  const stub = await startStubPdp(answer);
  await expect(opaServer({ url: stub.url, path, timeoutSeconds: 0.2 }).decide(query)).rejects.toThrow('it ');
});

it('a query that cannot be written exactly is not even asked [D9]', async () => {
  const stub = await startStubPdp(says({ result: true }));
  const answer = await opaServer({ url: stub.url, path }).decide(about('acme/\ud800'));
  expect(answer).toMatchObject({ decision: 'deny', cause: 'error' });
  expect(stub.asked).toEqual([]);
});

it('a query of more than 65,536 characters is not even asked [M7]', async () => {
  const stub = await startStubPdp(says({ result: true }));
  const long = about('acme/api', { text: 'x'.repeat(65_536) });
  const engine = opaServer({ url: stub.url, path });
  expect(await engine.decide(long)).toMatchObject({ decision: 'deny', cause: 'error' });
  expect(stub.asked).toEqual([]);
});

it.each<[string, unknown, RegExp]>([
  ['no path', { path: undefined }, /'path' must name a rule/],
  ['a path that climbs', { path: '../policies' }, /'path' must name a rule/],
  ['a path with a query', { path: 'agent/authz?x=1' }, /'path' must name a rule/],
  ['a path from the root', { path: '/agent/authz' }, /'path' must name a rule/],
  ['plain http', { url: 'http://opa.internal:8181' }, /^opaServer: 'url' is plain http/],
  ['a misspelt option', { timeoutSecond: 1 }, /Did you mean 'timeoutSeconds'/],
])('%s stops the start [G5]', (_title, change, message) => {
  const options = { url: 'https://opa.internal', path, ...(change as object) };
  expect(() => opaServer(options)).toThrow(ConfigError);
  expect(() => opaServer(options)).toThrow(message);
});
