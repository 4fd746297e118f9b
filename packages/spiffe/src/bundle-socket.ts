import type { X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import type { JwtAuthority } from './bundle.js';
import type { BundleSource, SourceParts } from './bundle-source.js';
import { readSocketPath } from './socket-path.js';
import { followJwtBundles, followX509Bundles } from './workload-api.js';

/** So long a start waits for the first bundles. */
const firstMilliseconds = 5000;

/**
 * Follows the bundles of several trust domains at one Workload API. A domain that is no longer listed is not federated
 * any more, and has no keys.
 */
export function openSocketSources(
  address: string,
  trustDomains: readonly string[],
  { onTrouble, onChange }: Omit<SourceParts, 'trustDomain'>,
): readonly (readonly [string, BundleSource])[] {
  const socket = readSocketPath('openTrustBundles', address);
  const stop = new AbortController();
  let jwt: ReadonlyMap<string, readonly JwtAuthority[]> | undefined;
  let x509: ReadonlyMap<string, readonly X509Certificate[]> | undefined;
  let problem: string | undefined;
  /** When a stream broke first; undefined while both are open. */
  let brokenAt: number | undefined;
  const options = {
    socket,
    signal: stop.signal,
    onTrouble(error: Error) {
      brokenAt ??= performance.now();
      if (problem === undefined) onTrouble(`the Workload API at ${socket} gives no bundles: ${error.message}`);
      problem = error.message;
    },
  };

  async function follow<Update>(updates: AsyncIterable<Update>, take: (update: Update) => void): Promise<void> {
    for await (const update of updates) {
      take(update);
      [problem, brokenAt] = [undefined, undefined];
      onChange();
    }
  }
  const asked = new Promise<void>((resolve) => {
    const settle = (): void => {
      if (jwt !== undefined && x509 !== undefined) resolve();
    };
    void follow(followJwtBundles(options), (update) => {
      jwt = new Map([...update].map(([name, bundle]) => [name, bundle.jwtAuthorities]));
      settle();
    });
    void follow(followX509Bundles(options), (update) => {
      x509 = update;
      settle();
    });
  });
  const first = Promise.race([
    asked,
    setTimeout(firstMilliseconds, undefined, { signal: stop.signal }).catch(() => {}),
  ]);

  return trustDomains.map((trustDomain) => [
    trustDomain,
    {
      first,
      jwtAuthorities: () => jwt && (jwt.get(trustDomain) ?? []),
      x509Authorities: () => x509 && (x509.get(trustDomain) ?? []),
      ageSeconds: () => (brokenAt === undefined ? 0 : (performance.now() - brokenAt) / 1000),
      problem: () => problem,
      close: () => stop.abort(),
    },
  ]);
}
