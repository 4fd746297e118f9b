import { ConfigError } from '@countersign/common';
import { describe, expect, it } from 'vitest';
import { type Asked, oddAnswers, outages, says, startStubPdp } from '../../../test/support/stub-pdp.js';
import { authzen } from '../src/authzen.js';
import { query } from './query.js';

const failed = { decision: 'deny', cause: 'error' };
const shared = {
  subject: {
    type: 'agent',
    id: 'agent-code-reviewer-01',
    properties: {
      roles: ['reviewer'],
      capabilities: ['pr:write'],
      owner: 'team-a',
      on_behalf_of: { type: 'user', id: 'user_123' },
      scope: ['pr:write:draft'],
      depth: 1,
      via: [],
      proof: 'issuer',
      possession: 'signature',
    },
  },
  action: { name: 'pr.create' },
  context: { request: { method: 'POST', path: '/repos/acme/api/pulls' } },
};

const decisions = (allowed: readonly boolean[]) => ({ evaluations: allowed.map((decision) => ({ decision })) });

describe('one evaluation', () => {
  it('a user who is asked about is never an agent', async () => {
    const stub = await startStubPdp(says({ decision: false }));
    const principal = { type: 'User', id: 'user_123', roles: [], capabilities: [] } as const;
    await authzen({ url: stub.url }).decide({ ...query, principal });
    expect(stub.asked[0]?.body).toMatchObject({ subject: { type: 'user', id: 'user_123' } });
    expect(stub.asked[0]?.body).not.toHaveProperty('subject.properties.type');
  });

  it('asks as the specification says', async () => {
    const stub = await startStubPdp(says({ decision: true, context: { id: '0' } }));
    const engine = authzen({ url: stub.url, token: 'secret-token' });
    expect(await engine.decide(query)).toEqual({
      decision: 'allow',
      cause: 'policy',
      policies: [],
      policySet: '',
      errors: [],
    });
    expect(stub.asked).toMatchObject([
      { method: 'POST', target: '/access/v1/evaluation', headers: { authorization: 'Bearer secret-token' } },
    ]);
    expect(stub.asked[0]?.body).toEqual({ ...shared, resource: { type: 'Repo', id: 'acme/api' } });
  });

  it('attributes, parents and details come with it', async () => {
    const stub = await startStubPdp(says({ decision: false }));
    const parents = [{ type: 'Org', id: 'acme' }];
    const details = { types: ['Repo'], actions: [], identifiers: [], locations: [], datatypes: [], privileges: [] };
    const answer = await authzen({ url: stub.url }).decide({
      ...query,
      resource: { type: 'Repo', id: 'acme/api', attributes: { archived: true }, parents },
      context: { ...query.context, authorizationDetails: details },
    });
    expect(answer).toMatchObject({ decision: 'deny', cause: 'policy' });
    expect(stub.asked[0]?.body).toMatchObject({
      resource: { properties: { archived: true, parents } },
      subject: { properties: { authorization_details: details } },
    });
  });

  it.each([[undefined], [[{ type: 'Org', id: 'acme' }]]])(
    'an attribute is never taken for the parents %j [D9]',
    async (parents) => {
      const stub = await startStubPdp(says({ decision: true }));
      const attributes = { parents: [{ type: 'Org', id: 'admin' }] };
      const resource = { type: 'Repo', id: 'acme/api', attributes, ...(parents && { parents }) };
      const engine = authzen({ url: stub.url });
      expect(await engine.decide({ ...query, resource })).toMatchObject(failed);
      expect(await engine.decideMany?.(query, [resource, resource])).toMatchObject([failed, failed]);
      expect(stub.asked).toEqual([]);
    },
  );

  it('an agent on whose behalf another acts is never a user [C2]', async () => {
    const stub = await startStubPdp(says({ decision: false }));
    const { onBehalfOf: _user, ...context } = query.context;
    await authzen({ url: stub.url }).decide({ ...query, context: { ...context, onBehalfOfAgent: 'user_123' } });
    await authzen({ url: stub.url }).decide({ ...query, context });
    expect(stub.asked.map(onBehalfOf)).toEqual([{ type: 'agent', id: 'user_123' }, undefined]);
  });

  it.each<[string, unknown]>([
    ['nothing', {}],
    ['null', null],
    ['a bare true', true],
    ['a decision as text', { decision: 'true' }],
    ['a decision as a number', { decision: 1 }],
    ['an error with a true', { decision: true, context: { error: { status: 500 } } }],
    ['an error with a false', { decision: false, context: { error: { status: 404, message: 'not found' } } }],
    ['an error beside a true', { decision: true, error: { status: 500 } }],
    ['an error in a list with a true', { decision: true, context: [{ id: 1 }, { error: 1 }] }],
    ['errors beside a true [M2]', { decision: true, errors: [] }],
    ['errors in the context of a true', { decision: true, context: { errors: [{ status: 500 }] } }],
    ['an obligation with a true [D3]', { decision: true, context: { obligations: [{ id: 'mask' }] } }],
    ['a demand of another sign-in with a true', { decision: true, context: { id: '0', step_up: { acr: 'mfa' } } }],
    ['a text as the context of a true', { decision: true, context: 'obligations' }],
    ['an unknown member beside a true', { decision: true, obligations: [] }],
    ['a deny beside a true', { decision: true, deny: true }],
    ['the answer to a batch beside a true', { decision: true, evaluations: [{ decision: false }] }],
    ['the answer to a batch', { evaluations: [{ decision: true }] }],
  ])('%s denies as an error [D3]', async (_title, document) => {
    const stub = await startStubPdp(says(document));
    expect(await authzen({ url: stub.url }).decide(query)).toMatchObject(failed);
  });

  it.each<[object, object]>([
    [{ context: { id: '0', reason: 'x', reason_admin: { en: 'x' }, reason_user: {} } }, { decision: 'allow' }],
    [{ context: null }, { decision: 'allow' }],
    [{ context: { metadata: { took: 3 } } }, { decision: 'allow' }],
    [{ context: { metadata: {}, obligations: [] } }, failed],
  ])('a permission with %j demands nothing, or denies', async (more, expected) => {
    const stub = await startStubPdp(says({ decision: true, ...more }));
    const engine = authzen({ url: stub.url, ignoredContext: ['metadata'] });
    expect(await engine.decide(query)).toMatchObject(expected);
  });

  it('a refusal may say what it likes', async () => {
    const stub = await startStubPdp(says({ decision: false, context: { obligations: [{ id: 'log' }] } }));
    expect(await authzen({ url: stub.url }).decide(query)).toMatchObject({ decision: 'deny', cause: 'policy' });
  });

  it.each(oddAnswers({ decision: true }))('%s denies as an error [D3]', async (_title, answer) => {
    const stub = await startStubPdp(answer);
    expect(await authzen({ url: stub.url }).decide(query)).toMatchObject(failed);
  });

  it.each(outages)('%s is an outage [D4]', async (_title, answer) => {
    const stub = await startStubPdp(answer);
    await expect(authzen({ url: stub.url, timeoutSeconds: 0.2 }).decide(query)).rejects.toThrow('it ');
  });
});

