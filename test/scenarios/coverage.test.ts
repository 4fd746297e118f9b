import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { tampered, withFields } from '../support/signed-request.js';
import { reviewerId, runnerId, userId } from '../support/world.js';

onEveryHost('What a signature must cover', (api) => {
  refuseEach(api, [
    ['A1 an empty list of components', () => api.signed({ covered: [] }), 401, 'signature_incomplete'],
    ['A2 no @method', () => api.signed({ uncovered: ['"@method"'] }), 401, 'signature_incomplete'],
    ['A2 no @authority', () => api.signed({ uncovered: ['"@authority"'] }), 401, 'signature_incomplete'],
    ['A2 no @path', () => api.signed({ uncovered: ['"@path"'] }), 401, 'signature_incomplete'],
    [
      'A3 no @query, although there is none',
      () => api.signed({ uncovered: ['"@query"'] }),
      401,
      'signature_incomplete',
    ],
    ['A2 only @target-uri', () => api.signed({ covered: ['"@target-uri"'] }), 401, 'signature_incomplete'],
    [
      'A2 host in place of @authority',
      () => api.signed({ uncovered: ['"@authority"'], alsoCovered: ['"host"'] }),
      401,
      'signature_incomplete',
    ],
    [
      'A2 @request-target in place of @path and @query',
      () => api.signed({ covered: ['"@method"', '"@authority"', '"@request-target"'] }),
      401,
      'signature_incomplete',
    ],
    [
      'A6 "@method";req in place of @method',
      () => api.signed({ uncovered: ['"@method"'], alsoCovered: ['"@method";req'] }),
      401,
      'signature_incomplete',
    ],
    [
      'A3 @query-param in place of @query',
      () => api.signed({ target: '/invoices?a=1', uncovered: ['"@query"'], alsoCovered: ['"@query-param";name="a"'] }),
      401,
      'signature_incomplete',
    ],
    [
      'A2 a GET sent again as DELETE',
      () => tampered(api.signed({ target: '/records/42' }), { method: 'DELETE' }),
      401,
      'signature_invalid',
    ],
    [
      'A2 the same request to another path',
      () => tampered(api.signed({ target: '/whoami' }), { target: '/invoices' }),
      401,
      'signature_invalid',
    ],
    [
      'A3 a query added',
      () => tampered(api.signed({ target: '/invoices' }), { target: '/invoices?admin=1' }),
      401,
      'signature_invalid',
    ],
    [
      'A3 a query re-ordered',
      () => tampered(api.signed({ target: '/invoices?a=1&b=2' }), { target: '/invoices?b=2&a=1' }),
      401,
      'signature_invalid',
    ],
    [
      'A3 a lone question mark is told from none, in @target-uri',
      () =>
        tampered(api.signed({ target: '/invoices', covered: ['"@method"', '"@target-uri"'] }), {
          target: '/invoices?',
        }),
      401,
      'signature_invalid',
    ],
    [
      'A6 a covered field that is absent',
      () => api.signed({ alsoCovered: ['"x-absent"'] }),
      401,
      'signature_incomplete',
    ],
    ['A6 a component twice', () => api.signed({ alsoCovered: ['"host"', '"host"'] }), 400, 'signature_malformed'],
    ['A6 an unknown parameter', () => api.signed({ alsoCovered: ['"host";odd'] }), 400, 'signature_malformed'],
    ['A6 ;req on a request', () => api.signed({ alsoCovered: ['"host";req'] }), 400, 'signature_malformed'],
    ['A6 an unknown derived component', () => api.signed({ alsoCovered: ['"@teapot"'] }), 400, 'signature_malformed'],
    ['A6 a component of responses', () => api.signed({ alsoCovered: ['"@status"'] }), 400, 'signature_malformed'],
    ['A6 a field name in upper case', () => api.signed({ alsoCovered: ['"Host"'] }), 400, 'signature_malformed'],
    ['A6 a component that is no string', () => api.signed({ alsoCovered: ['host'] }), 400, 'signature_malformed'],
  ]);

  it('a repeated query parameter cannot be covered by name, which only the log tells [A3]', async () => {
    const request = api.signed({ target: '/invoices?a=1&a=2', alsoCovered: ['"@query-param";name="a"'] });
    await api.refuses(request, 401, 'signature_malformed', 'signature_invalid');
  });

  it('A6 a field literally named @method never gets past the HTTP parser', async () => {
    const response = await api.send(withFields(api.signed({ method: 'DELETE' }), ['@method', 'GET']));
    expect(response.status).toBe(400);
    expect(api.running.handled).toEqual([]);
  });
});

onEveryHost('Credentials that the signature does not cover', (api) => {
  refuseEach(api, [
    [
      'A18 an Authorization left out of the signature',
      async () => api.pull({}, { uncovered: ['"authorization"'] }),
      401,
      'credential_uncovered',
    ],
    [
      'A18 an Authorization covered as byte sequence only',
      async () => api.pull({}, { uncovered: ['"authorization"'], alsoCovered: ['"authorization";bs'] }),
      401,
      'credential_uncovered',
    ],
    [
      'A18 another method in a field that some applications obey',
      () => withFields(api.signed(), ['X-Http-Method-Override', 'DELETE']),
      401,
      'credential_uncovered',
    ],
    [
      'A18 a genuine token put on a signed request',
      async () => withFields(api.signed({ target: '/invoices' }), ['Authorization', `Bearer ${await api.token()}`]),
      401,
      'credential_uncovered',
    ],
    [
      'A18 a token exchanged for that of another user',
      async () =>
        tampered(await api.pull(), { fields: { Authorization: `Bearer ${await api.token({ sub: 'user_456' })}` } }),
      401,
      'signature_invalid',
    ],
    [
      'A18 a token taken away',
      async () => tampered(await api.pull(), { fields: { Authorization: null } }),
      401,
      'signature_incomplete',
    ],
    ...['Agent-Delegation', 'Agent-Approval', 'Mcp-Method', 'Mcp-Name'].map(
      (name) =>
        [
          `A18 ${name} left out of the signature`,
          () => withFields(api.signed(), [name, 'anything']),
          401,
          'credential_uncovered',
        ] as const,
    ),
    [
      'C6 a delegation link that is none is not ignored',
      () => api.signed({ fields: [['Agent-Delegation', 'abc']] }),
      401,
      'delegation_malformed',
    ],
  ]);

  it('A18 identity fields of others have no effect', async () => {
    const { response } = await api.accepts(
      withFields(
        api.signed(),
        ['X-User', userId],
        ['X-Agent-Id', runnerId],
        ['X-Forwarded-User', 'admin'],
        ['Agent', runnerId],
        ['X-Original-Method', 'DELETE'],
      ),
      200,
    );
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: reviewerId }, subject: { id: reviewerId } });
  });
});
