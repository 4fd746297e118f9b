import { isRecordedAs } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';
import { resourcesOf, resourceText } from './record-facts.js';
import { printable, withSingleSpaces } from '../../text.js';
import { timeRange } from './time-range.js';
import { isTrueAt, listAt, textAt, type Unknown } from './unknown-record.js';

/** Selects records. A record must match every member that is present. */
export interface FilterOptions {
  readonly actor?: string;
  readonly subject?: string;
  /** An agent between subject and actor. */
  readonly via?: string;
  /** The id of a delegation on which the request rests. */
  readonly delegation?: string;
  /** A type, an id, or both as `Repo::"acme/api"`. */
  readonly resource?: string;
  readonly action?: string;
  readonly decision?: string;
  readonly phase?: string;
  readonly code?: string;
  readonly outcome?: string;
  /** Only outcomes of requests that never asked for a decision. */
  readonly undecided?: boolean;
  readonly request?: string;
  /** The id of an approval, or the binding of the request that it is for. */
  readonly approval?: string;
  /** Agent or key that a refused request claimed, unverified. */
  readonly claimed?: string;
  readonly address?: string;
  /** RFC 3339, a date, or a time before now like 15m, 2h, 7d. */
  readonly since?: string;
  readonly until?: string;
}

export type Filter = (record: Unknown) => boolean;

type Equal = Exclude<
  keyof FilterOptions,
  'address' | 'via' | 'delegation' | 'resource' | 'code' | 'claimed' | 'approval' | 'undecided' | 'since' | 'until'
>;

/** The facts of a record to compare with each option. */
const places: Readonly<Record<Equal, readonly string[]>> = {
  actor: ['actor', 'id'],
  subject: ['subject', 'id'],
  action: ['action'],
  decision: ['decision'],
  phase: ['phase'],
  outcome: ['outcome', 'result'],
  request: ['request', 'id'],
};

/** The names of the options, in the order in which they are printed. */
export const filterNames: readonly (keyof FilterOptions)[] = [
  ...(Object.keys(places) as Equal[]),
  'address',
  'via',
  'delegation',
  'resource',
  'code',
  'claimed',
  'approval',
  'undecided',
  'since',
  'until',
];

/**
 * `bindings`: of the requests that the approval is for, so that the records which asked for it match, too.
 *
 * @throws CliError if an option is empty or a time is invalid.
 */
export function filterFor(options: FilterOptions, now: number, bindings: ReadonlySet<string> = new Set()): Filter {
  const empty = filterNames.find((name) => options[name] === '');
  // An unset shell variable would match no record, and look as if nothing had happened.
  if (empty !== undefined) throw new CliError(`--${empty} is empty`, exitCodes.usage);
  const conditions = [...equalities(options), ...others(options, bindings)];
  const range = timeRange(options, now);
  if (range !== undefined) conditions.push((record) => range(Date.parse(textAt(record, 'time') ?? '')));
  return (record) => conditions.every((holds) => holds(record));
}

function equalities(options: FilterOptions): Filter[] {
  return Object.entries(places).flatMap(([name, path]) => {
    const wanted = options[name as Equal];
    return wanted === undefined ? [] : [(record: Unknown) => hasAt(record, wanted, ...path)];
  });
}

/** Whether a record has this text there, whole or cut. */
function hasAt(record: unknown, wanted: string, ...path: readonly string[]): boolean {
  const recorded = textAt(record, ...path);
  return recorded !== undefined && isRecordedAs(recorded, wanted);
}

function others(
  { address, via, delegation, resource, code, claimed, approval, undecided }: FilterOptions,
  bindings: ReadonlySet<string>,
): Filter[] {
  const asked: Filter[] = [];
  if (address !== undefined) {
    const wanted = plainAddress(address);
    asked.push((record) => plainAddress(textAt(record, 'request', 'remoteAddress') ?? '') === wanted);
  }
  if (via !== undefined) {
    asked.push((record) =>
      listAt(record, 'chain')
        .slice(0, -1)
        .some((hop, at) => (at > 0 && hasAt(hop, via, 'id')) || hasAt(hop, via, 'registeredAs')),
    );
  }
  if (delegation !== undefined) {
    asked.push((record) =>
      listAt(record, 'chain').some((hop) =>
        [hop, ...listAt(hop, 'ancestors')].some((one) => hasAt(one, delegation, 'delegationId')),
      ),
    );
  }
  if (resource !== undefined) asked.push((record) => concerns(record, resource));
  // The code of an outcome is a body problem.
  if (code !== undefined) {
    asked.push((record) => textAt(record, 'code') === code || textAt(record, 'outcome', 'code') === code);
  }
  // An unknown key has no agent.
  if (claimed !== undefined) {
    asked.push((record) => ['agent', 'keyId'].some((name) => hasAt(record, claimed, 'claimed', name)));
  }
  if (approval !== undefined) {
    asked.push((record) => {
      const binding = textAt(record, 'approval', 'binding');
      return hasAt(record, approval, 'approval', 'id') || binding === approval || bindings.has(binding ?? '');
    });
  }
  if (undecided === true) asked.push((record) => isTrueAt(record, 'outcome', 'undecided'));
  return asked;
}

/** A server that listens on `::`, as Node does by default, sees IPv4 clients as `::ffff:203.0.113.7`. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}

/** A shell removes the quotes of `Repo::"acme/api"` unless they are quoted. */
function concerns(record: Unknown, wanted: string): boolean {
  return resourcesOf(record).some(({ type, id }) => {
    const ofType = wanted.startsWith(`${type}::`) ? wanted.slice(`${type}::`.length) : undefined;
    const ids = [wanted, ofType, /^"(.*)"$/s.exec(ofType ?? '')?.[1]].filter((one) => one !== undefined);
    if (wanted === printable(withSingleSpaces(resourceText({ type, id })))) return true;
    return isRecordedAs(type, wanted) || ids.some((one) => isRecordedAs(id, one));
  });
}
