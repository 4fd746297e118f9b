import type { X509Certificate } from 'node:crypto';
import { checkOptionNames, ConfigError, isJsonObject, readOnTrouble } from '@countersign/common';
import { type BundleSource, type KeyKind, openFileSource } from './bundle-source.js';
import type { JwtAuthority } from './bundle.js';
import { openUrlSource } from './bundle-url.js';
import { openSocketSources } from './bundle-socket.js';
import { isTrustDomain } from './spiffe-id.js';

/** Where the bundle of a trust domain comes from. Exactly one. */
export interface BundlePlace {
  /** Its bundle endpoint: an https URL with a certificate that Node trusts (profile `https_web`). Http on loopback. */
  readonly url?: string;
  /** A file with the bundle, as `spire-server bundle show -format spiffe` writes it. Changes are followed. */
  readonly file?: string;
  /** The socket of a Workload API at which this process is registered. */
  readonly socket?: string;
}

/** Where the bundles of the trusted domains come from, by the name of the domain. */
export type TrustDomains = Readonly<Record<string, BundlePlace>>;

export interface TrustBundleOptions {
  /** Gets problems that no answer can carry. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

/** `unavailable`: an outage of ours, never a reason to accept or refuse for good. */
export type Lookup<Found> =
  | { readonly kind: 'found'; readonly authorities: readonly Found[] }
  | { readonly kind: 'unknown' }
  | { readonly kind: 'unavailable'; readonly cause: string };

/** The bundles of the trusted domains, kept current. Each domain is asked for alone: together, each could sign for all. */
export interface TrustBundles {
  readonly jwtAuthorities: (trustDomain: string) => Lookup<JwtAuthority>;
  readonly x509Authorities: (trustDomain: string) => Lookup<X509Certificate>;
  /** Calls a listener after each change; returns what ends that. */
  readonly onChange: (listener: () => void) => () => void;
  /** Ends the following. From then on every bundle is unavailable. */
  readonly close: () => void;
}

const owner = 'openTrustBundles';
/** So long a bundle counts that cannot be asked for again. */
const longestOutageSeconds = 86_400;

/**
 * Opens the bundles of the trusted domains, and waits for the first answers. A URL or socket that does not answer is asked
 * again; until then the domain is unavailable. The last bundle counts through outages of up to a day.
 *
 * @throws ConfigError (as a rejection) when an option is wrong, or a file cannot be used.
 *
 * @example
 * const bundles = await openTrustBundles({ 'example.org': { file: 'bundle.json' } });
 */
export async function openTrustBundles(
  trustDomains: TrustDomains,
  options: TrustBundleOptions = {},
): Promise<TrustBundles> {
  checkOptionNames(owner, options, ['onTrouble']);
  const places = readPlaces(trustDomains);
  const onTrouble = readOnTrouble(owner, options.onTrouble);
  const listeners = new Set<() => void>();
  const parts = { onTrouble, onChange: () => listeners.forEach((listener) => listener()) };
  const sources = new Map<string, BundleSource>();
  let isClosed = false;
  const onSocket = new Map<string, string[]>();
  for (const [trustDomain, { file, socket, url }] of places) {
    if (socket !== undefined) onSocket.set(socket, [...(onSocket.get(socket) ?? []), trustDomain]);
    else if (url !== undefined) sources.set(trustDomain, openUrlSource(url, { trustDomain, ...parts }));
    else sources.set(trustDomain, await openFileSource(String(file), { trustDomain, ...parts }));
  }
  for (const [socket, domains] of onSocket) {
    for (const [trustDomain, source] of openSocketSources(socket, domains, parts)) sources.set(trustDomain, source);
  }
  await Promise.all([...sources.values()].map(async ({ first }) => await first));

  function lookUp<Found>(
    trustDomain: string,
    kind: KeyKind,
    pick: (source: BundleSource) => readonly Found[] | undefined,
  ): Lookup<Found> {
    const source = sources.get(trustDomain);
    if (source === undefined) return { kind: 'unknown' };
    const unavailable = (problem: string): Lookup<Found> => ({
      kind: 'unavailable',
      cause: `the bundle of ${trustDomain} cannot be had: ${problem}`,
    });
    if (isClosed) return unavailable('it was closed');
    const authorities = pick(source);
    const age = source.ageSeconds(kind);
    if (authorities !== undefined && age <= longestOutageSeconds) return { kind: 'found', authorities };
    return unavailable(source.problem(kind) ?? 'there was no answer yet');
  }

  return Object.freeze({
    jwtAuthorities: (trustDomain) => lookUp(trustDomain, 'jwt', (source) => source.jwtAuthorities()),
    x509Authorities: (trustDomain) => lookUp(trustDomain, 'x509', (source) => source.x509Authorities()),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      isClosed = true;
      for (const source of sources.values()) source.close();
      listeners.clear();
    },
  } satisfies TrustBundles);
}

/** @throws ConfigError */
function readPlaces(trustDomains: TrustDomains): readonly [string, BundlePlace][] {
  const entries = isJsonObject(trustDomains) ? Object.entries(trustDomains) : [];
  if (entries.length === 0) {
    throw new ConfigError(
      `${owner}: name a trust domain and its bundle, like { 'example.org': { file: 'bundle.json' } }.`,
    );
  }
  for (const [trustDomain, place] of entries) {
    if (!isTrustDomain(trustDomain)) {
      throw new ConfigError(
        `${owner}: '${String(trustDomain)}' is no trust domain. Write it as 'example.org', without spiffe://.`,
      );
    }
    checkOptionNames(`${owner}, '${trustDomain}'`, place, ['url', 'file', 'socket']);
    const given = Object.values(place).filter((value) => value !== undefined);
    if (given.length !== 1 || typeof given[0] !== 'string') {
      throw new ConfigError(`${owner}: '${trustDomain}' needs exactly one of 'url', 'file' and 'socket'.`);
    }
  }
  return entries;
}
