import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { type TrustDomain, trustDomain } from '../../../test/support/trust-domain.js';
import { fakeWorkloadApi, field, jwtBundlesAnswer, x509BundlesAnswer } from '../../../test/support/workload-api.js';
import { openTrustBundles, type TrustBundles, type TrustDomains } from '../src/index.js';

const domain = trustDomain();
const other = trustDomain('other.org');

async function open(trustDomains: TrustDomains, troubles: string[] = []) {
  const bundles = await openTrustBundles(trustDomains, { onTrouble: (message) => troubles.push(message) });
  onTestFinished(() => bundles.close());
  return bundles;
}

/** A Workload API that gives the bundles of both domains, and then what the test sends. */
async function fakeBundles() {
  const sends: Record<string, (message: Buffer) => void> = {};
  let isJwtBroken = false;
  let endJwt: (() => void) | undefined;
  const api = await fakeWorkloadApi((call) => {
    const isJwt = call.method === 'FetchJWTBundles';
    if (isJwt && isJwtBroken) {
      call.fail(13, 'broken');
      return;
    }
    sends[call.method] = (message) => call.send(message);
    if (isJwt) endJwt = () => call.end();
    call.send(isJwt ? jwtBundlesAnswer([domain, other]) : x509BundlesAnswer([domain, other]));
  });
  onTestFinished(() => api.close());
  return {
    socket: api.socket,
    jwt: (message: Buffer) => sends['FetchJWTBundles']?.(message),
    x509: (message: Buffer) => sends['FetchX509Bundles']?.(message),
    breakJwt() {
      isJwtBroken = true;
      endJwt?.();
    },
  };
}

/** The entry of a domain whose bundle is neither a JWK Set nor DER. */
function unreadable(map: number, name: string): Buffer {
  return field(map, Buffer.concat([field(1, `spiffe://${name}`), field(2, '[]')]));
}

function fingerprint({ ca }: TrustDomain): string {
  return ca.certificate.fingerprint256;
}

function fingerprints(bundles: TrustBundles, name: string): unknown {
  const found = bundles.x509Authorities(name);
  return found.kind === 'found' ? found.authorities.map(({ fingerprint256 }) => fingerprint256) : found;
}

describe('the bundles of a Workload API', () => {
  it('keep the last keys of a domain that has more X.509 authorities than a bundle may have [A14]', async () => {
    const api = await fakeBundles();
    const troubles: string[] = [];
    const bundles = await open({ 'other.org': { socket: api.socket } }, troubles);
    const many = Array.from({ length: 257 }, () => other.ca.certificate.raw);
    api.x509(field(2, Buffer.concat([field(1, 'spiffe://other.org'), field(2, Buffer.concat(many))])));
    await vi.waitFor(() => expect(troubles.join()).toContain('more than 256 certificates'), patiently);
    expect(fingerprints(bundles, 'other.org')).toEqual([fingerprint(other)]);
  });

  it('are read one by one: one that cannot be read keeps its last keys, and is reported [A14]', async () => {
    const api = await fakeBundles();
    const troubles: string[] = [];
    const { socket } = api;
    const bundles = await open({ 'example.org': { socket }, 'other.org': { socket } }, troubles);
    const next = trustDomain();
    api.jwt(Buffer.concat([jwtBundlesAnswer([next]), unreadable(1, 'other.org'), unreadable(1, 'third.org')]));
    api.x509(Buffer.concat([x509BundlesAnswer([next]), unreadable(2, 'other.org'), unreadable(2, 'third.org')]));
    await vi.waitFor(() => expect(troubles).toHaveLength(2), patiently);
    expect(bundles.jwtAuthorities('example.org')).toMatchObject({ authorities: [{ kid: next.kid }] });
    expect(bundles.jwtAuthorities('other.org')).toMatchObject({ authorities: [{ kid: other.kid }] });
    await vi.waitFor(() => expect(fingerprints(bundles, 'example.org')).toEqual([fingerprint(next)]), patiently);
    expect(fingerprints(bundles, 'other.org')).toEqual([fingerprint(other)]);
    expect(troubles.toSorted()).toEqual([
      expect.stringContaining('the JWT bundle of other.org cannot be read'),
      expect.stringContaining('the X.509 bundle of other.org cannot be read'),
    ]);
  });

  it('age by stream: the words of one do not renew the keys of the other [A14]', async () => {
    const api = await fakeBundles();
    const troubles: string[] = [];
    const bundles = await open({ 'example.org': { socket: api.socket } }, troubles);
    api.breakJwt();
    await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
    const next = trustDomain();
    api.x509(x509BundlesAnswer([next]));
    await vi.waitFor(() => expect(fingerprints(bundles, 'example.org')).toEqual([fingerprint(next)]), patiently);
    const now = performance.now();
    const clock = vi.spyOn(performance, 'now').mockReturnValue(now + 25 * 3_600_000);
    onTestFinished(() => clock.mockRestore());
    expect(bundles.jwtAuthorities('example.org').kind).toBe('unavailable');
    expect(bundles.x509Authorities('example.org').kind).toBe('found');
  });
});
