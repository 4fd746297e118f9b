import type { Finding, LogReport } from '@countersign/audit-verifier';

/** A log of which nothing is sealed may have been written by anybody: it must not pass. */
export function isTrusted({ ok, sealed }: LogReport): boolean {
  return ok && sealed > 0;
}

/** One sentence. */
export function verdictOn(report: LogReport): string {
  const { ok, size, sealed, segments, findingCount } = report;
  if (!ok) return `The log is NOT as it was written: ${findingCount} ${findingCount === 1 ? 'finding' : 'findings'}.`;
  if (sealed === 0) return 'NOTHING of the log is sealed by this key: anybody could have written it.';
  return `The log is whole: ${size} records in ${segments} ${segments === 1 ? 'segment' : 'segments'}, each in its place.`;
}

/** What the seal covers. */
export function sealOf({ ok, size, sealed }: LogReport): string {
  if (sealed === 0) return 'No checkpoint agrees with the log.';
  const rest = size - sealed;
  const which = rest === 1 ? 'The last one is' : `The last ${rest} are`;
  const open = !ok || rest <= 0 ? '' : ` ${which} not sealed yet, and could be cut off without a trace.`;
  return `Records 1 to ${sealed} are those that the key has sealed.${open}`;
}

export function placeOf({ file, line }: Finding): string {
  if (file === undefined) return '';
  return line === undefined ? file : `${file}, line ${line}`;
}
