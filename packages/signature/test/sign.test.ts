import { describe, expect, it } from 'vitest';
import {
  createSignatureBase,
  fieldValue,
  normalizeAuthority,
  parseComponent,
  parseSignatureHeader,
  parseSignatureInput,
  requireComponents,
  type RequestMessage,
  SignatureError,
  type SignatureParameters,
  type SignatureRefusalCode,
  signatureRefusals,
  signMessage,
  type SignedMessage,
  type SignOptions,
} from '../src/index.js';
import { request, signer } from './support/messages.js';

function valueOf(component: string, message: Partial<RequestMessage> = {}): string {
  const built = createSignatureBase(request(message), [component], {});
  if (!built.ok) return built.code;
  const [line = ''] = built.base.split('\n');
  return line.slice(parseComponent(component).identifier.length + 2);
}

describe('derived components of every kind of target', () => {
  const forms: [target: string, method: string, path: string, query: string, uri: string][] = [
    ['/', 'GET', '/', '?', 'https://api.example.com/'],
    ['/a?', 'GET', '/a', '?', 'https://api.example.com/a?'],
    ['/a?b?c', 'GET', '/a', '?b?c', 'https://api.example.com/a?b?c'],
    ['/%2F%61/../x//', 'GET', '/%2F%61/../x//', '?', 'https://api.example.com/%2F%61/../x//'],
    ['*', 'OPTIONS', '/', '?', 'https://api.example.com'],
    ['HTTPS://Other.example:443', 'GET', '/', '?', 'https://other.example/'],
    ['http://other.example:8080/A?Q', 'GET', '/A', '?Q', 'http://other.example:8080/A?Q'],
    ['https://other.example?q', 'GET', '/', '?q', 'https://other.example/?q'],
    ['other.example:8443', 'CONNECT', '/', '?', 'https://other.example:8443'],
  ];
  it.each(forms)('%s', (target, method, path, query, uri) => {
    expect(valueOf('@path', { target, method })).toBe(path);
    expect(valueOf('@query', { target, method })).toBe(query);
    expect(valueOf('@target-uri', { target, method })).toBe(uri);
    expect(valueOf('@request-target', { target, method })).toBe(target);
    expect(valueOf('@method', { target, method })).toBe(method);
    expect(uri).toContain(valueOf('@authority', { target, method }));
    expect(uri.startsWith(`${valueOf('@scheme', { target, method })}://`)).toBe(true);
  });

  it.each([
    ['Example.COM', 'https', 'example.com'],
    ['example.com:443', 'https', 'example.com'],
    ['example.com:80', 'http', 'example.com'],
    ['example.com:80', 'https', 'example.com:80'],
    ['example.com:', 'https', 'example.com'],
    ['example.com.', 'https', 'example.com.'],
    ['[2001:DB8::1]:443', 'https', '[2001:db8::1]'],
    ['127.0.0.1:3000', 'http', '127.0.0.1:3000'],
    ['example.com:0443', 'https', 'example.com:0443'],
    ['user@example.com', 'https', undefined],
    ['a,b', 'https', undefined],
    ['', 'https', undefined],
  ] as const)('the authority %j over %s is %j [A13]', (authority, scheme, normalized) => {
    expect(normalizeAuthority(authority, scheme)).toBe(normalized);
  });
});

describe('query parameters', () => {
  it.each([
    ['?a=1&b=2', 'b', '2'],
    ['?a', 'a', ''],
    ['?=x', '', 'x'],
    ['?a=b=c', 'a', 'b%3Dc'],
    ["?a=~!*()'-._", 'a', '%7E%21*%28%29%27-._'],
    ['?a=100%', 'a', '100%25'],
    ['?%61=1', 'a', '1'],
    ['?a+b=c+d', 'a%20b', 'c%20d'],
    ['?a=1', 'A', 'component_missing'],
    ['?a=1', '%61', 'component_missing'],
    ['?a=%ff', 'a', 'component_malformed'],
    ['?a=1&a=1', 'a', 'component_malformed'],
    ['?a=1&b=2&b=3', 'a', '1'],
    ['', 'a', 'component_missing'],
  ])('of %j, %j is %j', (query, name, value) => {
    expect(valueOf(`"@query-param";name="${name}"`, { target: `/${query}` })).toBe(value);
  });
});

