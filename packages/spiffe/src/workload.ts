import { checkOptionNames, ConfigError, readOnTrouble } from '@countersign/common';
import type { Agent } from 'node:https';
import { workloadAgents } from './client-tls.js';
import { grpcStatus, WorkloadApiError } from './grpc-call.js';
import { readSocketPath } from './socket-path.js';
import { readSpiffeId } from './spiffe-id.js';
import type { SvidSource } from './svid-source.js';
import { followX509, type X509Bundles, type X509Svid } from './workload-api.js';

export interface SpiffeWorkloadOptions {
  /** The Unix socket of the Workload API: a path, or `unix:///PATH` as in SPIFFE_ENDPOINT_SOCKET. */
  readonly socket: string;
  /** Which SPIFFE ID, if the workload has several. Default: the first one. */
  readonly id?: string;
  /** Gets problems that no answer can carry. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

/** The X.509-SVID of this process, kept current. */
export interface SpiffeWorkload extends SvidSource {
  readonly id: string;
  /**
   * An agent for `node:https` that shows the X.509-SVID, and accepts the server with this SPIFFE ID only. The same one for
   * each call with the same `server`.
   */
  readonly httpsAgent: (options: { readonly server: string }) => Agent;
  readonly close: () => void;
}

const owner = 'openSpiffeWorkload';
/** So long a start waits for the first X.509-SVID. */
const firstMilliseconds = 10_000;

/**
 * Follows the X.509-SVID of this process. Waits up to 10 seconds for the first one; later outages of the Workload API are waited out with
 * the last one.
 *
 * @throws ConfigError (as a rejection) when an option is wrong; WorkloadApiError when there is no X.509-SVID at start.
 */
export async function openSpiffeWorkload(options: SpiffeWorkloadOptions): Promise<SpiffeWorkload> {
  checkOptionNames(owner, options, ['socket', 'id', 'onTrouble']);
  const socket = readSocketPath(owner, options.socket);
  if (options.id !== undefined && readSpiffeId(options.id) === undefined) {
    throw new ConfigError(`${owner}: 'id' must be a SPIFFE ID, like 'spiffe://example.org/api'.`);
  }
  const onTrouble = readOnTrouble(owner, options.onTrouble);
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  let held: { readonly svid: X509Svid; readonly bundles: X509Bundles } | undefined;
  let isReported = false;
  const unreadableBefore = new Set<string>();

  function reportUnreadable(unreadable: ReadonlyMap<string, string>): void {
    for (const [trustDomain, problem] of unreadable) {
      if (unreadableBefore.has(trustDomain)) continue;
      onTrouble(`the X.509 bundle of ${trustDomain} cannot be read: ${problem}. Its servers are not accepted.`);
    }
    unreadableBefore.clear();
    for (const trustDomain of unreadable.keys()) unreadableBefore.add(trustDomain);
  }

  await new Promise<void>((resolve, reject) => {
    const fail = (error: WorkloadApiError): void => {
      if (held === undefined) {
        stop.abort();
        reject(error);
      } else if (!isReported) {
        isReported = true;
        onTrouble(`the Workload API at ${socket} gives no X.509-SVID: ${error.message}. The last one is used.`);
      }
    };
    const late = (): void =>
      fail(new WorkloadApiError(grpcStatus.unavailable, `it did not answer within ${firstMilliseconds / 1000} s`));
    const timer = setTimeout(late, firstMilliseconds);
    stop.signal.addEventListener('abort', () => clearTimeout(timer));
    const follow = async (): Promise<void> => {
      for await (const { svids, bundles, unreadable } of followX509({ socket, signal: stop.signal, onTrouble: fail })) {
        const wanted = held?.svid.id ?? options.id;
        const svid = wanted === undefined ? svids[0] : svids.find(({ id }) => id === wanted);
        if (svid === undefined) {
          fail(new WorkloadApiError(grpcStatus.permissionDenied, `it has no X.509-SVID of ${String(wanted)}`));
          continue;
        }
        clearTimeout(timer);
        held = { svid, bundles };
        isReported = false;
        reportUnreadable(unreadable);
        for (const listener of listeners) listener();
        resolve();
      }
    };
    void follow();
  });
  const { svid } = held as unknown as { readonly svid: X509Svid };

  const source: SvidSource = {
    current: () => held?.svid ?? svid,
    bundles: () => held?.bundles ?? new Map(),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
  const agentFor = workloadAgents(source);
  const workload: SpiffeWorkload = {
    ...source,
    id: svid.id,
    httpsAgent: ({ server }) => agentFor(server),
    close: () => stop.abort(),
  };
  return Object.freeze(workload);
}
