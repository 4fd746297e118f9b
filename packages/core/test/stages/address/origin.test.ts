import * as fc from 'fast-check';
import { FieldSection } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { type Origin, parseOrigin, readAddress } from '../../../src/stages/address/origin.js';

const api = parseOrigin('https://api.acme.dev', false);
const local = parseOrigin('http://127.0.0.1:8080', false);
const codeOf = (origins: readonly Origin[], target: string, ...rawHeaders: string[]) => {
  const result = readAddress(target, new FieldSection(rawHeaders), origins);
  return 'code' in result ? result.code : result.origin.href;
};
const forwarded = (host: string, origins: readonly Origin[]) =>
  readAddress('/', new FieldSection(['host', 'Inside', 'x-forwarded-host', host]), origins, host);
const code = (target: string, ...rawHeaders: string[]) => codeOf([api, local], target, ...rawHeaders);

describe('parseOrigin', () => {
  it('normalizes case and drops the default port', () => {
    expect(parseOrigin('HTTPS://API.acme.dev:443/', false)).toEqual({
      scheme: 'https',
      authority: 'api.acme.dev',
      href: 'https://api.acme.dev',
    });
  });

  it.each([
    'api.acme.dev',
    'https://api.acme.dev/v1',
    'https://u:p@api.acme.dev',
    'ftp://x',
    'https://',
    'https://a?b',
  ])('refuses %s at creation [G5]', (value) => {
    expect(() => parseOrigin(value, false)).toThrow(ConfigError);
  });

  it('refuses plain http outside loopback without the dangerously named option [G5]', () => {
    expect(() => parseOrigin('http://api.acme.dev', false)).toThrow(/dangerouslyAllowHttpOrigin/);
    expect(parseOrigin('http://api.acme.dev', true).scheme).toBe('http');
    expect(parseOrigin('http://[::1]:80', false).authority).toBe('[::1]');
  });
});

