import { describe, expect, it } from 'vitest';
import { covers, type RequestMessage, requireComponents, signMessage, verifyMessage } from '../src/index.js';
import {
  COMPONENTS,
  NOW,
  PARAMETERS,
  policy,
  request,
  rewrite,
  signed,
  TAG,
  verifier,
  withFields,
  without,
} from './support/messages.js';
import { codeOf, nothingRequired } from './support/verdicts.js';

describe('a valid message', () => {
  it('verifies', async () => {
    const result = await verifyMessage(await signed(request()), policy());
    if (!result.ok) expect.fail(result.detail);
    const { signature } = result;
    expect(signature).toMatchObject({
      label: 'sig',
      algorithm: 'ed25519',
      parameters: PARAMETERS,
      validUntil: NOW + 65,
    });
    expect(signature.covered.map(({ name }) => name)).toEqual(COMPONENTS);
    expect(signature.key).toBe(verifier);
  });
});

describe('A1–A3 covered components', () => {
  it('an empty list of components is refused although its signature is valid [A1]', async () => {
    const message = await signed(request(), { components: [] });
    expect(await codeOf(message)).toBe('component_required');
    expect(await codeOf(message, nothingRequired)).toBe('ok');
  });

  it.each(['@method', '@authority', '@path', '@query', 'authorization', 'content-type', 'content-digest'])(
    'without %s it is refused [A2, A18]',
    async (left) => {
      const message = await signed(request(), { components: COMPONENTS.filter((name) => name !== left) });
      expect(await codeOf(message)).toBe('component_required');
    },
  );

  it('@target-uri replaces authority, path and query [A2]', async () => {
    const components = ['@method', '@target-uri', 'content-type', 'content-digest', 'authorization'];
    expect(await codeOf(await signed(request(), { components }))).toBe('ok');
  });

  it.each<[string, Partial<RequestMessage>]>([
    ['method', { method: 'DELETE' }],
    ['path', { target: '/repos/acme/other/pulls?draft=true' }],
    ['host', { authority: 'other.example.com' }],
    ['port', { authority: 'api.example.com:8443' }],
    ['trailing dot', { authority: 'api.example.com.' }],
  ])('a replay with another %s is refused [A2]', async (_, change) => {
    expect(await codeOf({ ...(await signed(request())), ...change })).toBe('invalid');
  });

  it.each(['?draft=true&admin=1', '?draft=tru%65', '?admin=1&draft=true', ''])(
    'the query %j is refused [A3]',
    async (query) => {
      const message = await signed(request());
      expect(await codeOf({ ...message, target: `/repos/acme/api/pulls${query}` })).toBe('invalid');
    },
  );

  it('a re-ordered query is refused [A3]', async () => {
    const message = await signed(request({ target: '/a?x=1&y=2' }));
    expect(await codeOf(message)).toBe('ok');
    expect(await codeOf({ ...message, target: '/a?y=2&x=1' })).toBe('invalid');
  });

  it('a second parameter of the covered name is refused, however it is spelt [A3]', async () => {
    const components = [...COMPONENTS, '"@query-param";name="draft"'];
    const message = await signed(request(), { components });
    expect(await codeOf(message)).toBe('ok');
    for (const query of ['?draft=true&draft=false', '?draft=true&dr%61ft=x', '?draft=true&draft']) {
      expect(await codeOf({ ...message, target: `/repos/acme/api/pulls${query}` })).toBe('component_malformed');
    }
  });
});

describe('digest [A4]', () => {
  it('a Content-Digest other than the covered one is refused [A4]', async () => {
    const other = 'sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:';
    expect(await codeOf(rewrite(await signed(request()), 'content-digest', () => other))).toBe('invalid');
    expect(await codeOf(withFields(await signed(request()), 'Content-Digest', other))).toBe('invalid');
  });

  it('a digest in the trailers does not replace the covered field [A5]', async () => {
    const message = await signed(request());
    const digest = message.rawFields.slice(4, 6);
    expect(await codeOf({ ...without(message, 'content-digest'), rawTrailers: digest })).toBe('component_missing');
    const trailer = await signed(
      { ...request(), rawTrailers: digest },
      { components: [...COMPONENTS, 'content-digest;tr'] },
    );
    expect(await codeOf(trailer)).toBe('ok');
    expect(await codeOf({ ...trailer, rawTrailers: [] })).toBe('component_missing');
  });
});

