import type { Colours } from '../io.js';

/** The content of an `inspect` report before layout. All its text is printable already. */
export interface Report {
  readonly title: string;
  /** Printed right below the title. */
  readonly caution?: string;
  readonly sections: readonly Section[];
  /** False if a guard would refuse the value; it sets the exit code. Default: true. */
  readonly ok?: boolean;
  readonly warnings: readonly string[];
}

export interface Section {
  readonly heading: string;
  readonly rows: readonly Row[];
  /** Preformatted lines, printed before the rows. */
  readonly lines?: readonly string[];
}

/** A name, its value, and optionally its meaning. */
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
