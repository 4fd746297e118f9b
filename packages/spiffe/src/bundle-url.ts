import { setTimeout } from 'node:timers/promises';
import { ConfigError, failed, reasonOf, readBounded, type Reading, secureUrl } from '@countersign/common';
import { type Bundle, isStatement, readBundle } from './bundle.js';
import type { BundleSource, SourceParts } from './bundle-source.js';

const maxBytes = 1024 * 1024;
const timeoutMilliseconds = 5000;
/** The publisher says how often (`spiffe_refresh_hint`), within these bounds. A failure is followed by the least. */
const refreshSeconds = { least: 5, byDefault: 300, most: 3600 };

/** Follows a bundle endpoint (SPIFFE_Federation §5.2.1, `https_web`). */
export function openUrlSource(address: string, { trustDomain, onTrouble, onChange }: SourceParts): BundleSource {
  const url = secureUrl(address, 'loopback');
  if (!url.ok) throw new ConfigError(`openTrustBundles: the 'url' of '${trustDomain}' must be an https URL.`);
  const stop = new AbortController();
  let bundle: Bundle | undefined;
  let confirmedAt = -Infinity;
  let problem: string | undefined;

  async function refresh(): Promise<number> {
    const read = await fetchBundle(url.ok ? url.url : new URL(address), stop.signal);
    if (stop.signal.aborted) return 0;
    if (!read.ok) {
      if (problem === undefined) onTrouble(`the bundle of ${trustDomain} cannot be fetched: ${read.problem}`);
      problem = read.problem;
      return refreshSeconds.least;
    }
    problem = undefined;
    bundle = read.value;
    confirmedAt = performance.now();
    onChange();
    const hint = bundle.refreshSeconds ?? refreshSeconds.byDefault;
    return Math.min(Math.max(hint, refreshSeconds.least), refreshSeconds.most);
  }

  async function follow(wait: number): Promise<void> {
    for (let seconds = wait; !stop.signal.aborted; seconds = await refresh()) {
      await setTimeout(seconds * 1000, undefined, { signal: stop.signal, ref: false }).catch(() => {});
    }
  }

  const first = refresh();
  void first.then(follow);
  return {
    first,
    jwtAuthorities: () => bundle?.jwtAuthorities,
    x509Authorities: () => bundle?.x509Authorities,
    ageSeconds: () => (performance.now() - confirmedAt) / 1000,
    problem: () => problem,
    close: () => stop.abort(),
  };
}

async function fetchBundle(url: URL, signal: AbortSignal): Promise<Reading<Bundle>> {
  try {
    const response = await fetch(url, {
      headers: { accept: 'application/json' },
      // The bundle is believed because of this address.
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMilliseconds)]),
    });
    if (response.status !== 200) {
      await response.body?.cancel();
      return failed(`the answer is ${response.status}`);
    }
    const bytes = await readBounded(response.body, maxBytes);
    if (bytes === undefined) return failed(`it has more than ${maxBytes} bytes`);
    const read = readBundle(bytes);
    if (!read.ok || isStatement(read.value)) return read;
    return failed('it has no key that can be used');
  } catch (error) {
    return failed(reasonOf(error));
  }
}