describe('components [A6]', () => {
  it('a covered field is refused when it is absent, and never treated as empty [A6]', async () => {
    const empty = await signed(request({ rawFields: ['X-Empty', ''] }), {
      components: ['@method', '@target-uri', 'x-empty'],
    });
    expect(await codeOf(empty)).toBe('ok');
    expect(await codeOf(without(empty, 'x-empty'))).toBe('component_missing');
  });

  it.each([
    ['a component twice', '("@method" "@method")', 'malformed'],
    ['a component twice, parameters in another order', '("a";sf;key="x" "a";key="x";sf)', 'malformed'],
    ['an unknown derived component', '("@x")', 'component_unsupported'],
    ['@signature-params', '("@signature-params")', 'component_unsupported'],
    ['@status of a request', '("@status")', 'component_unsupported'],
    ['an unknown parameter', '("content-type";foo)', 'component_unsupported'],
    ['a parameter of a derived component', '("@method";sf)', 'component_unsupported'],
    ['a query parameter without a name', '("@query-param")', 'component_unsupported'],
    ['a query parameter named by a token', '("@query-param";name=draft)', 'component_unsupported'],
    ['req on a request', '("@method";req)', 'component_unsupported'],
    ['req of a field on a request', '("content-type";req)', 'component_unsupported'],
    ['a false flag', '("content-type";bs=?0)', 'component_unsupported'],
    ['bs with sf', '("content-digest";bs;sf)', 'component_unsupported'],
    ['bs with key', '("content-digest";bs;key="sha-256")', 'component_unsupported'],
    ['sf of a field of unknown type', '("content-type";sf)', 'component_unsupported'],
    ['a field name in upper case', '("Content-Type")', 'component_unsupported'],
    ['an empty name', '("")', 'component_unsupported'],
    ['a token for a name', '(@method)', 'malformed'],
    ['a token for a field name', '(content-type)', 'malformed'],
    ['no inner list', '"@method"', 'malformed'],
    ['a dictionary member that is absent', '("content-digest";key="sha-512")', 'component_missing'],
    ['a query parameter that is absent', '("@query-param";name="nope")', 'component_missing'],
    ['a trailer that is absent', '("content-digest";tr)', 'component_missing'],
  ])('%s is refused [A6]', async (_, list, code) => {
    const message = withFields(
      request(),
      'Signature-Input',
      `sig=${list};created=${NOW};tag="${TAG}"`,
      'Signature',
      'sig=:AAAA:',
    );
    expect(await codeOf(message, nothingRequired)).toBe(code);
  });

  it('a field named @method has no effect [A6]', async () => {
    const message = await signed(request());
    expect(await codeOf(withFields(message, '@method', 'GET', '@path', '/other'))).toBe('ok');
    expect(await codeOf({ ...withFields(message, '@method', 'POST'), method: 'GET' })).toBe('invalid');
  });

  it.each(['line\nfeed', 'carriage\rreturn', 'nul\0', 'é', 'escape\u001b', '\u2028', '\u00a0'])(
    'a covered value with %j is refused [A16]',
    async (value) => {
      const message = rewrite(await signed(request()), 'content-type', () => value);
      expect(await codeOf(message)).toBe('component_malformed');
    },
  );
});

describe('credentials that are not covered [A18]', () => {
  it('a swapped Authorization is refused [A18]', async () => {
    const message = await signed(request());
    expect(await codeOf(rewrite(message, 'authorization', () => 'Bearer other'))).toBe('invalid');
    expect(await codeOf(withFields(message, 'Authorization', 'Bearer other'))).toBe('invalid');
  });

  it('an Authorization added to a request that was signed without is refused [A18]', async () => {
    const plain = without(request(), 'authorization');
    const message = await signed(plain, { components: COMPONENTS.filter((name) => name !== 'authorization') });
    expect(await codeOf(message)).toBe('ok');
    expect(await codeOf(withFields(message, 'AUTHORIZATION', 'Bearer other'))).toBe('component_required');
  });

  it.each(['"authorization";bs', '"content-digest";key="sha-256"', '"content-digest";sf'])(
    '%s does not count as the whole field [A18]',
    async (weaker) => {
      const name = weaker.slice(1, weaker.indexOf('"', 1));
      const message = await signed(request(), { components: [...COMPONENTS.filter((left) => left !== name), weaker] });
      expect(await codeOf(message)).toBe('component_required');
      const result = await verifyMessage(message, policy(nothingRequired));
      const covered = result.ok ? result.signature.covered : expect.fail(result.detail);
      expect(covers(covered, name)).toBe(false);
      expect(covers(covered, weaker)).toBe(true);
      expect(covers(covered, '@method')).toBe(true);
    },
  );
});

describe('responses', () => {
  const response = { status: 200, rawFields: ['Content-Type', 'application/json'], request: request() };
  const components = [
    '@status',
    'content-type',
    '"@method";req',
    '"authorization";req',
    '"@query-param";name="draft";req',
  ];
  const rules = { components: requireComponents({ all: ['@status', '"@method";req'] }) };

  it('binds a response to its request', async () => {
    const message = await signed(response, { components });
    expect(await verifyMessage(message, policy(rules))).toMatchObject({ ok: true });
    const { request: related, ...alone } = message;
    expect(await verifyMessage(alone, policy(rules))).toMatchObject({ code: 'component_missing' });
    const moved = { ...message, request: { ...related, method: 'GET' } };
    expect(await verifyMessage(moved, policy(rules))).toMatchObject({ code: 'invalid' });
    expect(await verifyMessage({ ...message, status: 500 }, policy(rules))).toMatchObject({ code: 'invalid' });
    expect(await verifyMessage({ ...message, status: 0 }, policy(rules))).toMatchObject({ code: 'component_missing' });
  });

  it('refuses a request component in place of a response component [A6]', async () => {
    const message = withFields(
      response,
      'Signature-Input',
      `sig=("@method");created=${NOW};tag="${TAG}"`,
      'Signature',
      'sig=:AAAA:',
    );
    expect(await verifyMessage(message, policy(nothingRequired))).toMatchObject({ code: 'component_unsupported' });
    const status = withFields(
      response,
      'Signature-Input',
      `sig=("@status";req);created=${NOW};tag="${TAG}"`,
      'Signature',
      'sig=:AAAA:',
    );
    expect(await verifyMessage(status, policy(nothingRequired))).toMatchObject({ code: 'component_unsupported' });
  });
});

it('a misspelt list of required components is refused, which would require nothing [G5]', () => {
  expect(() => requireComponents({ ifPresnt: ['authorization'] } as object)).toThrow("unknown option 'ifPresnt'");
});

it('misspelt parameters are refused, without which a signature would never end [G5]', async () => {
  const options = { components: COMPONENTS, paramaters: PARAMETERS } as never;
  await expect(signMessage(request(), options)).rejects.toThrow("unknown option 'paramaters'");
});
