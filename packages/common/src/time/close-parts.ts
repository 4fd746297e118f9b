import { withTimeout } from './with-timeout.js';

/** What a guard is given, such as a source of agents or a sink, and what it is made of. */
export interface Part {
  close?(): unknown;
}

const longestCloseSeconds = 30;

/** How many hold a part. 0: it was closed. */
const holders = new WeakMap<Part, number>();
/** The parts that a part closes with itself. */
const contents = new WeakMap<Part, readonly Part[]>();

/** Notes which parts `whole` closes with `closePart`, so that whoever holds it holds them. */
export function madeOf<Whole extends Part>(whole: Whole, parts: readonly Part[]): Whole {
  contents.set(whole, parts);
  return whole;
}

/** Keeps parts open until each that holds them has called `closePart`. One that was closed stays closed. */
export function holdParts(parts: readonly Part[]): void {
  for (const part of parts) {
    const count = holders.get(part);
    if (count === 0) continue;
    // It closes them once, after its own last holder.
    if (count === undefined) holdParts(contents.get(part) ?? []);
    holders.set(part, (count ?? 0) + 1);
  }
}

/** Whether a part, or one that it is made of, was closed by `closePart`. Accepts any value. */
export function isClosed(part: unknown): boolean {
  return holders.get(part as Part) === 0 || contents.get(part as Part)?.some(isClosed) === true;
}

/** Closes a part, unless others hold it or it was closed. */
export async function closePart(part: Part): Promise<void> {
  // What is in memory only may be used again.
  if (part.close === undefined) return;
  const others = (holders.get(part) ?? 1) - 1;
  if (others < 0) return;
  holders.set(part, others);
  if (others === 0) await part.close();
}

/**
 * Closes parts in order as `closePart` does, each within 30 seconds. After a failure the others are still closed: one of
 * them may be the audit log, which is sealed at its close. A part that hangs delays those after it.
 *
 * @throws the first failure, after all parts were tried.
 */
export async function closeParts(parts: readonly Part[]): Promise<void> {
  const failures: unknown[] = [];
  for (const part of parts) await closeInTime(part).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw failures[0];
}

async function closeInTime(part: Part): Promise<void> {
  await withTimeout(longestCloseSeconds * 1000, closePart(part), () => {
    throw new Error(`a part of the guard was not closed within ${longestCloseSeconds} seconds`);
  });
}
