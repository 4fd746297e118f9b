import { describe, expect, it } from 'vitest';
import { isLoopback } from '../../src/net/loopback.js';
import { crossesInClear, type PlainHttp, secureUrl } from '../../src/net/secure-url.js';

const outcome = (text: unknown, plainHttp: PlainHttp): string => {
  const read = secureUrl(text, plainHttp);
  return read.ok ? read.url.href : read.problem;
};

describe('secureUrl', () => {
  it.each<[string, PlainHttp, string]>([
    ['https://api.acme.dev', 'nowhere', 'https://api.acme.dev/'],
    ['http://api.acme.dev', 'nowhere', 'plain_http'],
    ['http://127.0.0.1:1', 'nowhere', 'plain_http'],
    ['http://api.acme.dev', 'loopback', 'plain_http'],
    ['http://127.0.0.1.nip.io', 'loopback', 'plain_http'],
    ['http://0.0.0.0', 'loopback', 'plain_http'],
    ['http://api.localhost', 'loopback', 'plain_http'],
    ['http://127.1:1', 'loopback', 'http://127.0.0.1:1/'],
    ['http://[::1]:1', 'loopback', 'http://[::1]:1/'],
    ['HTTP://LOCALHOST', 'loopback', 'http://localhost/'],
    ['http://api.acme.dev', 'anywhere', 'http://api.acme.dev/'],
    ['https://user@api.acme.dev', 'anywhere', 'has_credentials'],
    ['https://:secret@api.acme.dev', 'anywhere', 'has_credentials'],
    ['ftp://api.acme.dev', 'anywhere', 'not_http'],
    ['file:///etc/passwd', 'anywhere', 'not_http'],
    ['/relative', 'anywhere', 'not_http'],
    ['', 'anywhere', 'not_http'],
  ])('reads %s with plain http %s as %s [G5]', (text, plainHttp, expected) => {
    expect(outcome(text, plainHttp)).toBe(expected);
  });

  it('never throws when given anything but a text', () => {
    for (const value of [undefined, null, 7, {}, ['https://api.acme.dev']]) {
      expect(outcome(value, 'anywhere')).toBe('not_http');
    }
  });
});

describe('crossesInClear', () => {
  it('is true for plain http beyond loopback only', () => {
    const inClear = ['http://api.acme.dev', 'http://localhost', 'https://api.acme.dev'].filter((url) =>
      crossesInClear(new URL(url)),
    );
    expect(inClear).toEqual(['http://api.acme.dev']);
  });
});

describe('isLoopback', () => {
  it('does not count names below localhost, which many resolvers send to the network', () => {
    expect(['localhost', '127.8.9.1', '[::1]'].every(isLoopback)).toBe(true);
    expect(['api.localhost', 'localhost.', '128.0.0.1', '[::]', '127.0.0.1.acme.dev'].some(isLoopback)).toBe(false);
  });
});
