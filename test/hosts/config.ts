import { readFileSync } from 'node:fs';
import {
  type AgentRegistration,
  checkOptionNames,
  ConfigError,
  type GuardOptions,
  type IssuerOptions,
} from '@countersign/core';
import { type AdmissionOptions } from '@countersign/core/adapter';

/** The configuration of a host: the same JSON for every host, so that one suite can drive all. */
export interface HostConfig
  extends Pick<
    GuardOptions,
    | 'maxDelegationDepth'
    | 'maxLinkLifetimeSeconds'
    | 'scopeMatch'
    | 'dpop'
    | 'webBotAuth'
    | 'bearer'
    | 'protectedResource'
    | 'mode'
    | 'approvals'
  > {
  /** The origin of requests; null: the address on which the host listens. */
  readonly origin: string | null;
  /** Prefix of every route: empty, or like `/api`. */
  readonly mount: string;
  readonly bodyParser: 'after' | 'none';
  readonly agents: readonly AgentRegistration[];
  readonly issuers: readonly IssuerOptions[];
  /** File of revocations. */
  readonly revocations?: string;
  /** Cedar text. */
  readonly policies: string;
  /** Cedar schema text. */
  readonly schema?: string;
  /** The option `unmapped` of the adapter. Default `refuse`; node-http has no routes. */
  readonly unmapped?: AdmissionOptions['unmapped'];
  /** Folder of the approvals that were used. Default: they are remembered in memory. */
  readonly approvalsUsed?: string;
  /** Folder of the audit log. */
  readonly audit: string;
}

const names = [
  'origin',
  'mount',
  'bodyParser',
  'agents',
  'issuers',
  'revocations',
  'policies',
  'schema',
  'unmapped',
  'audit',
  'maxDelegationDepth',
  'maxLinkLifetimeSeconds',
  'scopeMatch',
  'dpop',
  'webBotAuth',
  'bearer',
  'protectedResource',
  'mode',
  'approvals',
  'approvalsUsed',
];

/** @throws ConfigError when the file is not a configuration. Core checks the members that it reads itself. */
export function readConfig(file: string): HostConfig {
  const config = JSON.parse(readFileSync(file, 'utf8')) as HostConfig;
  checkOptionNames(file, config, names);
  if (!/^(?:\/[a-z0-9-]+)*$/.test(config.mount)) throw new ConfigError(`${file}: 'mount' must be "" or like "/api".`);
  if (config.bodyParser !== 'after' && config.bodyParser !== 'none') {
    throw new ConfigError(`${file}: 'bodyParser' must be "after" or "none".`);
  }
  return config;
}
