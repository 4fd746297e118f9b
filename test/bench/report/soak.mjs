// The soak's part of the page.
import { lateQuarters } from './statistics.mjs';
import { linearTicks, lineChart } from './svg.mjs';
import { table } from './tables.mjs';

const MEASURES = [
  ['heapMiB', 'heap, least, MiB'],
  ['externalMiB', 'external memory, mean, MiB'],
  ['rssMiB', 'resident memory, mean, MiB'],
  ['handles', 'handles and pending requests, mean'],
  ['delayP99', 'event-loop delay, p99, mean, ms'],
];

export function soakTable({ series }) {
  const rows = MEASURES.map(([name, label]) => [
    label,
    ...[series.at(0)[name], ...lateQuarters(series, name)].map((value) => value.toFixed(1)),
  ]);
  return table(['', `after ${series.at(0).second} s`, 'third quarter', 'last quarter'], rows);
}

export function soakChart({ series }) {
  const line = (name, label) => ({ name: label, points: series.map((row) => [row.second / 60, row[name]]) });
  const most = Math.max(...series.map(({ rssMiB }) => rssMiB));
  return lineChart({
    title: 'Memory under load, MiB',
    lines: [line('rssMiB', 'resident'), line('heapMiB', 'heap'), line('externalMiB', 'external')],
    xTicks: linearTicks(series.at(-1).second / 60),
    yTicks: linearTicks(most),
    xLabel: 'minutes',
  });
}
