import type { Colours } from '../io.js';

/** What `inspect` has to say, before it is laid out. All text in it is printable already. */
export interface Report {
  readonly title: string;
  /** Said right below the title, and never to be overlooked. */
  readonly caution?: string;
  readonly sections: readonly Section[];
  /** False where it does not count, so that the command says so to a script. Default: true. */
  readonly ok?: boolean;
  readonly warnings: readonly string[];
}

export interface Section {
  readonly heading: string;
  readonly rows: readonly Row[];
  /** Laid out already; they stand before the rows. */
  readonly lines?: readonly string[];
}

/** A name, its value, and optionally what it means. */
export type Row = readonly [name: string, value: string, meaning?: string];

export function renderReport({ title, caution, sections, warnings }: Report, colours: Colours): string {
  const lines = [colours.bold(title)];
  if (caution !== undefined) lines.push(colours.yellow(caution));
  for (const { heading, rows, lines: drawn = [] } of sections) {
    if (rows.length === 0 && drawn.length === 0) continue;
    lines.push('', colours.bold(heading), ...drawn, ...renderRows(rows, colours));
  }
  if (warnings.length > 0) lines.push('', colours.bold('warnings'));
  for (const warning of warnings) lines.push(colours.yellow(`  ! ${warning}`));
  return `${lines.join('\n')}\n`;
}

function renderRows(rows: readonly Row[], { dim }: Colours): string[] {
  const nameWidth = Math.min(24, Math.max(...rows.map(([name]) => name.length)));
  return rows.map(([name, value, meaning]) => {
    const explained = meaning === undefined ? '' : dim(`  ${meaning}`);
    return `  ${name.padEnd(nameWidth)}  ${value}${explained}`.trimEnd();
  });
}
