import { isStringOrUri } from '@countersign/delegation';
import { checkOptionNames, ConfigError, isJsonObject, type JsonObject, member } from '@countersign/common';

/**
 * What can be revoked. Ids are those of the audit log: with the issuer's `subjectNamespace`, if it has one. A subject or a
 * delegation with its `issuer` means only that issuer's, and there the subject may be without the namespace, like `sub`;
 * without, whosever it is.
 */
export type Revocable =
  /** Everything that this agent does or has handed on. */
  | { readonly agent: string }
  /** One key, by its RFC 7638 thumbprint: what it signs and what it has handed on. */
  | { readonly key: string }
  /** Everything done on behalf of this user (or agent). */
  | { readonly subject: string; readonly issuer?: string }
  /** One delegation, by its `jti`, and all that follow from it. The issuer of a link is the agent that signed it. */
  | { readonly delegation: string; readonly issuer?: string }
  /** Everything that rests on a token of this issuer. */
  | { readonly issuer: string };

/** A revocation in force. */
export type Revocation = Revocable & {
  /** Unix seconds; from then on it is forgotten. Default: never. */
  readonly until?: number;
};

const YEAR_5138_SECONDS = 1e11;

const revocableKinds = ['agent', 'key', 'subject', 'delegation', 'issuer'] as const;
export type RevocableKind = (typeof revocableKinds)[number];

/** Which kind it is, and the id of it. */
export function kindAndId(named: Revocable): readonly [kind: RevocableKind, id: string] {
  if ('agent' in named) return ['agent', named.agent];
  if ('key' in named) return ['key', named.key];
  if ('subject' in named) return ['subject', named.subject];
  if ('delegation' in named) return ['delegation', named.delegation];
  return ['issuer', named.issuer];
}

/**
 * One text for one revocable, for stores of your own. Two that differ never have the same.
 *
 * @example
 * revocationKey({ agent: 'agent-1' }); // '["agent","agent-1"]'
 */
export function revocationKey(named: Revocable): string {
  const [kind, id] = kindAndId(named);
  const issuer = kind === 'issuer' ? undefined : member(named, 'issuer');
  return JSON.stringify(issuer === undefined ? [kind, id] : [kind, id, issuer]);
}

/**
 * Reads a revocation that people wrote. A misspelt one must not pass for one that was made. `expected`: the only kind
 * that it may be.
 *
 * @throws ConfigError which says what to do.
 */
export function readRevocation(owner: string, value: unknown, expected?: RevocableKind): Revocation {
  if (!isJsonObject(value)) throw new ConfigError(`${owner}: write an object, like { agent: 'agent-1' }.`);
  const kind = expected ?? revocableKinds.find((name) => Object.hasOwn(value, name));
  if (kind === undefined) {
    checkOptionNames(owner, value, [...revocableKinds, 'until']);
    throw new ConfigError(`${owner}: say what, with one of ${revocableKinds.join(', ')}.`);
  }
  const ofIssuer = kind === 'subject' || kind === 'delegation';
  checkOptionNames(`${owner}, ${kind}`, value, [kind, ...(ofIssuer ? ['issuer'] : []), 'until']);
  const id = readId(owner, kind, value);
  const until = readUntil(owner, value);
  const issuer = ofIssuer && value['issuer'] !== undefined ? readId(owner, 'issuer', value) : undefined;
  return Object.freeze({
    [kind]: id,
    ...(issuer !== undefined && { issuer }),
    ...(until !== undefined && { until }),
  }) as unknown as Revocation;
}

function readId(owner: string, kind: RevocableKind, value: JsonObject): string {
  const id = member(value, kind);
  if (!isStringOrUri(id)) throw new ConfigError(`${owner}: '${kind}' must be visible text.`);
  if (kind === 'key' && !/^[A-Za-z0-9_-]{43}$/.test(id)) {
    throw new ConfigError(`${owner}: 'key' must be the RFC 7638 thumbprint of the key, not the key itself.`);
  }
  return id;
}

function readUntil(owner: string, value: JsonObject): number | undefined {
  const until = member(value, 'until');
  if (until === undefined) return undefined;
  if (typeof until !== 'number' || !Number.isSafeInteger(until) || until <= 0) {
    throw new ConfigError(`${owner}: 'until' must be a whole number of unix seconds.`);
  }
  if (until < YEAR_5138_SECONDS) return until;
  throw new ConfigError(`${owner}: 'until' must be in unix seconds, and these are milliseconds: divide by 1000.`);
}

/** Where revocations are kept besides the guard's own memory. */
export interface RevocationSource {
  /**
   * Asked for every request, and again when it asks for a decision more than a second later. `named` is everything that
   * the request rests on, each under every name by which it can be revoked, so that exact matches suffice
   * (`revocationKey` makes texts of them). Answers with the one of `named` that is revoked, or undefined if none is.
   * Anything else refuses the request with 503 `revocations_unavailable`: an exception, or no answer within
   * `lookupTimeoutSeconds`. A source that lost what it held must reject; it must not say that nothing is revoked.
   */
  findRevoked(named: readonly Revocable[], nowSeconds: number): Revocable | undefined | Promise<Revocable | undefined>;
  /** As in an `AgentDirectory`. */
  close?(): void | Promise<void>;
}