describe('field components', () => {
  const rawFields = [
    'Priority',
    'u=1,   i=?1',
    'priority',
    ' x=1.0 ',
    'Other',
    'ÿ\u0001',
    'Deprecation',
    '@1,2',
    'A',
    '1',
    'dup',
    'a=1, a=2',
  ];
  it.each([
    ['priority', 'u=1,   i=?1, x=1.0'],
    ['priority;sf', 'u=1, i, x=1.0'],
    ['priority;key="x"', '1.0'],
    ['priority;key="i";sf', '?1'],
    ['priority;bs', ':dT0xLCAgIGk9PzE=:, :eD0xLjA=:'],
    ['other;bs', ':/wE=:'],
    ['other', 'component_malformed'],
    ['priority;key="y"', 'component_missing'],
    ['deprecation;sf', 'component_malformed'],
    ['deprecation;key="a"', 'component_unsupported'],
    ['a;key="b"', 'component_malformed'],
    ['dup;key="a"', 'component_malformed'],
    ['nope', 'component_missing'],
    ['nope;bs', 'component_missing'],
    ['nope;sf', 'component_missing'],
    ['priority;tr', 'component_missing'],
  ])('%s is %j', (component, value) => {
    expect(valueOf(component, { rawFields })).toBe(value);
  });

  it('refuse characters above U+00FF with bs', () => {
    expect(valueOf('x;bs', { rawFields: ['x', '\u0100'] })).toBe('component_malformed');
  });

  it('fieldValue joins lines and trims spaces and tabs only', () => {
    expect(fieldValue(['X', ' a\t', 'y', '1', 'x', '\u00a0b'], 'x')).toBe('a, \u00a0b');
    expect(fieldValue(['X'], 'x')).toBeUndefined();
    expect(fieldValue([], 'x')).toBeUndefined();
  });
});

function sign(options: Partial<SignOptions>): Promise<SignedMessage> {
  return signMessage(request(), { key: signer, components: ['@method'], ...options });
}

describe('signing', () => {
  it('uses the label sig and the id of the key by default', async () => {
    expect((await sign({})).signatureInput).toBe('sig=("@method");keyid="key-1"');
    const other = await sign({ label: 'a1', parameters: { keyid: 'other', created: 1 } });
    expect(other.signatureInput).toBe('a1=("@method");keyid="other";created=1');
    expect(other.signature).toMatch(/^a1=:[A-Za-z0-9+/]{86}==:$/);
  });

  it.each<[string, Partial<SignOptions>, SignatureError['code']]>([
    ['a component that is absent', { components: ['x-absent'] }, 'component_missing'],
    ['an unknown component', { components: ['@x'] }, 'component_unsupported'],
    ['req in a request', { components: ['@method;req'] }, 'component_unsupported'],
    ['a component twice', { components: ['@method', '@method'] }, 'malformed'],
    ['what is no component', { components: ['"@method'] }, 'argument'],
    ['a label that is no key', { label: 'Sig' }, 'argument'],
    ['a decimal time', { parameters: { created: 1.5 } }, 'parameter_malformed'],
    ['a negative time', { parameters: { created: -1 } }, 'parameter_malformed'],
    ['a time beyond 15 digits', { parameters: { created: 1e15 } }, 'parameter_malformed'],
    ['expires before created', { parameters: { created: 2, expires: 1 } }, 'parameter_malformed'],
    ['a nonce beyond ASCII', { parameters: { nonce: 'é' } }, 'parameter_malformed'],
    ['an unknown parameter', { parameters: { nonse: 'x' } as SignatureParameters }, 'parameter_malformed'],
  ])('throws for %s', async (_, options, code) => {
    await expect(sign(options)).rejects.toSatisfy((error) => error instanceof SignatureError && error.code === code);
  });

  it('throws at the creation of a policy with an invalid component', () => {
    expect(() => requireComponents({ all: ['"x'] })).toThrow(SignatureError);
  });
});

describe('reading signature fields without verifying', () => {
  it('returns labels, components and parameters', () => {
    const parsed = parseSignatureInput('a=("@method" "x";bs);created=1;tag="t", b=()');
    if (!parsed.ok) expect.fail(parsed.detail);
    expect([...parsed.inputs.keys()]).toEqual(['a', 'b']);
    expect(parsed.inputs.get('a')?.covered.map(({ identifier }) => identifier)).toEqual(['"@method"', '"x";bs']);
    expect(parsed.inputs.get('a')?.parameters.get('tag')).toEqual({ type: 'string', value: 't' });
    const signatures = parseSignatureHeader('a=:AQI=:, b=::');
    expect(signatures.ok && signatures.signatures.get('a')).toEqual(Buffer.from([1, 2]));
  });
});

describe('refusal codes', () => {
  it('change only with a major version', () => {
    const codes: Record<SignatureRefusalCode, true> = {
      missing: true,
      malformed: true,
      ambiguous: true,
      component_missing: true,
      component_unsupported: true,
      component_malformed: true,
      component_required: true,
      parameter_missing: true,
      parameter_malformed: true,
      algorithm_not_allowed: true,
      expired: true,
      not_yet_valid: true,
      key: true,
      invalid: true,
    };
    expect(Object.keys(signatureRefusals)).toEqual(Object.keys(codes));
  });
});