describe('readAddress', () => {
  it('compares hosts without regard to case and the default port [A13]', () => {
    for (const host of ['api.acme.dev', 'API.Acme.dev:443']) {
      expect(codeOf([api], '/a?b', 'host', host)).toBe('https://api.acme.dev');
    }
    expect(code('/', 'Host', '127.0.0.1:8080')).toBe('http://127.0.0.1:8080');
  });

  it.each([
    ['Host', '/', ['host', 'API.acme.dev']],
    ['the default port in Host', '/', ['host', 'api.acme.dev:443']],
    [':authority', '/', [':authority', 'api.acme.dev', 'host', 'Api.acme.dev']],
    ['Host beside :authority', '/', [':authority', 'Api.acme.dev', 'host', 'api.acme.dev']],
    ['an absolute target', 'https://API.acme.dev/', ['host', 'api.acme.dev']],
    ['X-Forwarded-Host', '/', ['host', 'api.acme.dev', 'x-forwarded-host', 'API.acme.dev']],
  ])('refuses %s that is spelt otherwise than one of several origins [H2]', (_name, target, headers) => {
    expect(codeOf([api], target, ...headers)).toBe('https://api.acme.dev');
    expect(codeOf([api, local], target, ...headers)).toBe('request_malformed');
  });

  it('refuses a forwarded host that is spelt otherwise than one of several origins [H2]', () => {
    expect(forwarded('api.acme.dev', [api, local])).toMatchObject({ origin: api });
    expect(forwarded('API.acme.dev', [api])).toMatchObject({ origin: api });
    expect(forwarded('API.acme.dev', [api, local])).toMatchObject({ code: 'request_malformed' });
  });

  it.each([
    ['another host', 'api.acme.evil'],
    ['a sibling vhost', 'admin.acme.dev'],
    ['another port', 'api.acme.dev:8443'],
    ['the default port of the other scheme', 'api.acme.dev:80'],
    ['a trailing dot', 'api.acme.dev.'],
  ])('refuses %s [A13]', (_name, host) => {
    expect(code('/', 'host', host)).toBe('origin_mismatch');
  });

  it.each([
    ['no Host field', []],
    ['two Host fields', ['host', 'api.acme.dev', 'Host', 'api.acme.dev']],
    ['a Host with a path', ['host', 'api.acme.dev/x']],
    ['a Host with user info', ['host', 'x@api.acme.dev']],
    ['an empty Host', ['host', '']],
  ])('refuses %s as malformed [A13]', (_name, headers) => {
    expect(code('/', ...headers)).toBe('request_malformed');
  });

  it('ignores X-Forwarded-* and Forwarded [A13]', () => {
    const forwarded = [
      'x-forwarded-host',
      'api.acme.dev',
      'x-forwarded-proto',
      'https',
      'forwarded',
      'host=api.acme.dev',
    ];
    expect(code('/', 'host', 'evil.example', ...forwarded)).toBe('origin_mismatch');
  });

  it('accepts an absolute-form target only if it agrees with Host and with an origin of the API [A13]', () => {
    expect(code('https://api.acme.dev/x?y', 'host', 'api.acme.dev')).toBe('https://api.acme.dev');
    expect(code('https://api.acme.dev/', 'host', 'api.acme.dev')).toBe('https://api.acme.dev');
    expect(code('https://api.acme.dev/x', 'host', 'other.dev')).toBe('request_malformed');
    expect(code('http://api.acme.dev/x', 'host', 'api.acme.dev')).toBe('origin_mismatch');
    expect(code('ftp://api.acme.dev/x', 'host', 'api.acme.dev')).toBe('request_malformed');
  });

  it.each(['', '?next=/admin', '?/admin', '#/admin'])(
    'refuses an absolute-form target without a path, followed by %j [A13]',
    (rest) => {
      expect(code(`https://api.acme.dev${rest}`, 'host', 'api.acme.dev')).toBe('request_malformed');
    },
  );

  it.each(['*', 'x', '', '/a b', '/a#b', '/ä', '/a\u0000'])('refuses the target %j [A13]', (target) => {
    expect(code(target, 'host', 'api.acme.dev')).toBe('request_malformed');
  });

  it('reads :authority of HTTP/2 like Host, and refuses the two if they differ [A13]', () => {
    expect(code('/', ':authority', 'api.acme.dev')).toBe('https://api.acme.dev');
    expect(codeOf([api], '/', ':authority', 'api.acme.dev', 'host', 'API.acme.dev')).toBe('https://api.acme.dev');
    expect(code('/', ':authority', 'api.acme.evil')).toBe('origin_mismatch');
    for (const second of ['host', ':authority']) {
      expect(code('/', ':authority', 'api.acme.dev', second, 'api.acme.evil')).toBe('request_malformed');
    }
    expect(code('/', ':authority', 'api.acme.dev', ':authority', 'api.acme.dev')).toBe('request_malformed');
    expect(code('/', ':authority', 'api.acme.dev', 'host', 'api.acme.dev', 'host', 'api.acme.dev')).toBe(
      'request_malformed',
    );
  });

  it('accepts the :scheme of the origin, and http of a proxy that ends TLS, only [H1]', () => {
    const [acme, loopback] = [
      [':authority', 'api.acme.dev'],
      [':authority', '127.0.0.1:8080'],
    ] as const;
    for (const scheme of ['https', 'http']) expect(code('/', ':scheme', scheme, ...acme)).toBe('https://api.acme.dev');
    for (const scheme of ['ftp', '', 'HTTPS', 'https,http']) {
      expect(code('/', ':scheme', scheme, ...acme)).toBe('origin_mismatch');
    }
    expect(code('/', ':scheme', 'http', ...loopback)).toBe('http://127.0.0.1:8080');
    expect(code('/', ':scheme', 'https', ...loopback)).toBe('origin_mismatch');
  });

  it('accepts unusual but legal paths', () => {
    for (const path of ['//x', '/...', '/a..b', '/.well-known', '/a..%2Fb', '/x?a=/..%2fb', '/;a=b', '/%2F', '/[x]']) {
      expect(code(path, 'host', 'api.acme.dev')).toBe('https://api.acme.dev');
    }
  });

  it.each(['..', '.', '%2e%2e', '%2E.', '.%2e', '%2e', 'x%2f..', '..%5Cx', '..;x'])(
    'refuses the dot segment %s anywhere in a path [H2]',
    (dots) => {
      for (const path of [`/${dots}`, `/a/${dots}`, `/a/${dots}/b`, `/${dots}?q`, `https://api.acme.dev/${dots}/b`]) {
        expect(code(path, 'host', 'api.acme.dev')).toBe('request_malformed');
      }
    },
  );

  it('never throws for any target and fields', () => {
    fc.assert(
      fc.property(fc.string(), fc.array(fc.string()), (target, headers) => {
        readAddress(target, new FieldSection(['host', 'api.acme.dev', ...headers]), [api]);
        readAddress(target, new FieldSection(headers), [api]);
      }),
    );
  });
});
