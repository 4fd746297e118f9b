// A guarded API under steady load while keys rotate, tokens are revoked and policies reload: memory, handles and the delay
// of the event loop must stay flat, and no good request may be refused: else it exits with 1.
// pnpm soak -- --minutes N [--rate N] [--json FILE]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startChild } from './host/child.mjs';
import { rounded, toText } from './host/json.mjs';
import { machine } from './host/machine.mjs';
import { publicKeys } from './host/signer.mjs';
import { soakMeasures } from './report/soak.mjs';
import { createChanges, writePolicies } from './soak/changes.mjs';
import { createLoad } from './soak/load.mjs';

const SECONDS = { sample: 10, rotateKey: 5, revokeToken: 3, reloadPolicies: 7 };
/** The replay store fills for the first minute: a run with fewer samples shows growth that ends. */
const LEAST_SAMPLES = 36;

const { values } = parseArgs({
  args: process.argv.slice(2).filter((arg) => arg !== '--'),
  options: {
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '300' },
    json: { type: 'string' },
  },
});
const minutes = Number(values.minutes);
const rate = Number(values.rate);
if (!(minutes > 0) || !(rate > 0)) throw new Error('--minutes and --rate are numbers above 0');

// Beside the code: a folder for temporary files may be in memory, where a sync does nothing.
const folder = mkdtempSync(join(import.meta.dirname, 'soak-'));
try {
  const result = { minutes, rate, machine: machine(), ...(await soak()) };
  show(result);
  if (values.json !== undefined) writeFileSync(values.json, toText(result, 'series'));
  const grows = result.series.length >= LEAST_SAMPLES && soakMeasures(result).some((measure) => measure.grows);
  if (result.unexpected.length > 0 || grows) process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}

async function soak() {
  writePolicies(folder, 0);
  const child = startChild(join(import.meta.dirname, 'soak/server.mjs'), [
    JSON.stringify({ folder, keys: publicKeys }),
  ]);
  const server = { ...child, ...(await child.answer()) };
  // A guard refuses what was signed in the second in which its process began.
  await setTimeout(1500);
  const changes = await createChanges(folder, server);
  const load = createLoad(server.port, changes);
  const end = performance.now() + minutes * 60_000;
  const [series] = await Promise.all([sampleAndChange(server, changes, load, end), load.run(rate, end)]);
  await server.ask({ task: 'close' });
  await server.stop();
  return { requests: load.requests(), changes: changes.counts, unexpected: load.unexpected(), series };
}

async function sampleAndChange(server, changes, load, end) {
  const series = [];
  const begun = performance.now();
  for (let second = 1; begun + second * 1000 < end; second += 1) {
    await setTimeout(Math.max(0, begun + second * 1000 - performance.now()));
    const due = (task) => second % SECONDS[task] === 0;
    if (due('rotateKey')) await changes.rotateKey(load.drained);
    if (due('revokeToken')) await changes.revokeToken(load.drained);
    if (due('reloadPolicies')) await changes.reloadPolicies();
    if (due('sample')) series.push({ second, requests: load.requests(), ...(await server.ask({ task: 'sample' })) });
  }
  return series;
}

function show({ series, requests, changes, unexpected }) {
  console.table(series.map((row) => JSON.parse(JSON.stringify(row, rounded))));
  console.table(
    soakMeasures({ series }).map(({ label, quarters, grows }) => ({
      measure: label,
      'by quarter': quarters.map((value) => value.toFixed(1)).join(', '),
      'third to last': grows ? 'GROWS' : 'flat',
    })),
  );
  console.log(`${requests} requests; ${JSON.stringify(changes)}; not 201: ${JSON.stringify(unexpected)}`);
}
