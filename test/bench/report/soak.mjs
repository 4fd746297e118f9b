// The soak's part of the page.
import { quarters } from './statistics.mjs';
import { linearTicks, lineChart } from './svg.mjs';
import { table } from './tables.mjs';

/** `slack`: what may differ from quarter to quarter without any growth, besides a tenth. */
const MEASURES = [
  { name: 'heapMiB', label: 'heap, least, MiB', slack: 2 },
  { name: 'externalMiB', label: 'external memory, mean, MiB', slack: 2 },
  { name: 'rssMiB', label: 'resident memory, mean, MiB', slack: 5 },
  { name: 'handles', label: 'handles and pending requests, mean', slack: 5 },
  { name: 'delayP50', label: 'event-loop delay, p50, mean, ms', slack: 2 },
  { name: 'delayP99', label: 'event-loop delay, p99, mean, ms', slack: 20 },
];

/** Each measure by quarter, and whether the last quarter shows growth over the third: a leak does, a cache that is full does not. */
export function soakMeasures({ series }) {
  return MEASURES.map(({ name, label, slack }) => {
    const values = quarters(series, name);
    const [, , third, last] = values;
    return { label, quarters: values, grows: last > third * 1.1 + slack };
  });
}

export function soakTable(soak) {
  const rows = soakMeasures(soak).map(({ label, quarters, grows }) => [
    label,
    ...quarters.map((value) => value.toFixed(1)),
    grows ? '**grows**' : 'flat',
  ]);
  return table(['', 'first quarter', 'second', 'third', 'last', 'third to last'], rows);
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
