import { expect, it } from 'vitest';
import { onEveryHost, refuseEach } from '../support/api.js';
import { tampered, withFields } from '../support/signed-request.js';
import { reviewerId, runnerId, userId } from '../support/world.js';

onEveryHost('What a signature must cover', (api) => {
  refuseEach(api, [
    ['an empty list of components [A1]', () => api.signed({ covered: [] }), 401, 'signature_incomplete'],
    ['no @method [A2]', () => api.signed({ uncovered: ['"@method"'] }), 401, 'signature_incomplete'],
    ['no @authority [A2]', () => api.signed({ uncovered: ['"@authority"'] }), 401, 'signature_incomplete'],
    ['no @path [A2]', () => api.signed({ uncovered: ['"@path"'] }), 401, 'signature_incomplete'],
    [
      'no @query, for a target without a query [A3]',
      () => api.signed({ uncovered: ['"@query"'] }),
      401,
      'signature_incomplete',
    ],
    ['only @target-uri [A2]', () => api.signed({ covered: ['"@target-uri"'] }), 401, 'signature_incomplete'],
    [
      'host in place of @authority [A2]',
      () => api.signed({ uncovered: ['"@authority"'], alsoCovered: ['"host"'] }),
      401,
      'signature_incomplete',
    ],
    [
      '@request-target in place of @path and @query [A2]',
      () => api.signed({ covered: ['"@method"', '"@authority"', '"@request-target"'] }),
      401,
      'signature_incomplete',
    ],
    [
      '"@method";req in place of @method [A6]',
      () => api.signed({ uncovered: ['"@method"'], alsoCovered: ['"@method";req'] }),
      401,
      'signature_incomplete',
    ],
    [
      '@query-param in place of @query [A3]',
      () => api.signed({ target: '/invoices?a=1', uncovered: ['"@query"'], alsoCovered: ['"@query-param";name="a"'] }),
      401,
      'signature_incomplete',
    ],
    [
      'a signed GET sent as DELETE [A2]',
      () => tampered(api.signed({ target: '/records/42' }), { method: 'DELETE' }),
      401,
      'signature_invalid',
    ],
    [
      'a signed request sent to another path [A2]',
      () => tampered(api.signed({ target: '/whoami' }), { target: '/invoices' }),
      401,
      'signature_invalid',
    ],
    [
      'an added query [A3]',
      () => tampered(api.signed({ target: '/invoices' }), { target: '/invoices?admin=1' }),
      401,
      'signature_invalid',
    ],
    [
      'a re-ordered query [A3]',
      () => tampered(api.signed({ target: '/invoices?a=1&b=2' }), { target: '/invoices?b=2&a=1' }),
      401,
      'signature_invalid',
    ],
    [
      'an added empty query, in @target-uri [A3]',
      () =>
        tampered(api.signed({ target: '/invoices', covered: ['"@method"', '"@target-uri"'] }), {
          target: '/invoices?',
        }),
      401,
      'signature_invalid',
    ],
    [
      'an absent field that is covered [A6]',
      () => api.signed({ alsoCovered: ['"x-absent"'] }),
      401,
      'signature_incomplete',
    ],
    ['a component twice [A6]', () => api.signed({ alsoCovered: ['"host"', '"host"'] }), 400, 'signature_malformed'],
    ['an unknown parameter [A6]', () => api.signed({ alsoCovered: ['"host";odd'] }), 400, 'signature_malformed'],
    [';req on a request [A6]', () => api.signed({ alsoCovered: ['"host";req'] }), 400, 'signature_malformed'],
    ['an unknown derived component [A6]', () => api.signed({ alsoCovered: ['"@teapot"'] }), 400, 'signature_malformed'],
    ['a component of responses [A6]', () => api.signed({ alsoCovered: ['"@status"'] }), 400, 'signature_malformed'],
    ['a field name in upper case [A6]', () => api.signed({ alsoCovered: ['"Host"'] }), 400, 'signature_malformed'],
    ['a component that is not a string [A6]', () => api.signed({ alsoCovered: ['host'] }), 400, 'signature_malformed'],
  ]);

  it('a repeated query parameter cannot be covered by name, and only the log says so [A3]', async () => {
    const request = api.signed({ target: '/invoices?a=1&a=2', alsoCovered: ['"@query-param";name="a"'] });
    await api.refuses(request, 401, 'signature_malformed', 'signature_invalid');
  });

  it('a field literally named @method never gets past the HTTP parser [A6]', async () => {
    const response = await api.send(withFields(api.signed({ method: 'DELETE' }), ['@method', 'GET']));
    expect(response.status).toBe(400);
    expect(api.running.handled).toEqual([]);
  });
});

onEveryHost('Credentials that the signature does not cover', (api) => {
  refuseEach(api, [
    [
      'an uncovered Authorization [A18]',
      async () => api.pull({}, { uncovered: ['"authorization"'] }),
      401,
      'credential_uncovered',
    ],
    [
      'an Authorization covered only as a byte sequence [A18]',
      async () => api.pull({}, { uncovered: ['"authorization"'], alsoCovered: ['"authorization";bs'] }),
      401,
      'credential_uncovered',
    ],
    [
      'another method in an override field [A18]',
      () => withFields(api.signed(), ['X-Http-Method-Override', 'DELETE']),
      401,
      'credential_uncovered',
    ],
    [
      'a genuine token added to a signed request [A18]',
      async () => withFields(api.signed({ target: '/invoices' }), ['Authorization', `Bearer ${await api.token()}`]),
      401,
      'credential_uncovered',
    ],
    [
      'a token replaced by that of another user [A18]',
      async () =>
        tampered(await api.pull(), { fields: { Authorization: `Bearer ${await api.token({ sub: 'user_456' })}` } }),
      401,
      'signature_invalid',
    ],
    [
      'a removed token [A18]',
      async () => tampered(await api.pull(), { fields: { Authorization: null } }),
      401,
      'signature_incomplete',
    ],
    ...[
      'Agent-Delegation',
      'Agent-Approval',
      'Mcp-Method',
      'Mcp-Name',
      'Mcp-Session-Id',
      'Mcp-Protocol-Version',
      'Last-Event-ID',
    ].map(
      (name) =>
        [
          `an uncovered ${name} [A18]`,
          () => withFields(api.signed(), [name, 'anything']),
          401,
          'credential_uncovered',
        ] as const,
    ),
    [
      'an uncovered Mcp-Param-Region beside Mcp-Method [A18]',
      () => withFields(api.signed({ fields: [['Mcp-Method', 'tools/call']] }), ['Mcp-Param-Region', 'eu']),
      401,
      'credential_uncovered',
    ],
    [
      'a malformed delegation link [C6]',
      () => api.signed({ fields: [['Agent-Delegation', 'abc']] }),
      401,
      'delegation_malformed',
    ],
  ]);

  it('identity fields of others have no effect [A18]', async () => {
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
