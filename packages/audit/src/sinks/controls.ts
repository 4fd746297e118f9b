import type { FailedParts } from './failed-parts.js';
import { shuffled } from './lists.js';
import { linesByWriter } from './writer.js';

/** Most controls for each attempt: an outage costs no more requests. */
const maxControls = 5;

/** Waiting lines that may show that the receiver works: of as many writers as possible, since one may write only bad ones. */
export function controlsOf(
  failing: readonly string[],
  waiting: readonly string[],
  failed: FailedParts,
): readonly string[] {
  const single = failing.length === 1 ? failing[0] : undefined;
  const candidates = shuffled(waiting).filter((line) => line !== single && !failed.hasAlone(line));
  const firsts = [...linesByWriter(candidates).values()].flatMap(([line]) => line ?? []);
  return [...new Set([...firsts, ...candidates])].slice(0, maxControls);
}
