// How long the first call of a workload takes, from nothing but its SPIFFE socket to the answer of a guarded API, with a
// real SPIRE. Authority, API and workload are processes of their own.
// node test/bench/spiffe.mjs [--rounds N] [--spire FOLDER]
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startSpire } from '../../examples/spiffe/dist/spire.js';

const built = join(import.meta.dirname, '../../node_modules/.cache/spire-1.13.3');
const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, spire: { type: 'string', default: built } },
});
const id = 'spiffe://acme/worker';

const spire = await startSpire(values.spire, [id]);
if (spire === undefined) {
  console.error('SPIRE is missing: nothing is measured. `node scripts/build-spire.mjs` builds it.');
  process.exit(1);
}
try {
  const rounds = [];
  for (let round = 0; round < Number(values.rounds); round += 1) rounds.push(await measure());
  console.log(`${cpus().length} cores, load ${loadavg()[0].toFixed(2)}, ${rounds.length} rounds, milliseconds:`);
  console.table(
    Object.fromEntries(
      Object.keys(rounds[0]).map((name) => {
        const times = rounds.map((round) => round[name]).toSorted((a, b) => a - b);
        const at = (part) => Math.round(times[Math.floor(part * (times.length - 1))]);
        return [name, { best: at(0), median: at(0.5), 'ninth of ten': at(0.9), worst: at(1) }];
      }),
    ),
  );
} finally {
  await spire.stop();
}

/** Authority and API were started, and not called yet. Two workloads come, one after the other. */
async function measure() {
  const authority = await start('authority', { bundle: spire.bundleFile, id });
  const api = await start('api', { issuer: authority.said });
  // An API that was started in the second in which a request was signed cannot know whether it saw it.
  await setTimeout(2000);
  const setup = { socket: spire.socket, issuer: authority.said, api: api.said };
  const first = await start('workload', setup);
  const second = await start('workload', setup);
  for (const { child } of [first, second, api, authority]) {
    child.disconnect();
    await once(child, 'exit');
  }
  return {
    'authority and API were never called': first.said.first,
    'of which createAgent': first.said.create,
    'they have served a workload': second.said.first,
    'of which createAgent there': second.said.create,
    'another agent in the same process': second.said.again,
    'a later call': second.said.later,
    'process start, modules loaded': second.said.loaded,
  };
}

async function start(name, setup) {
  const child = fork(join(import.meta.dirname, `spiffe/${name}.mjs`), [JSON.stringify(setup)], {
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const [said] = await Promise.race([once(child, 'message'), once(child, 'exit')]);
  if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}`);
  return { child, said };
}
