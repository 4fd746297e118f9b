import { readAudit, readUnrecordedActions } from '@countersign/audit';
import {
  checkOptionNames,
  ConfigError,
  errorMessage,
  flagOption,
  guardDefaults,
  guardMaxima,
  integerOption,
  oneOfOption,
  readClock,
  readOnTrouble,
  isClosed,
  isPromise,
} from '@countersign/common';
import { isStringOrUri } from '@countersign/delegation';
import type { PolicyEngine } from '@countersign/policy';
import { readRedactOptions } from '../record/redact-options.js';
import { readApprovals } from '../stages/approve/approval-options.js';
import { parseOrigin } from '../stages/address/origin.js';
import { vocabularyOf } from '../stages/authorize/ask-engine.js';
import { readSpoolDirectory } from '../stages/body/spool.js';
import { readMutualTls } from '../stages/possession/by-certificate.js';
import { readDpopOptions } from '../stages/possession/dpop-options.js';
import { readWebBotAuthOptions } from '../stages/possession/by-web-bot-auth.js';
import { allowingFor, type ReplayStore } from '../stages/replay/store.js';
import type { RevocationSource } from '../stages/revocation/revocable.js';
import type { GuardOptions, GuardValues } from './guard-options.js';
import { readProtectedResource } from './protected-resource.js';

/** One option: how its value is read and checked, and what docs/ say of its default. */
export interface OptionRow<Name extends keyof GuardOptions> {
  /** As the reference prints it. */
  readonly byDefault: string;
  /** @throws ConfigError which says what to do. */
  readonly read: (given: GuardOptions[Name], options: GuardOptions) => GuardValues[Name];
}

/** Every option of `createGuard`, once. The compiler compares the rows with the types, and a test with the reference. */
export const optionTable: { readonly [Name in keyof Required<GuardOptions>]: OptionRow<Name> } = {
  origin: { byDefault: 'required', read: readOrigins },
  agents: {
    byDefault: 'required',
    read: implementing('agents', ['findByThumbprint', 'statusOf'], "await agentsFromFile('agents.json')"),
  },
  policy: {
    byDefault: 'required',
    read: readPolicy,
  },
  audit: { byDefault: 'required', read: readAudit },
  mode: oneOf('mode', 'enforce', 'observe'),
  redact: { byDefault: 'nothing', read: (given) => (given === undefined ? undefined : readRedactOptions(given)) },
  issuers: { byDefault: 'nobody', read: (given = []) => given },
  audience: { byDefault: 'the origin of the request', read: readAudiences },
  maxDelegationDepth: integer('maxDelegationDepth', 0, guardMaxima.maxDelegationDepth),
  maxLinkLifetimeSeconds: integer('maxLinkLifetimeSeconds', 1, guardMaxima.maxLinkLifetimeSeconds),
  scopeMatch: oneOf('scopeMatch', 'hierarchical', 'exact'),
  entities: { byDefault: 'none', read: readEntityProvider },
  subjectMustAlsoBePermitted: { byDefault: '`false`', read: readSubjectRule },
  approvals: {
    byDefault: 'nobody',
    read: (given, { policy, issuers }) => readApprovals(given, policy.asksApproval, issuers),
  },
  replay: {
    byDefault: 'in memory',
    read: (given, options) => (given === undefined ? given : allowingFor(options, readReplayStore(given))),
  },
  lookupTimeoutSeconds: integer('lookupTimeoutSeconds', 1, 60),
  dpop: { byDefault: 'off', read: readDpopOptions },
  webBotAuth: { byDefault: 'off', read: readWebBotAuthOptions },
  mtls: { byDefault: 'off', read: readMutualTls },
  bearer: { byDefault: '`false`', read: readBearer },
  protectedResource: { byDefault: 'none', read: readProtectedResource },
  revocations: { byDefault: 'none', read: readRevocationSources },
  traffic: oneOf('traffic', 'agents', 'mixed'),
  trustedProxies: { byDefault: 'none', read: (given = []) => given },
  maxAgeSeconds: integer('maxAgeSeconds', 1, guardMaxima.maxAgeSeconds),
  clockSkewSeconds: integer('clockSkewSeconds', 0, guardMaxima.clockSkewSeconds),
  maxBodyBytes: integer('maxBodyBytes', 0, 1024 ** 4),
  memoryBodyBytes: integer('memoryBodyBytes', 0, 1024 ** 3),
  spoolDirectory: { byDefault: "the system's temporary directory", read: readSpoolDirectory },
  bodyTimeoutSeconds: integer('bodyTimeoutSeconds', 1, 3600),
  clock: { byDefault: '`Date.now`', read: readGuardClock },
  onTrouble: { byDefault: 'a process warning', read: (given) => readOnTrouble('createGuard', given) },
  dangerouslyActWithoutRecord: { byDefault: 'none', read: readUnrecordedActions },
  dangerouslyExplainRefusals: flag('dangerouslyExplainRefusals'),
  dangerouslyAllowHttpOrigin: flag('dangerouslyAllowHttpOrigin'),
};

