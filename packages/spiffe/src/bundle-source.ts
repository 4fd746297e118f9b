import type { X509Certificate } from 'node:crypto';
import { ConfigError, openLiveFile } from '@countersign/common';
import { type Bundle, isStatement, type JwtAuthority, readBundle } from './bundle.js';

/** The Workload API gives the two by streams that fail apart. */
export type KeyKind = 'jwt' | 'x509';

/** The bundle of one trust domain, kept current. */
export interface BundleSource {
  /** Settles after the first attempt, whatever came of it. */
  readonly first: Promise<unknown>;
  /** Undefined: not known yet. */
  readonly jwtAuthorities: () => readonly JwtAuthority[] | undefined;
  readonly x509Authorities: () => readonly X509Certificate[] | undefined;
  /** Seconds since the publisher last confirmed these keys. */
  readonly ageSeconds: (kind: KeyKind) => number;
  /** Why the last attempt failed. */
  readonly problem: (kind: KeyKind) => string | undefined;
  readonly close: () => void;
}

export interface SourceParts {
  readonly trustDomain: string;
  readonly onTrouble: (message: string) => void;
  readonly onChange: () => void;
}

/** @throws ConfigError */
export async function openFileSource(
  path: string,
  { trustDomain, onChange, onTrouble }: SourceParts,
): Promise<BundleSource> {
  let failedAt: number | undefined;
  const file = await openLiveFile<Bundle>(
    path,
    {
      owner: 'openTrustBundles',
      holds: 'bundle',
      read(bytes, name) {
        const bundle = readBundle(bytes);
        if (bundle.ok && isStatement(bundle.value)) return bundle.value;
        const problem = bundle.ok ? 'it has no key that can be used' : bundle.problem;
        throw new ConfigError(
          `${name}: this is no bundle of a trust domain: ${problem}. Write it with 'spire-server bundle show -format spiffe'.`,
        );
      },
    },
    {
      onReload(result) {
        failedAt = result.ok ? undefined : (failedAt ?? performance.now());
        if (result.ok) onChange();
        else onTrouble(`the bundle of ${trustDomain}: ${result.problem}. The bundle read before stays in force.`);
      },
    },
  );
  if (file.current().isWithdrawn === true) {
    file.close();
    throw new ConfigError(`openTrustBundles: ${path} has no keys of ${trustDomain}.`);
  }
  return {
    first: Promise.resolve(),
    jwtAuthorities: () => file.current().jwtAuthorities,
    x509Authorities: () => file.current().x509Authorities,
    ageSeconds: () => (failedAt === undefined ? 0 : (performance.now() - failedAt) / 1000),
    problem: () => undefined,
    close: () => file.close(),
  };
}