it.each<[string, object]>([
  ['a hidden attribute', Object.defineProperty({}, 'frozen', { value: true })],
  ['an attribute that is a symbol', { [Symbol('frozen')]: true }],
  ['attributes in a map', new Map([['frozen', true]])],
])('%s is not dropped: nothing is asked [M3]', async (_title, attributes) => {
  const stub = await startStubPdp(says({ decision: true }));
  const resource = { ...query.resource, attributes: attributes as Record<string, unknown> };
  expect(await authzen({ url: stub.url }).decide({ ...query, resource })).toMatchObject(failed);
  expect(stub.asked).toEqual([]);
});

describe('many evaluations', () => {
  const resources = ['a', 'b', 'c', 'd', 'e'].map((id) => ({ type: 'Repo', id }));
  const many = (url: string, batchSize = 50) => {
    const engine = authzen({ url, batchSize });
    return engine.decideMany?.(query, resources) ?? Promise.reject(new Error('no batches'));
  };

  it('are asked at once, and answered in their order', async () => {
    const stub = await startStubPdp(says(decisions([true, false, true, false, false])));
    const answers = await many(stub.url);
    expect(answers.map(({ decision }) => decision)).toEqual(['allow', 'deny', 'allow', 'deny', 'deny']);
    expect(stub.asked).toHaveLength(1);
    expect(stub.asked[0]).toMatchObject({
      target: '/access/v1/evaluations',
      body: { ...shared, evaluations: resources.map((resource) => ({ resource })) },
    });
  });

  it('are split into batches', async () => {
    const stub = await startStubPdp((request, response) => {
      const { evaluations } = stub.asked.at(-1)!.body as { evaluations: { resource: { id: string } }[] };
      says(decisions(evaluations.map(({ resource }) => resource.id !== 'c')))(request, response);
    });
    const answers = await many(stub.url, 2);
    expect(answers.map(({ decision }) => decision)).toEqual(['allow', 'allow', 'deny', 'allow', 'allow']);
    expect(stub.asked).toHaveLength(3);
  });

  it('one that errs is denied, and changes no other [D2]', async () => {
    const evaluations = [
      { decision: true },
      { decision: true, context: { error: { status: 500 } } },
      { decision: true, context: [{ error: 1 }] },
      { decision: true, error: { x: 1 } },
      { decision: true },
    ];
    const stub = await startStubPdp(says({ evaluations }));
    expect((await many(stub.url)).map(({ decision, cause }) => `${decision} ${cause}`)).toEqual([
      'allow policy',
      'deny error',
      'deny error',
      'deny error',
      'allow policy',
    ]);
  });

  it.each<[string, unknown]>([
    ['one answer too few', decisions([true, true, true, true])],
    ['one answer too many', decisions([true, true, true, true, true, true])],
    ['an error for all', { ...decisions([true, true, true, true, true]), error: { status: 500 } }],
    ['one decision for all', { decision: true }],
    ['one decision beside the others', { decision: false, ...decisions([true, true, true, true, true]) }],
    ['null', null],
  ])('%s denies all [D3]', async (_title, document) => {
    const stub = await startStubPdp(says(document));
    expect(await many(stub.url)).toEqual(resources.map(() => expect.objectContaining(failed)));
  });

  it('an outage in the middle leaves no answer [D4]', async () => {
    const stub = await startStubPdp((request, response) => {
      (stub.asked.length === 1 ? says(decisions([true, true])) : says({}, 503))(request, response);
    });
    await expect(many(stub.url, 2)).rejects.toThrow('503');
  });

  it('a query that cannot be written exactly is not even asked [D9]', async () => {
    const stub = await startStubPdp(says(decisions([true])));
    const answers = await authzen({ url: stub.url }).decideMany?.(query, [{ type: 'Repo', id: '\ud800' }]);
    expect(answers).toEqual([expect.objectContaining(failed)]);
    expect(stub.asked).toEqual([]);
  });

  it.each<[string, object]>([
    ['a number that is not exact', { attributes: { amount: 1e20 } }],
    ['a negative zero', { attributes: { amount: -0 } }],
    ['a lone surrogate', { attributes: { title: '\ud800' } }],
    ['an attribute that is called parents', { attributes: { parents: 'x' } }],
    ['an attribute that chooses the policy of Cerbos', { attributes: { 'cerbos.scope': 'acme' } }],
    ['an id that is not well-formed', { id: '\ud800' }],
    ['parents that are not plain', { parents: [{ type: 'Org', id: '\ud800' }] }],
  ])('one with %s is denied, and hides no other [M6]', async (_title, odd) => {
    const stub = await startStubPdp(says(decisions([true, false, true])));
    const [first, second, third] = resources;
    const listed = [first!, { type: 'Repo', id: 'odd', ...odd }, second!, { type: 'Repo', id: 'odd', ...odd }, third!];
    const answers = await authzen({ url: stub.url }).decideMany?.(query, listed);
    expect(answers?.map(({ decision, cause }) => `${decision} ${cause}`)).toEqual([
      'allow policy',
      'deny error',
      'deny policy',
      'deny error',
      'allow policy',
    ]);
    expect(stub.asked).toHaveLength(1);
    expect(stub.asked[0]?.body).toMatchObject({
      evaluations: [first, second, third].map((resource) => ({ resource })),
    });
  });

  it('none are not asked about', async () => {
    const stub = await startStubPdp(says({}));
    expect(await authzen({ url: stub.url }).decideMany?.(query, [])).toEqual([]);
    expect(stub.asked).toEqual([]);
  });
});

it.each<[string, unknown, RegExp]>([
  ['plain http', { url: 'http://pdp.internal' }, /^authzen: 'url' is plain http/],
  ['no batches', { batchSize: 0 }, /'batchSize' must be a whole number/],
  ['a misspelt option', { tokens: 'x' }, /Did you mean 'token'/],
])('%s stops the start [G5]', (_title, change, message) => {
  const options = { url: 'https://pdp.internal', ...(change as object) };
  expect(() => authzen(options)).toThrow(ConfigError);
  expect(() => authzen(options)).toThrow(message);
});

function onBehalfOf({ body }: Asked): unknown {
  return (body as { subject: { properties: { on_behalf_of?: unknown } } }).subject.properties.on_behalf_of;
}
