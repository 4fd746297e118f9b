// What the guard costs a request: each host bare and guarded, and what others would build, in one run. CPU time of the
// server counts; requests per second depend on what else the machine does. Rounds are interleaved, so that a busy moment
// falls on all alike. node test/bench/host.mjs [--quick] [--json FILE]; a full run takes about 15 minutes. Linux only.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { toText } from './host/json.mjs';
import { machine } from './host/machine.mjs';
import { plans, serverName } from './host/plan.mjs';
import { runPlan } from './host/run.mjs';
import { best } from './report/statistics.mjs';

const { values } = parseArgs({ options: { quick: { type: 'boolean', default: false }, json: { type: 'string' } } });
const plan = values.quick ? plans.quick : plans.full;
// Beside the code: a folder for temporary files may be in memory, where a sync does nothing.
const folder = mkdtempSync(join(import.meta.dirname, 'host-'));
try {
  const begun = performance.now();
  const print = (text) => console.log(`${((performance.now() - begun) / 1000).toFixed(0)} s: ${text}`);
  const result = { plan, machine: machine(), ...(await runPlan(plan, folder, print)) };
  show(result);
  if (values.json !== undefined) writeFileSync(values.json, toText(result, 'cells'));
} finally {
  rmSync(folder, { recursive: true });
}

function show({ cells, verify, aborts }) {
  console.table(
    cells.map((cell) => ({
      server: serverName(cell),
      connections: cell.connections,
      links: cell.links,
      token: cell.token,
      'main µs': Math.round(best(cell, 'main')),
      'total µs': Math.round(best(cell, 'total')),
      'requests/s': Math.round(best(cell, 'perSecond')),
    })),
  );
  console.log(
    `one raw Ed25519 verification: ${Math.min(...verify).toFixed(0)} µs CPU; aborts of peers: ${aborts.length}`,
  );
}
