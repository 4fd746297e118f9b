import * as fc from 'fast-check';
import { FieldSection } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { createForwardedReader } from '../../../src/stages/address/proxies.js';

function seen(trusted: readonly string[], remoteAddress: string | undefined, ...rawHeaders: string[]) {
  const read = createForwardedReader(trusted);
  return read({ fields: new FieldSection(rawHeaders), remoteAddress });
}

describe('createForwardedReader', () => {
  it('ignores forwarding fields by default [A13]', () => {
    expect(seen([], '127.0.0.1', 'x-forwarded-host', 'api.acme.dev', 'x-forwarded-for', '9.9.9.9')).toEqual({});
  });

  it('ignores forwarding fields of a peer outside the trusted ranges [A13]', () => {
    expect(seen(['10.0.0.0/8'], '11.0.0.1', 'x-forwarded-host', 'api.acme.dev')).toEqual({});
  });

  it('reads the forwarding fields of a trusted peer, also of an IPv4-mapped one', () => {
    const headers = ['X-Forwarded-Host', 'api.acme.dev', 'X-Forwarded-For', '9.9.9.9'];
    const expected = { host: 'api.acme.dev', remoteAddress: '9.9.9.9', certificates: [] };
    expect(seen(['10.0.0.0/8'], '10.1.2.3', ...headers)).toEqual(expected);
    expect(seen(['10.0.0.0/8'], '::ffff:10.1.2.3', ...headers)).toEqual(expected);
    expect(seen(['fd00::/8'], 'fd00::1', ...headers)).toEqual(expected);
  });

  it('reads certificates of the proxies alone that may forward them [Q7]', () => {
    const read = createForwardedReader(['10.0.0.0/8'], ['10.1.0.0/16']);
    const fields = new FieldSection(['X-Forwarded-Client-Cert', 'Hash=a']);
    expect(read({ fields, remoteAddress: '10.1.2.3' })).toMatchObject({ certificates: ['Hash=a'] });
    expect(read({ fields, remoteAddress: '10.2.2.3' })).toMatchObject({ certificates: [] });
    expect(read({ fields, remoteAddress: '11.1.2.3' })).toEqual({});
    expect(() => createForwardedReader([], ['x'])).toThrow(/forwardedBy/);
  });

  it('takes a peer without an address for a proxy of which nothing is known [Q7, A13]', () => {
    const read = createForwardedReader(['10.0.0.0/8'], ['10.1.0.0/16']);
    const fields = ['X-Forwarded-Client-Cert', 'X-Forwarded-Host', 'X-Forwarded-For'].flatMap((name) => [
      name,
      '9.9.9.9',
    ]);
    expect(read({ fields: new FieldSection(fields), remoteAddress: undefined })).toEqual({ certificates: [] });
    expect(seen([], undefined, ...fields)).toEqual({});
  });

  it.each([
    [[], ['10.0.0.7']],
    [['10.0.0.0/8'], ['11.0.0.7']],
    [['10.0.0.0/16'], ['10.0.0.0/8']],
    [['10.0.0.0/8'], ['10.0.0.7', '::1']],
  ])(
    'refuses to let all of %j and %j forward certificates: one is no trusted proxy [Q7, G5]',
    (trusted, forwarding) => {
      expect(() => createForwardedReader(trusted, forwarding)).toThrow(/'trustedProxies'/);
    },
  );

  it('takes the nearest untrusted address for the client, never an address that the client wrote [A13]', () => {
    expect(seen(['10.0.0.0/8'], '10.0.0.1', 'x-forwarded-for', '1.1.1.1, 9.9.9.9, 10.0.0.2').remoteAddress).toBe(
      '9.9.9.9',
    );
    expect(
      seen(['10.0.0.0/8'], '10.0.0.1', 'x-forwarded-for', '1.1.1.1', 'x-forwarded-for', 'evil').remoteAddress,
    ).toBe('10.0.0.1');
  });

  it('joins several forwarded hosts to a value that matches no origin [A13]', () => {
    const { host } = seen(['10.0.0.1'], '10.0.0.1', 'x-forwarded-host', 'a.dev', 'x-forwarded-host', 'b.dev');
    expect(host).toBe('a.dev,b.dev');
  });

  it.each(['', 'proxy.local', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0.0/8/9', '::1/129', '0.0.0.0/0'])(
    'refuses the trusted proxy %j [G5]',
    (entry) => {
      expect(() => createForwardedReader([entry])).toThrow(ConfigError);
    },
  );

  it('never throws for any forwarding field', () => {
    fc.assert(
      fc.property(fc.array(fc.string()), (values) => {
        seen(
          ['127.0.0.1'],
          '127.0.0.1',
          ...values.flatMap((value) => ['x-forwarded-for', value, 'x-forwarded-host', value]),
        );
      }),
    );
  });
});
