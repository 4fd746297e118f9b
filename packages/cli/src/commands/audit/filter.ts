import { CliError, exitCodes } from '../../cli-error.js';
import { type RecordFacts, resourceText } from './record-facts.js';

/** Which records are wanted. All of it must be true of a record; what is absent is not asked. */
export interface FilterOptions {
  readonly actor?: string;
  readonly subject?: string;
  /** A type, an id, or both as `Repo::"acme/api"`. */
  readonly resource?: string;
  readonly action?: string;
  readonly decision?: string;
  readonly phase?: string;
  readonly code?: string;
  readonly request?: string;
  /** RFC 3339, a date, or a time before now like 15m, 2h, 7d. */
  readonly since?: string;
  readonly until?: string;
}

export type Filter = (record: RecordFacts) => boolean;

/** @throws CliError if a time cannot be read. */
export function filterFor(options: FilterOptions, now: number): Filter {
  const { resource } = options;
  const since = readTime('--since', options.since, now) ?? Number.NEGATIVE_INFINITY;
  const until = readTime('--until', options.until, now) ?? Number.POSITIVE_INFINITY;
  const timed = options.since !== undefined || options.until !== undefined;
  const equal = (['actor', 'subject', 'action', 'decision', 'phase', 'code'] as const).filter(
    (name) => options[name] !== undefined,
  );
  return (record) => {
    if (!equal.every((name) => record[name] === options[name])) return false;
    if (options.request !== undefined && record.requestId !== options.request) return false;
    if (resource !== undefined && !concerns(record, resource)) return false;
    if (!timed) return true;
    const time = Date.parse(record.time);
    return time >= since && time < until;
  };
}

function concerns({ resources }: RecordFacts, wanted: string): boolean {
  return resources.some((one) => one.type === wanted || one.id === wanted || resourceText(one) === wanted);
}

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

function readTime(option: string, text: string | undefined, now: number): number | undefined {
  if (text === undefined) return undefined;
  const [, count, unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (unitSeconds[unit] ?? 1) * 1000;
  // A time without a zone would mean another moment on each machine.
  const exact =
    /^[0-9]{4}-[0-9]{2}-[0-9]{2}(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?$/;
  const time = exact.test(text) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  const example = '2026-11-24, 2026-11-24T15:00:00Z, or 15m, 2h, 7d for a time before now';
  throw new CliError(`${option}: this is no time. Write ${example}.`, exitCodes.usage);
}
