import { setTimeout } from 'node:timers/promises';
import type { BundleSource, KeyKind, SourceParts } from './bundle-source.js';
import { readSocketPath } from './socket-path.js';
import { type DomainBundles, followJwtBundles, type FollowOptions, followX509Bundles } from './workload-api.js';

/** So long a start waits for the first bundles. */
const firstMilliseconds = 5000;
const kindNames = { jwt: 'JWT', x509: 'X.509' };

interface Failure {
  /** By `performance.now()`. */
  readonly since: number;
  readonly problem: string;
}

/** The last keys of a domain, of one stream. */
interface Kept<Authority> {
  readonly authorities?: readonly Authority[];
  readonly failure?: Failure;
}

interface Stream<Authority> {
  /** Resolves with the first message. */
  readonly first: Promise<void>;
  readonly kept: (trustDomain: string) => Kept<Authority>;
}

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
  /** The stream whose outage was reported: an agent that ends breaks both. */
  let reported: unknown;

  function openStream<Authority>(
    kind: KeyKind,
    follow: (options: FollowOptions) => AsyncIterable<DomainBundles<Authority>>,
  ): Stream<Authority> {
    const kept = new Map<string, Kept<Authority>>(trustDomains.map((trustDomain) => [trustDomain, {}]));
    const unreadableBefore = new Set<string>();
    const onOutage = ({ message }: Error): void => {
      for (const [trustDomain, before] of kept) kept.set(trustDomain, fail(before, message));
      if (reported === undefined) onTrouble(`the Workload API at ${socket} gives no bundles: ${message}`);
      reported ??= kept;
    };
    const take = ({ bundles, unreadable }: DomainBundles<Authority>): void => {
      for (const [trustDomain, before] of kept) {
        const problem = unreadable.get(trustDomain);
        if (problem === undefined) {
          kept.set(trustDomain, { authorities: bundles.get(trustDomain) ?? [] });
          unreadableBefore.delete(trustDomain);
          continue;
        }
        kept.set(trustDomain, fail(before, problem));
        if (unreadableBefore.has(trustDomain)) continue;
        unreadableBefore.add(trustDomain);
        onTrouble(
          `the ${kindNames[kind]} bundle of ${trustDomain} cannot be read: ${problem}. Keys read before stay in force.`,
        );
      }
      if (reported === kept) reported = undefined;
    };
    const first = new Promise<void>((resolve) => {
      void (async () => {
        for await (const update of follow({ socket, signal: stop.signal, onTrouble: onOutage })) {
          take(update);
          resolve();
          onChange();
        }
      })();
    });
    return { first, kept: (trustDomain) => kept.get(trustDomain) ?? {} };
  }
  const [jwt, x509] = [openStream('jwt', followJwtBundles), openStream('x509', followX509Bundles)];
  const first = Promise.race([
    Promise.all([jwt.first, x509.first]),
    setTimeout(firstMilliseconds, undefined, { signal: stop.signal }).catch(() => {}),
  ]);

  return trustDomains.map((trustDomain) => {
    const failure = (kind: KeyKind): Failure | undefined => (kind === 'jwt' ? jwt : x509).kept(trustDomain).failure;
    return [
      trustDomain,
      {
        first,
        jwtAuthorities: () => jwt.kept(trustDomain).authorities,
        x509Authorities: () => x509.kept(trustDomain).authorities,
        ageSeconds(kind) {
          const since = failure(kind)?.since;
          return since === undefined ? 0 : (performance.now() - since) / 1000;
        },
        problem: (kind) => failure(kind)?.problem,
        close: () => stop.abort(),
      },
    ];
  });
}

/** An outage that goes on began at its first failure. */
function fail<Authority>(before: Kept<Authority>, problem: string): Kept<Authority> {
  return { ...before, failure: { since: before.failure?.since ?? performance.now(), problem } };
}
