import { CliError, exitCodes } from '../../cli-error.js';

const unitSeconds: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A time without a zone would depend on the machine; a date alone is in UTC, as in the log. */
const exact =
  /^([0-9]{4}-[0-9]{2}-[0-9]{2})(?:T[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9]{2}:[0-9]{2}))?$/;

/**
 * Tests whether a moment is at or after `since`, and before `until`. Undefined if neither is given.
 *
 * @throws CliError if one of them is not a time, or the range is empty.
 */
export function timeRange(
  { since, until }: { readonly since?: string; readonly until?: string },
  now: number,
): ((time: number) => boolean) | undefined {
  if (since === undefined && until === undefined) return undefined;
  const from = since === undefined ? Number.NEGATIVE_INFINITY : readTime('--since', since, now);
  const to = until === undefined ? Number.POSITIVE_INFINITY : readTime('--until', until, now);
  if (from >= to) throw new CliError('--since is not before --until: nothing can match', exitCodes.usage);
  return (time) => time >= from && time < to;
}

function readTime(option: string, text: string, now: number): number {
  const [, count, unit = ''] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
  if (count !== undefined) return now - Number(count) * (unitSeconds[unit] ?? 1) * 1000;
  const [, date] = exact.exec(text) ?? [];
  const time = date !== undefined && isDate(date) ? Date.parse(text) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  if (exact.test(`${text}Z`)) {
    throw new CliError(`${option}: name the zone of this time: ${text}Z or ${text}+01:00`, exitCodes.usage);
  }
  const example = '2026-11-24 (from 00:00 UTC), 2026-11-24T15:00:00Z, or 15m, 2h, 7d for a time before now';
  throw new CliError(`${option}: this is no time. Write ${example}.`, exitCodes.usage);
}

/** Otherwise the 30th of February would become the 2nd of March. */
function isDate(date: string): boolean {
  const time = Date.parse(date);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(date);
}
