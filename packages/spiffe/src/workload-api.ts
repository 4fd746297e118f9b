import { createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';
import { messageOf } from '@countersign/common';
import { type JwtAuthority, readBundle, readCertificates } from './bundle.js';
import { callWorkloadApi, grpcStatus, WorkloadApiError } from './grpc-call.js';
import { mapOf, textOf, valueOf, valuesOf, writeField } from './protobuf.js';
import { isTrustDomain } from './spiffe-id.js';

/** An X.509-SVID with its key. Never printed: the key is a KeyObject. */
export interface X509Svid {
  readonly id: string;
  /** The leaf first. */
  readonly chain: readonly X509Certificate[];
  readonly privateKey: KeyObject;
}

/** The certificates that sign X.509-SVIDs, by trust domain. */
export type X509Bundles = ReadonlyMap<string, readonly X509Certificate[]>;

/** The keys of each trust domain of one message. */
export interface DomainBundles<Authority> {
  readonly bundles: ReadonlyMap<string, readonly Authority[]>;
  /** Why the bundle of a domain cannot be read. Such a domain is not in `bundles`. */
  readonly unreadable: ReadonlyMap<string, string>;
}

/** With the bundles of the own trust domain and of those that it is federated with. */
export interface X509Update extends DomainBundles<X509Certificate> {
  /** At least one; the first is the default. */
  readonly svids: readonly X509Svid[];
}

export interface JwtSvid {
  readonly id: string;
  readonly token: string;
}

/** `retried`: the problem passed to `onTrouble`; the stream goes on. */
export interface FollowOptions {
  readonly socket: string;
  readonly signal: AbortSignal;
  readonly onTrouble: (error: WorkloadApiError) => void;
}

const waits = { firstMilliseconds: 100, longestMilliseconds: 5000 };
const callMilliseconds = 10_000;
const longestBundle = 4 * 1024 * 1024;

/** Follows the X.509-SVIDs. Each update replaces the one before; ends with the signal. */
export function followX509(options: FollowOptions): AsyncGenerator<X509Update, void> {
  return follow('FetchX509SVID', readX509Update, options);
}

export function followX509Bundles(options: FollowOptions): AsyncGenerator<DomainBundles<X509Certificate>, void> {
  return follow('FetchX509Bundles', (message) => readDomains(mapOf(message, 2), readCertificates), options);
}

export function followJwtBundles(options: FollowOptions): AsyncGenerator<DomainBundles<JwtAuthority>, void> {
  return follow('FetchJWTBundles', (message) => readDomains(mapOf(message, 1), readJwtAuthorities), options);
}

/**
 * Fetches a JWT-SVID for one audience. `id` chooses one of several identities; else the first counts.
 *
 * @throws WorkloadApiError
 */
export async function fetchJwtSvid(
  socket: string,
  { audience, id }: { readonly audience: string; readonly id?: string },
): Promise<JwtSvid> {
  const request = Buffer.concat([writeField(1, audience), ...(id === undefined ? [] : [writeField(2, id)])]);
  const signal = AbortSignal.timeout(callMilliseconds);
  for await (const message of callWorkloadApi({ socket, method: 'FetchJWTSVID', request, signal })) {
    const [svid] = read(() => valuesOf(message, 1).map((each) => ({ id: textOf(each, 1), token: textOf(each, 2) })));
    if (svid !== undefined) return svid;
  }
  throw new WorkloadApiError(grpcStatus.permissionDenied, 'the answer has no JWT-SVID');
}

async function* follow<Update>(
  method: string,
  readMessage: (message: Buffer) => Update,
  { socket, signal, onTrouble }: FollowOptions,
): AsyncGenerator<Update, void> {
  let wait = waits.firstMilliseconds;
  while (!signal.aborted) {
    try {
      for await (const message of callWorkloadApi({ socket, method, request: Buffer.alloc(0), signal })) {
        const update = read(() => readMessage(message));
        wait = waits.firstMilliseconds;
        yield update;
      }
      // Without this, what answers each stream with status 0 and no message would keep the last keys for ever.
      throw new WorkloadApiError(grpcStatus.unavailable, 'the stream ended');
    } catch (error) {
      if (signal.aborted) return;
      // Also permissionDenied: the workload may be registered later.
      onTrouble(error as WorkloadApiError);
    }
    // Spread, because an agent that comes back is asked by all workloads at once.
    await setTimeout(wait * (0.5 + Math.random() / 2), undefined, { signal, ref: false }).catch(() => {});
    wait = Math.min(wait * 2, waits.longestMilliseconds);
  }
}

/** A message that cannot be read is an outage of the agent, not a bug of the workload. */
function read<T>(reading: () => T): T {
  try {
    return reading();
  } catch (error) {
    throw new WorkloadApiError(grpcStatus.unavailable, `a message cannot be read: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

function readX509Update(message: Buffer): X509Update {
  const answers = valuesOf(message, 1);
  const svids = answers.map((svid) => ({
    id: textOf(svid, 1),
    chain: readCertificates(valueOf(svid, 2)),
    privateKey: createPrivateKey({ key: valueOf(svid, 3), format: 'der', type: 'pkcs8' }),
  }));
  if (svids.length === 0 || svids.some(({ chain }) => chain.length === 0)) throw new Error('it has no X.509-SVID');
  if (svids.some(({ chain, privateKey }) => chain[0]?.checkPrivateKey(privateKey) !== true)) {
    throw new Error('the key of an X.509-SVID is not that of its certificate');
  }
  const own = answers.map((svid) => [textOf(svid, 1), valueOf(svid, 4)] as const);
  return { svids, ...readDomains([...mapOf(message, 3), ...own], readCertificates) };
}

/** Reads each domain by itself, so that one that cannot be read does not keep the keys of the others out. */
function readDomains<Authority>(
  entries: Iterable<readonly [id: string, bytes: Buffer]>,
  readAuthorities: (bytes: Buffer) => readonly Authority[],
): DomainBundles<Authority> {
  const bundles = new Map<string, readonly Authority[]>();
  const unreadable = new Map<string, string>();
  for (const [id, bytes] of entries) {
    const trustDomain = trustDomainOf(id);
    if (!isTrustDomain(trustDomain)) continue;
    try {
      if (bytes.length > longestBundle) throw new Error(`it has more than ${longestBundle} bytes`);
      bundles.set(trustDomain, readAuthorities(bytes));
      unreadable.delete(trustDomain);
    } catch (error) {
      bundles.delete(trustDomain);
      unreadable.set(trustDomain, messageOf(error));
    }
  }
  return { bundles, unreadable };
}

function readJwtAuthorities(json: Buffer): readonly JwtAuthority[] {
  const bundle = readBundle(json, { jwtOnly: true });
  if (!bundle.ok) throw new Error(bundle.problem);
  return bundle.value.jwtAuthorities;
}

/** Bundles are listed by the ID of the trust domain. */
function trustDomainOf(id: string): string {
  return id.replace(/^spiffe:\/\//, '').split('/', 1)[0] ?? '';
}
