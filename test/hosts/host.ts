import type { RequestListener } from 'node:http';
import {
  agentsFromObjects,
  approvalUsesInFolder,
  auditFile,
  type Caller,
  createGuard,
  type Guard,
  type GuardOptions,
  revocationsFromFile,
} from '@countersign/core';
import { type AdmissionOptions } from '@countersign/core/adapter';
import type { Logger } from 'pino';
import type { HostConfig } from './config.js';
import { policyOf } from './policy.js';
import { type ServerOptions, startServer } from './server.js';

/** A framework with the routes of the conformance suite on it. */
export interface Host {
  readonly name: string;
  /** Whether the framework speaks HTTP/2. */
  readonly http2: boolean;
  /** Whether the framework gives each request a logger. */
  readonly logs?: true;
  listener(parts: HostParts): RequestListener | Promise<RequestListener>;
}

export interface HostParts {
  readonly guard: Guard;
  /** The options of `agentAuth`. */
  readonly admission: AdmissionOptions;
  readonly http2: boolean;
  readonly mount: string;
  readonly bodyParser: HostConfig['bodyParser'];
  /** The logger of a framework that has one. */
  readonly logger: Logger | undefined;
  /** Awaited by every handler before it answers, so that a test can count, hold or fail handlers. */
  readonly handled: (name: string, caller?: Caller) => Promise<void>;
}

export interface StartOptions extends ServerOptions {
  /** Guard options that JSON cannot hold: a clock, a store that fails. */
  readonly guard?: Partial<GuardOptions>;
  readonly admission?: AdmissionOptions;
  /** The guard that the host gets in place of the one that was created. */
  readonly wrapGuard?: (guard: Guard) => Guard;
  /** Gets the lines about refusals: as the logger of the framework, or by the option of `agentAuth`. */
  readonly logger?: Logger;
  readonly onHandled?: (name: string, caller?: Caller) => void | Promise<void>;
}

export interface RunningHost {
  readonly url: string;
  readonly guard: Guard;
  /** The actions of the handlers that ran, in order; grows while the host runs. */
  readonly handled: readonly string[];
  readonly auditFolder: string;
  /** Sets the time after which a silent connection is closed. */
  giveUpAfter(milliseconds: number): void;
  /** Resolves when the last outcome is on disk. */
  close(): Promise<void>;
}

/** Starts a host with a configuration. Listens before the guard exists, because the origin may be the address. */
export async function startHost(host: Host, config: HostConfig, options: StartOptions = {}): Promise<RunningHost> {
  const server = await startServer(options);
  const handled: string[] = [];
  let guard: Guard;
  try {
    guard = await createGuard({
      origin: config.origin ?? server.url,
      agents: agentsFromObjects(config.agents),
      issuers: config.issuers,
      ...(config.revocations !== undefined && { revocations: await revocationsFromFile(config.revocations) }),
      policy: await policyOf(config),
      ...chainOptions(config),
      ...(await approvalOptions(config)),
      audit: options.guard?.audit ?? auditFile(config.audit),
      ...options.guard,
    });
    guard = options.wrapGuard?.(guard) ?? guard;
    const logging = host.logs === true || options.logger === undefined ? {} : { logger: options.logger };
    const listener = await host.listener({
      guard,
      admission: { ...(config.unmapped && { unmapped: config.unmapped }), ...logging, ...options.admission },
      http2: options.http2 ?? false,
      logger: options.logger,
      mount: config.mount,
      bodyParser: config.bodyParser,
      async handled(name, caller) {
        handled.push(name);
        await options.onHandled?.(name, caller);
      },
    });
    server.serve(listener);
  } catch (error) {
    await server.close();
    throw error;
  }

  return {
    url: server.url,
    guard,
    handled,
    auditFolder: config.audit,
    giveUpAfter: (milliseconds) => server.giveUpAfter(milliseconds),
    async close() {
      await server.close();
      await guard.close();
    },
  };
}

/** Core checks the options, and applies a default only if an option is absent. */
function chainOptions(config: HostConfig): Partial<GuardOptions> {
  const { maxDelegationDepth, maxLinkLifetimeSeconds, scopeMatch, dpop, webBotAuth, bearer, protectedResource } =
    config;
  const { mode } = config;
  return {
    ...(maxDelegationDepth === undefined ? {} : { maxDelegationDepth }),
    ...(maxLinkLifetimeSeconds === undefined ? {} : { maxLinkLifetimeSeconds }),
    ...(scopeMatch === undefined ? {} : { scopeMatch }),
    ...(dpop === undefined ? {} : { dpop }),
    ...(bearer === undefined ? {} : { bearer }),
    ...(mode === undefined ? {} : { mode }),
    ...(protectedResource === undefined ? {} : { protectedResource }),
    ...(webBotAuth === undefined ? {} : { webBotAuth }),
  };
}

async function approvalOptions({ approvals, approvalsUsed }: HostConfig): Promise<Partial<GuardOptions>> {
  if (approvals === undefined || approvalsUsed === undefined) return approvals === undefined ? {} : { approvals };
  return { approvals: { ...approvals, uses: await approvalUsesInFolder(approvalsUsed) } };
}