/**
 * Checks every option once, at creation: nothing weakens silently, nothing fails later.
 *
 * @throws ConfigError which says what to do.
 */
export function readGuardOptions(options: GuardOptions): GuardValues {
  if (typeof options !== 'object' || options === null) throw new ConfigError('createGuard: pass an options object.');
  const names = Object.keys(optionTable) as (keyof GuardOptions)[];
  checkOptionNames('createGuard', options, names);
  const read = <Name extends keyof GuardOptions>(name: Name): GuardValues[Name] => {
    if ([options[name]].flat().some(isClosed)) {
      throw new ConfigError(
        `createGuard: '${name}' was closed by an earlier guard, or by a createGuard that failed. Open it again, or create a new guard before you close the old one.`,
      );
    }
    return optionTable[name].read(options[name], options);
  };
  return Object.fromEntries(names.map((name) => [name, read(name)])) as unknown as GuardValues;
}

type NamesOf<Type> = {
  [Name in keyof Required<GuardOptions>]: Required<GuardOptions>[Name] extends Type ? Name : never;
}[keyof GuardOptions];

interface Row<Value> {
  readonly byDefault: string;
  readonly read: (given: Value | undefined) => Value;
}

function integer(name: NamesOf<number> & keyof typeof guardDefaults, least: number, most: number): Row<number> {
  const byDefault: number = guardDefaults[name];
  const mebibytes = byDefault / 1024 ** 2;
  return {
    byDefault: Number.isInteger(mebibytes) ? `${mebibytes} MiB` : String(byDefault),
    read: (given = byDefault) => integerOption('createGuard', name, given, least, most),
  };
}

function flag(name: NamesOf<boolean>): Row<boolean> {
  return { byDefault: '`false`', read: (given = false) => flagOption('createGuard', name, given) };
}

function oneOf<Value extends string>(name: keyof GuardOptions, byDefault: Value, other: Value): Row<Value> {
  return {
    byDefault: `\`'${byDefault}'\``,
    read: (given = byDefault) => oneOfOption('createGuard', name, given, [byDefault, other]),
  };
}

function implementing<Part extends object>(
  name: keyof GuardOptions,
  methods: readonly string[],
  example: string,
): (given: Part) => Part {
  return (given: unknown) => {
    if (isPromise(given)) {
      throw new ConfigError(`createGuard: '${name}' is a promise. Write 'await' before it.`);
    }
    if (typeof given === 'string') throw new ConfigError(`createGuard: '${name}' is a text. Write ${example}.`);
    if (typeof given !== 'object' || given === null) {
      throw new ConfigError(`createGuard: '${name}' is missing. Try ${example}.`);
    }
    const missing = methods.find((method) => typeof (given as Record<string, unknown>)[method] !== 'function');
    if (missing === undefined) return given as Part;
    throw new ConfigError(`createGuard: '${name}' has no method ${missing}(). Try ${example}.`);
  };
}

