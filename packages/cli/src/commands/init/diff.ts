import type { Edited } from './edits.js';

/** Lines before and after a change that a hunk shows. */
const context = 3;

/** A unified diff, as `git apply` and `patch -p1` take it. */
export function unifiedDiff(files: readonly Edited[]): string {
  return files.map(fileDiff).join('');
}

function fileDiff({ path, lines }: Edited): string {
  // The last "line" of a text that ends in a line break is empty, and is none.
  const shown = lines.at(-1)?.before === '' ? lines.slice(0, -1) : lines;
  const noEnd = shown.length === lines.length ? '\n\\ No newline at end of file' : '';
  const isChanged = shown.map(({ before, after }) => before !== after);
  const hunks: Hunk[] = [];
  let [oldLine, newLine] = [1, 1];
  let hunk: Hunk | undefined;
  for (const [at, { before, after }] of shown.entries()) {
    const isShown = isChanged.slice(Math.max(0, at - context), at + context + 1).includes(true);
    if (!isShown) hunk = undefined;
    else if (hunk === undefined) {
      hunk = { old: oldLine, new: newLine, body: '', removed: [], added: [] };
      hunks.push(hunk);
    }
    const tail = at === shown.length - 1 ? noEnd : '';
    if (before === after) keep(hunk, `${after}${tail}`);
    else {
      if (before !== undefined) hunk?.removed.push(`${before}${tail}`);
      hunk?.added.push(`${after}${tail}`);
    }
    if (before !== undefined) oldLine += 1;
    newLine += 1;
  }
  const body = hunks.map(hunkText).join('');
  return `--- a/${path}\n+++ b/${path}\n${body}`;
}

interface Hunk {
  /** Its first line in the file before, and after. */
  readonly old: number;
  readonly new: number;
  body: string;
  /** Changed lines since the last that stays. */
  readonly removed: string[];
  readonly added: string[];
}

function keep(hunk: Hunk | undefined, line: string): void {
  if (hunk === undefined) return;
  flush(hunk);
  hunk.body += ` ${line}\n`;
}

/** Changed lines that follow each other: first all that go, then all that come. */
function flush(hunk: Hunk): void {
  for (const line of hunk.removed.splice(0)) hunk.body += `-${line}\n`;
  for (const line of hunk.added.splice(0)) hunk.body += `+${line}\n`;
}

function hunkText(hunk: Hunk): string {
  flush(hunk);
  const lines = hunk.body.split('\n');
  const count = (other: string): number =>
    lines.filter((line) => line !== '' && !line.startsWith(other) && !line.startsWith('\\')).length;
  return `@@ -${hunk.old},${count('+')} +${hunk.new},${count('-')} @@\n${hunk.body}`;
}
