import { once } from 'node:events';
import { createServer, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import {
  agentsFromObjects,
  auditFile,
  cedarFromText,
  continueAfterVerification,
  createGuard,
  type Guard,
  type GuardOptions,
} from '@countersign/core';
import type { HostConfig } from './config.js';

/** A framework with the routes of the conformance suite on it. */
export interface Host {
  readonly name: string;
  listener(parts: HostParts): RequestListener | Promise<RequestListener>;
}

export interface HostParts {
  readonly guard: Guard;
  readonly mount: string;
  readonly bodyParser: HostConfig['bodyParser'];
  /** Every handler awaits this before it answers: it says that the handler ran, and lets a test hold or fail it. */
  readonly handled: (name: string) => Promise<void>;
}

export interface StartOptions {
  /** Default 0: any free port. */
  readonly port?: number;
  /** Longest header section that the server reads. Default: Node's. */
  readonly maxHeaderBytes?: number;
  /** Guard options that no JSON can carry: a clock, a store that fails. */
  readonly guard?: Partial<GuardOptions>;
  readonly onHandled?: (name: string) => void | Promise<void>;
}

export interface RunningHost {
  readonly url: string;
  readonly guard: Guard;
  /** Which handlers ran, in order; grows while the host runs. */
  readonly handled: readonly string[];
  readonly auditFile: string;
  /** Resolves when the last outcome is on disk. */
  close(): Promise<void>;
}

/** Starts a host with a configuration. Listens before the guard exists, because the origin may be the address. */
export async function startHost(host: Host, config: HostConfig, options: StartOptions = {}): Promise<RunningHost> {
  const server = createServer(options.maxHeaderBytes === undefined ? {} : { maxHeaderSize: options.maxHeaderBytes });
  continueAfterVerification(server);
  server.listen(options.port ?? 0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const answering = new Set<ServerResponse>();
  server.on('request', (_request, response) => {
    answering.add(response);
    response.once('close', () => answering.delete(response));
  });
  const handled: string[] = [];
  let guard: Guard;
  try {
    guard = await createGuard({
      origin: config.origin ?? url,
      agents: agentsFromObjects(config.agents),
      issuers: config.issuers,
      policy: await cedarFromText({
        policies: config.policies,
        ...(config.schema === undefined ? {} : { schema: config.schema }),
      }),
      audit: options.guard?.audit ?? auditFile(config.audit),
      ...options.guard,
    });
    const listener = await host.listener({
      guard,
      mount: config.mount,
      bodyParser: config.bodyParser,
      async handled(name) {
        handled.push(name);
        await options.onHandled?.(name);
      },
    });
    server.on('request', listener);
  } catch (error) {
    server.close();
    throw error;
  }

  return {
    url,
    guard,
    handled,
    auditFile: join(config.audit, 'audit.jsonl'),
    async close() {
      server.close();
      // An answer that is cut off reports its outcome when it closes, and only then may the log be closed.
      const cutOff = [...answering].map((response) => once(response, 'close'));
      server.closeAllConnections();
      await Promise.all([once(server, 'close'), ...cutOff]);
      await guard.close();
    },
  };
}
