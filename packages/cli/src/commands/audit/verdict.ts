import type { Finding, LogReport } from '@countersign/audit-verifier';

/** A log without a seal can be written by anybody, so it must not pass. */
export function isTrusted({ ok, sealed }: LogReport): boolean {
  return ok && sealed > 0;
}

/** The verdict in one sentence. */
export function verdictOn(report: LogReport): string {
  const { ok, size, sealed, segments, findingCount } = report;
  if (!ok) return `The log is NOT as it was written: ${counted(findingCount, 'finding')}.`;
  if (sealed === 0) return 'NOTHING of the log is sealed by this key: anybody could have written it.';
  const where = `${counted(size, 'record')} in ${counted(segments, 'segment')}`;
  return `The log is whole: ${where}, ${size === 1 ? '' : 'each '}in its place.`;
}

/** The part that the seal covers. */
export function sealOf(report: LogReport): string {
  const { sealed } = report;
  if (sealed === 0) return 'No checkpoint agrees with the log.';
  const which = sealed === 1 ? 'Record 1 is the one' : `Records 1 to ${sealed} are those`;
  return `${which} that the key has sealed.${unsealedPart(report)}`;
}

/** The part that the seal does not cover. */
function unsealedPart({ ok, size, sealed, endsWithSeal }: LogReport): string {
  const rest = size - sealed;
  if (rest <= 0) return '';
  // An attacker can relink all later records after a change; then only the last of them has a wrong neighbour.
  if (!ok) return ' No seal covers what follows: more of it may have been changed than can be found.';
  if (endsWithSeal) return ` Record ${size} is the log's own note of that seal.`;
  const which = rest === 1 ? 'The last one is' : `The last ${rest} are`;
  return ` ${which} not sealed yet, and could be changed or cut off without a trace.`;
}

/** With the plural of a regular word. */
export function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

export function placeOf({ file, line }: Finding): string {
  if (file === undefined) return '';
  return line === undefined ? file : `${file}, line ${line}`;
}
