import { accessSync, constants, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { isStringOrUri, type ScopeMatch } from '@countersign/delegation';
import { type AuditSink, readAudit, readUnrecordedActions } from '@countersign/audit';
import { createRedactor, type Redactor } from '../record/redact.js';
import type { BodyLimits } from '../stages/body/request-body.js';
import {
  checkOptionNames,
  ConfigError,
  flagOption,
  guardDefaults,
  guardMaxima,
  integerOption,
  readClock,
  readOnTrouble,
} from '@countersign/common';
import type { GuardOptions } from './guard-options.js';
import { type Origin, parseOrigin } from '../stages/address/origin.js';
import { createForwardedReader, type ForwardedReader } from '../stages/address/proxies.js';
import { boundedDirectory } from '../keys/bounded-directory.js';
import type { AgentDirectory } from '../keys/directory.js';
import type { PolicyEngine } from '@countersign/policy';
import type { EntityProvider } from '../stages/authorize/entity-provider.js';
import { type DpopSettings, readDpopOptions } from '../stages/possession/dpop-options.js';
import { readWebBotAuthOptions, type WebBotAuthSettings } from '../stages/possession/web-bot-auth-options.js';
import { memoryReplayStore } from '../stages/replay/memory-replay-store.js';
import type { ReplayStore } from '../stages/replay/store.js';
import { createGuardRevocations, type GuardRevocations } from '../stages/revocation/guard-revocations.js';
import type { RevocationSource } from '../stages/revocation/source.js';
import { createLinkVerifier, type LinkVerifier } from '../stages/chain/links.js';
import { createTokenVerifier, type TokenVerifier } from '../stages/token/token-verifier.js';

/** The options with every default filled in and every value checked. */
export interface Settings {
  readonly origins: readonly Origin[];
  readonly agents: AgentDirectory;
  readonly policy: PolicyEngine;
  readonly audit: AuditSink;
  readonly redact: Redactor;
  readonly dangerouslyActWithoutRecord: readonly string[];
  readonly dangerouslyExplainRefusals: boolean;
  readonly audiences: readonly string[];
  readonly tokens: TokenVerifier;
  readonly links: LinkVerifier;
  readonly maxDelegationDepth: number;
  readonly scopeMatch: ScopeMatch;
  readonly entities: EntityProvider | undefined;
  readonly subjectMustAlsoBePermitted: boolean;
  readonly replay: ReplayStore;
  readonly lookupTimeoutSeconds: number;
  readonly dpop: DpopSettings | undefined;
  readonly webBotAuth: WebBotAuthSettings | undefined;
  readonly revocations: GuardRevocations;
  readonly traffic: 'agents' | 'mixed';
  readonly forwarded: ForwardedReader;
  readonly maxAgeSeconds: number;
  readonly clockSkewSeconds: number;
  readonly bodyLimits: BodyLimits;
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

const optionNames = [
  'origin',
  'agents',
  'policy',
  'audit',
  'redact',
  'issuers',
  'audience',
  'maxDelegationDepth',
  'maxLinkLifetimeSeconds',
  'scopeMatch',
  'entities',
  'subjectMustAlsoBePermitted',
  'replay',
  'lookupTimeoutSeconds',
  'dpop',
  'webBotAuth',
  'revocations',
  'traffic',
  'trustedProxies',
  'maxAgeSeconds',
  'clockSkewSeconds',
  'maxBodyBytes',
  'memoryBodyBytes',
  'spoolDirectory',
  'bodyTimeoutSeconds',
  'clock',
  'onTrouble',
  'dangerouslyActWithoutRecord',
  'dangerouslyExplainRefusals',
  'dangerouslyAllowHttpOrigin',
] as const satisfies readonly (keyof GuardOptions)[];

/** Checks everything once, at creation: nothing weakens silently, nothing fails later. */
export function readOptions(options: GuardOptions): Settings {
  if (typeof options !== 'object' || options === null) throw new ConfigError('createGuard: pass an options object.');
  checkOptionNames('createGuard', options, optionNames);
  const origins = readOrigins(options);
  const clockSkewSeconds = guardNumber(options, 'clockSkewSeconds', 0, guardMaxima.clockSkewSeconds);
  const clock = readGuardClock(options);
  const lookupTimeoutSeconds = guardNumber(options, 'lookupTimeoutSeconds', 1, 60);
  const directory = implementing(
    options,
    'agents',
    ['findByThumbprint', 'statusOf'],
    "await agentsFromFile('agents.json')",
  );
  const agents = boundedDirectory(directory, lookupTimeoutSeconds);
  const audiences = readAudiences(options, origins);
  return {
    origins,
    agents,
    policy: implementing(options, 'policy', ['decide'], "await cedarFromDirectory('policies')"),
    audit: readAudit(options.audit),
    redact: createRedactor(options.redact),
    dangerouslyActWithoutRecord: readUnrecordedActions(options.dangerouslyActWithoutRecord),
    dangerouslyExplainRefusals: guardFlag(options, 'dangerouslyExplainRefusals'),
    audiences,
    tokens: createTokenVerifier({ issuers: options.issuers ?? [], audiences, clockSkewSeconds }),
    links: createLinkVerifier({
      agents,
      audiences,
      clockSkewSeconds,
      maxLifetimeSeconds: guardNumber(options, 'maxLinkLifetimeSeconds', 1, guardMaxima.maxLinkLifetimeSeconds),
    }),
    maxDelegationDepth: guardNumber(options, 'maxDelegationDepth', 0, guardMaxima.maxDelegationDepth),
    scopeMatch: readScopeMatch(options),
    entities: readEntityProvider(options),
    subjectMustAlsoBePermitted: readSubjectRule(options),
    replay:
      options.replay === undefined
        ? memoryReplayStore({ clock })
        : implementing(options, 'replay', ['reserve'], 'memoryReplayStore()'),
    lookupTimeoutSeconds,
    dpop: readDpopOptions(options.dpop),
    webBotAuth: readWebBotAuthOptions(options.webBotAuth),
    revocations: createGuardRevocations({
      sources: readRevocationSources(options),
      lookupTimeoutSeconds,
      clock,
      clockSkewSeconds,
    }),
    traffic: readTraffic(options),
    forwarded: createForwardedReader(options.trustedProxies ?? []),
    maxAgeSeconds: guardNumber(options, 'maxAgeSeconds', 1, guardMaxima.maxAgeSeconds),
    clockSkewSeconds,
    bodyLimits: {
      maxBytes: guardNumber(options, 'maxBodyBytes', 0, 1024 ** 4),
      memoryBytes: guardNumber(options, 'memoryBodyBytes', 0, 1024 ** 3),
      spoolDirectory: readSpoolDirectory(options),
      timeoutSeconds: guardNumber(options, 'bodyTimeoutSeconds', 1, 3600),
    },
    clock,
    onTrouble: readOnTrouble('createGuard', options.onTrouble),
  };
}

function readOrigins(options: GuardOptions): readonly Origin[] {
  const { origin } = options;
  const allowHttp = guardFlag(options, 'dangerouslyAllowHttpOrigin');
  const values = typeof origin === 'string' ? [origin] : origin;
  if (!Array.isArray(values) || values.length === 0) {
    throw new ConfigError(
      "createGuard: 'origin' is missing. Name what requests are addressed to, like 'https://api.example.com'.",
    );
  }
  return values.map((value) => parseOrigin(value, allowHttp));
}

function readAudiences({ audience }: GuardOptions, origins: readonly Origin[]): readonly string[] {
  if (audience === undefined) return origins.map(({ href }) => href);
  const values: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  if (values.length === 0 || !values.every(isStringOrUri)) {
    throw new ConfigError(
      "createGuard: 'audience' must name at least one audience, or be left out to mean the origin.",
    );
  }
  return values;
}

function readRevocationSources({ revocations = [] }: GuardOptions): readonly RevocationSource[] {
  const sources: readonly RevocationSource[] = Array.isArray(revocations) ? revocations : [revocations];
  if (sources.some((source) => source instanceof Promise)) {
    throw new ConfigError("createGuard: 'revocations' is a promise. Write 'await' before it.");
  }
  if (sources.some((source) => typeof source?.findRevoked !== 'function')) {
    throw new ConfigError(
      "createGuard: 'revocations' has no method findRevoked(). Try await revocationsFromFile('revocations.json').",
    );
  }
  return sources;
}

function readScopeMatch({ scopeMatch = 'hierarchical' }: GuardOptions): ScopeMatch {
  if (scopeMatch !== 'hierarchical' && scopeMatch !== 'exact') {
    throw new ConfigError("createGuard: 'scopeMatch' must be 'hierarchical' or 'exact'.");
  }
  return scopeMatch;
}

function readEntityProvider({ entities }: GuardOptions): EntityProvider | undefined {
  if (entities === undefined || typeof entities === 'function') return entities;
  throw new ConfigError("createGuard: 'entities' must be a function from { type, id } to { attributes, parents }.");
}

function readSubjectRule(options: GuardOptions): boolean {
  const subjectMustAlsoBePermitted = guardFlag(options, 'subjectMustAlsoBePermitted');
  if (subjectMustAlsoBePermitted && options.policy.knowsUsers !== true) {
    throw new ConfigError(
      "createGuard: 'subjectMustAlsoBePermitted' needs a policy engine that heeds principal.type and says knowsUsers: true.",
    );
  }
  return subjectMustAlsoBePermitted;
}

function readTraffic({ traffic = 'agents' }: GuardOptions): 'agents' | 'mixed' {
  if (traffic !== 'agents' && traffic !== 'mixed') {
    throw new ConfigError("createGuard: 'traffic' must be 'agents' or 'mixed'.");
  }
  return traffic;
}

function readSpoolDirectory({ spoolDirectory }: GuardOptions): string {
  if (spoolDirectory === undefined) return tmpdir();
  try {
    if (statSync(spoolDirectory).isDirectory()) {
      accessSync(spoolDirectory, constants.W_OK);
      return spoolDirectory;
    }
  } catch {
    // Said below.
  }
  throw new ConfigError(`createGuard: 'spoolDirectory' must be a directory that can be written: ${spoolDirectory}.`);
}

function readGuardClock(options: GuardOptions): () => number {
  const clock = readClock('createGuard', options.clock);
  // Seconds taken for milliseconds would make every honest signature one from the future.
  if (clock() > 1e11) return clock;
  throw new ConfigError("createGuard: 'clock' must be a function that gives milliseconds since the epoch.");
}

function implementing<Name extends 'agents' | 'policy' | 'replay'>(
  options: GuardOptions,
  name: Name,
  methods: readonly string[],
  example: string,
): NonNullable<GuardOptions[Name]> {
  const value = options[name];
  if (value instanceof Promise) throw new ConfigError(`createGuard: '${name}' is a promise. Write 'await' before it.`);
  if (typeof value === 'string') throw new ConfigError(`createGuard: '${name}' is a text. Write ${example}.`);
  if (typeof value !== 'object' || value === null)
    throw new ConfigError(`createGuard: '${name}' is missing. Try ${example}.`);
  for (const method of methods) {
    if (typeof (value as unknown as Record<string, unknown>)[method] !== 'function') {
      throw new ConfigError(`createGuard: '${name}' has no method ${method}(). Try ${example}.`);
    }
  }
  return value;
}

type FlagOption = 'subjectMustAlsoBePermitted' | 'dangerouslyExplainRefusals' | 'dangerouslyAllowHttpOrigin';

function guardFlag(options: GuardOptions, name: FlagOption): boolean {
  return flagOption('createGuard', name, options[name] ?? false);
}

type NumericOption =
  | 'lookupTimeoutSeconds'
  | 'maxDelegationDepth'
  | 'maxLinkLifetimeSeconds'
  | 'maxAgeSeconds'
  | 'clockSkewSeconds'
  | 'maxBodyBytes'
  | 'memoryBodyBytes'
  | 'bodyTimeoutSeconds';

function guardNumber(options: GuardOptions, name: NumericOption, least: number, most: number): number {
  return integerOption('createGuard', name, options[name] ?? guardDefaults[name], least, most);
}