const readEngine = implementing<PolicyEngine>('policy', ['decide'], "await cedarFromDirectory('policies')");

function readPolicy(given: PolicyEngine): PolicyEngine {
  const policy = readEngine(given);
  try {
    vocabularyOf(policy);
    return policy;
  } catch (error) {
    throw new ConfigError(`createGuard: the scopes of 'policy' cannot be read: ${errorMessage(error)}.`);
  }
}

const readReplayStore = implementing<ReplayStore>('replay', ['reserve'], 'memoryReplayStore()');

function readOrigins(
  origin: GuardOptions['origin'],
  { dangerouslyAllowHttpOrigin }: GuardOptions,
): GuardValues['origin'] {
  const values = typeof origin === 'string' ? [origin] : origin;
  if (!Array.isArray(values) || values.length === 0) {
    throw new ConfigError(
      "createGuard: 'origin' is missing. Name what requests are addressed to, like 'https://api.example.com'.",
    );
  }
  const allowHttp = flag('dangerouslyAllowHttpOrigin').read(dangerouslyAllowHttpOrigin);
  return values.map((value) => parseOrigin(value, allowHttp));
}

function readAudiences(audience: GuardOptions['audience']): readonly string[] | undefined {
  if (audience === undefined) return undefined;
  const values: readonly unknown[] = Array.isArray(audience) ? audience : [audience];
  if (values.length > 0 && values.every(isStringOrUri)) return values;
  throw new ConfigError("createGuard: 'audience' must name at least one audience, or be left out to mean the origin.");
}

function readBearer(bearer: GuardOptions['bearer'], { issuers = [], traffic }: GuardOptions): boolean {
  const isAccepted = flag('bearer').read(bearer);
  if (isAccepted && issuers.length === 0) {
    throw new ConfigError("createGuard: 'bearer' needs 'issuers': say whose tokens are accepted.");
  }
  if (isAccepted && traffic === 'mixed') {
    throw new ConfigError(
      "createGuard: 'bearer' is not for traffic: 'mixed', where plain tokens are the application's.",
    );
  }
  return isAccepted;
}

function readRevocationSources(revocations: GuardOptions['revocations'] = []): readonly RevocationSource[] {
  const sources: readonly RevocationSource[] = Array.isArray(revocations) ? revocations : [revocations];
  if (sources.some((source) => isPromise(source))) {
    throw new ConfigError("createGuard: 'revocations' is a promise. Write 'await' before it.");
  }
  if (sources.some((source) => typeof source?.findRevoked !== 'function')) {
    throw new ConfigError(
      "createGuard: 'revocations' has no method findRevoked(). Try await revocationsFromFile('revocations.json').",
    );
  }
  return sources;
}

function readEntityProvider(entities: GuardOptions['entities']): GuardValues['entities'] {
  if (entities === undefined || typeof entities === 'function') return entities;
  throw new ConfigError("createGuard: 'entities' must be a function from { type, id } to { attributes, parents }.");
}

function readSubjectRule(given: boolean | undefined, { policy }: GuardOptions): boolean {
  const required = flag('subjectMustAlsoBePermitted').read(given);
  if (!required || policy.knowsUsers === true) return required;
  throw new ConfigError(
    "createGuard: 'subjectMustAlsoBePermitted' needs a policy engine that heeds principal.type and says knowsUsers: true.",
  );
}

function readGuardClock(given: GuardOptions['clock']): () => number {
  const clock = readClock('createGuard', given);
  try {
    // If seconds were taken for milliseconds, every honest signature would be from the future.
    if (clock() > 1e11) return clock;
  } catch {
    // Reported below.
  }
  throw new ConfigError("createGuard: 'clock' must be a function that gives milliseconds since the epoch.");
}
