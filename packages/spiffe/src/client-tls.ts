import { Agent, type AgentOptions, type RequestOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { ConfigError } from '@countersign/common';
import { readSpiffeId } from './spiffe-id.js';
import type { SvidSource } from './svid-source.js';
import { readX509Svid } from './x509-svid.js';

/** The agents of a workload for `node:https`, one for each server: each holds connections. */
export function workloadAgents(workload: SvidSource): (server: string) => Agent {
  const agents = new Map<string, WorkloadAgent>();
  workload.onChange(() => {
    for (const agent of agents.values()) agent.renew();
  });
  return (server) => {
    const id = readSpiffeId(server);
    if (id === undefined || id.path === '') {
      throw new ConfigError(
        "httpsAgent: 'server' must be the SPIFFE ID of the server, like 'spiffe://example.org/api'.",
      );
    }
    const agent = agents.get(server) ?? new WorkloadAgent({ keepAlive: true, maxCachedSessions: 0 }, workload, id);
    agents.set(server, agent);
    return agent;
  };
}

/** With which state of the workload a connection was made, in the options by which Node pools it. */
const madeWith = Symbol('madeWith');

interface Pooled extends RequestOptions {
  [madeWith]?: number;
}

/**
 * Shows the X.509-SVID of the moment, and accepts one server. Connections are pooled by host. Without the ID and the state
 * of the workload in the name of the pool, a request would ride on a connection to another server, with an old SVID, or
 * to a server whose authority has left the bundle.
 */
class WorkloadAgent extends Agent {
  readonly #workload: SvidSource;
  readonly #server: { readonly id: string; readonly trustDomain: string };
  /** How often SVID or bundles were replaced. */
  #state = 0;

  constructor(
    options: AgentOptions,
    workload: SvidSource,
    server: { readonly id: string; readonly trustDomain: string },
  ) {
    super(options);
    this.#workload = workload;
    this.#server = server;
  }

  /** SVID or bundles were replaced. Requests that are on their way end on the connection that they have. */
  renew(): void {
    this.#state += 1;
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy();
  }

  override getName(options?: Pooled): string {
    return `${super.getName(options)}:${this.#server.id}:${options?.[madeWith] ?? this.#state}`;
  }

  override createConnection(
    options: ConnectionOptions & Pooled,
    done?: (error: Error | null, socket: Duplex) => void,
  ): TLSSocket | undefined {
    try {
      return this.#connect(options);
    } catch (error) {
      // OpenSSL may refuse the SVID. Node does not catch it: `https.get` would throw.
      (done as ((error: unknown) => void) | undefined)?.(error);
      return undefined;
    }
  }

  #connect(options: ConnectionOptions & Pooled): TLSSocket {
    const { chain, privateKey } = this.#workload.current();
    // Node asks for the name again when a request has ended, and the state may be another one by then.
    options[madeWith] = this.#state;
    const { id, trustDomain } = this.#server;
    const socket: TLSSocket = connect({
      ...options,
      cert: chain.map(String).join(''),
      key: privateKey.export({ format: 'pem', type: 'pkcs8' }),
      // Of the domain of the server alone.
      ca: (this.#workload.bundles().get(trustDomain) ?? []).map(String),
      session: undefined,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
      checkServerIdentity: () => {
        // The certificate that TLS verified. Its DER may hold another one in PEM, which Node would read in its place.
        const leaf = socket.getPeerX509Certificate();
        const named = leaf && readX509Svid(leaf);
        return named?.ok === true && named.value.id === id ? undefined : new Error(`the server is not ${id}`);
      },
    });
    return socket;
  }
}
