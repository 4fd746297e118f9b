import * as fc from 'fast-check';
import { FieldSection } from '@countersign/signature';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { createForwardedReader } from '../../../src/stages/address/proxies.js';

function seen(trusted: readonly string[], remoteAddress: string, ...rawHeaders: string[]) {
  const read = createForwardedReader(trusted);
  return read({ fields: new FieldSection(rawHeaders), remoteAddress });
}

describe('createForwardedReader', () => {
  it('believes nobody by default [A13]', () => {
    expect(seen([], '127.0.0.1', 'x-forwarded-host', 'api.acme.dev', 'x-forwarded-for', '9.9.9.9')).toEqual({});
  });

  it('believes no peer outside of the trusted ranges [A13]', () => {
    expect(seen(['10.0.0.0/8'], '11.0.0.1', 'x-forwarded-host', 'api.acme.dev')).toEqual({});
  });

  it('believes a trusted peer, also in IPv4-mapped form', () => {
    const headers = ['X-Forwarded-Host', 'api.acme.dev', 'X-Forwarded-For', '9.9.9.9'];
    const expected = { host: 'api.acme.dev', remoteAddress: '9.9.9.9' };
    expect(seen(['10.0.0.0/8'], '10.1.2.3', ...headers)).toEqual(expected);
    expect(seen(['10.0.0.0/8'], '::ffff:10.1.2.3', ...headers)).toEqual(expected);
    expect(seen(['fd00::/8'], 'fd00::1', ...headers)).toEqual(expected);
  });

  it('takes the nearest stranger for the client, never what the client wrote itself [A13]', () => {
    expect(seen(['10.0.0.0/8'], '10.0.0.1', 'x-forwarded-for', '1.1.1.1, 9.9.9.9, 10.0.0.2').remoteAddress).toBe(
      '9.9.9.9',
    );
    expect(
      seen(['10.0.0.0/8'], '10.0.0.1', 'x-forwarded-for', '1.1.1.1', 'x-forwarded-for', 'evil').remoteAddress,
    ).toBe('10.0.0.1');
  });

  it('several forwarded hosts are no host [A13]', () => {
    const { host } = seen(['10.0.0.1'], '10.0.0.1', 'x-forwarded-host', 'a.dev', 'x-forwarded-host', 'b.dev');
    expect(host).toBe('a.dev,b.dev');
  });

  it.each(['', 'proxy.local', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0.0/8/9', '::1/129', '0.0.0.0/0'])(
    'refuses %j [G5]',
    (entry) => {
      expect(() => createForwardedReader([entry])).toThrow(ConfigError);
    },
  );

  it('never throws on what a client sends', () => {
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
