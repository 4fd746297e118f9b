import type { LookupAddress } from 'node:dns';
import { describe, expect, it, vi } from 'vitest';
import { createLookup, isPublicAddress, lookupPublic } from '../../src/remote/public-addresses.js';

describe('isPublicAddress', () => {
  it.each([
    '8.8.8.8',
    '1.1.1.1',
    '172.32.0.1',
    '100.128.0.1',
    '2606:4700:4700::1111',
    '2a00:1450:4001:829::200e',
    '::ffff:8.8.8.8',
    // In the registries, and globally reachable: AS112 and AMT.
    '192.31.196.1',
    '192.52.193.1',
    '192.175.48.1',
    '2620:4f:8000::1',
  ])('%s is public', (address) => expect(isPublicAddress(address)).toBe(true));

  it.each([
    '127.0.0.1',
    '127.255.255.254',
    '0.0.0.0',
    '10.0.0.1',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '168.63.129.16',
    '192.0.0.192',
    '198.18.0.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::127.0.0.1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::ffff:a9fe:a9fe',
    '::ffff:10.0.0.1',
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::7f00:1',
    '2002:7f00:1::',
    '2001:0:7f00:1::',
    'fc00::1',
    'fd00:ec2::254',
    'fe80::1',
    'fe80::1%lo',
    'fec0::1',
    'ff02::1',
    '2001:db8::1',
    '3fff::1',
    '5f00::1',
    '100::1',
    '100:0:0:1::1',
    'localhost',
    '',
  ])('%j is not public [A14]', (address) => expect(isPublicAddress(address)).toBe(false));
});

describe('lookupPublic', () => {
  it.each([true, false])('refuses a name that resolves to loopback (all: %s) [A14]', async (all) => {
    const error = await new Promise((resolve) => {
      lookupPublic('localhost', { all }, resolve);
    });
    expect(String(error)).toMatch(/not public. If it is meant, set dangerouslyAllowPrivateAddresses: true/);
  });

  it.each([true, false])('gives a public address as it was asked for (all: %s)', async (all) => {
    const answer = await new Promise((resolve, reject) => {
      lookupPublic('8.8.8.8', { all }, (error, address) => (error === null ? resolve(address) : reject(error)));
    });
    expect(answer).toEqual(all ? [{ address: '8.8.8.8', family: 4 }] : '8.8.8.8');
  });

  it('passes a failure to resolve on', async () => {
    const error = await new Promise((resolve) => {
      lookupPublic('name.invalid', {}, resolve);
    });
    expect(String(error)).toMatch(/ENOTFOUND|EAI_AGAIN/);
  });

  it('asks for a host only once at a time, whoever waits for it [J3]', () => {
    const asked: {
      readonly host: string;
      readonly answer: (error: Error | null, addresses: LookupAddress[]) => void;
    }[] = [];
    const lookupOnce = createLookup(true, (host, _options, answer) => void asked.push({ host, answer }));
    const [all, one, other] = [vi.fn(), vi.fn(), vi.fn()];
    lookupOnce('slow.example', { all: true }, all);
    lookupOnce('slow.example', {}, one);
    lookupOnce('other.example', {}, other);
    expect(asked.map(({ host }) => host)).toEqual(['slow.example', 'other.example']);
    const address = { address: '192.0.2.1', family: 4 };
    asked[0]?.answer(null, [address]);
    asked[1]?.answer(new Error('ENOTFOUND'), []);
    expect(all).toHaveBeenCalledWith(null, [address]);
    expect(one).toHaveBeenCalledWith(null, '192.0.2.1', 4);
    expect(other).toHaveBeenCalledWith(new Error('ENOTFOUND'), []);
    lookupOnce('slow.example', {}, one);
    expect(asked).toHaveLength(3);
  });
});
