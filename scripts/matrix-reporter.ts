import type { Reporter, TestModule } from 'vitest/node';
import type { ScenarioNote } from '../test/support/matrix.js';

interface Cell {
  passed: number;
  failed: number;
  readonly codes: Set<string>;
}

/** Prints which scenarios ran on which host: tests that passed, and how many codes of refusal they reached. */
export default class MatrixReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const rows = new Map<string, Map<string, Cell>>();
    const codes = new Map<string, Cell>();
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        const { scenario } = test.meta();
        if (scenario === undefined) continue;
        const row = rows.get(scenario.title) ?? new Map<string, Cell>();
        rows.set(scenario.title, row);
        const passed = test.result().state === 'passed';
        count(row, scenario, passed);
        count(codes, scenario, passed);
      }
    }
    if (rows.size > 0) process.stdout.write(`\n${table(rows, codes)}\n\n`);
  }
}

function count(row: Map<string, Cell>, { host, refusals }: ScenarioNote, passed: boolean): void {
  const cell = row.get(host) ?? { passed: 0, failed: 0, codes: new Set() };
  row.set(host, cell);
  cell[passed ? 'passed' : 'failed'] += 1;
  if (passed) for (const code of refusals) cell.codes.add(code);
}

function table(rows: ReadonlyMap<string, ReadonlyMap<string, Cell>>, all: ReadonlyMap<string, Cell>): string {
  const hosts = [...all.keys()];
  const lines = [
    ['Scenarios: tests passed / refusals reached', ...hosts],
    ...[...rows].map(([title, row]) => [title, ...hosts.map((host) => shown(row.get(host)))]),
    ['all', ...hosts.map((host) => shown(all.get(host)))],
  ];
  const widths = ['', ...hosts].map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines
    .map((line) => line.map((text, at) => (at === 0 ? text.padEnd(widths[at] ?? 0) : text.padStart(widths[at] ?? 0))))
    .map((line) => line.join('  '))
    .join('\n');
}

function shown(cell: Cell | undefined): string {
  if (cell === undefined) return '-';
  return `${cell.passed} / ${cell.codes.size}${cell.failed > 0 ? ` (${cell.failed} FAILED)` : ''}`;
}
