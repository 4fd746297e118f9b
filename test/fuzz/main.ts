import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { applications } from './applications.js';
import { makeCase } from './cases.js';
import { fuzz } from './run.js';

// Mutational fuzzing of the request path: pnpm fuzz --cases 30000 [--seed 7] [--host express5] [--case 123]
// `--case` sends one case alone, and prints its bytes. The exit code is 1 if anything was wrong.

const names = Object.keys(applications);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      cases: { type: 'string', default: '3000' },
      seed: { type: 'string' },
      host: { type: 'string', multiple: true, default: names },
      case: { type: 'string' },
      connections: { type: 'string', default: '32' },
    },
  });
  const seed = values.seed === undefined ? randomInt(1e9) : integerOf('seed', values.seed);
  const only = values.case === undefined ? undefined : integerOf('case', values.case);
  const range = only === undefined ? { first: 0, cases: integerOf('cases', values.cases) } : { first: only, cases: 1 };
  const unknown = values.host.find((host) => !names.includes(host));
  if (unknown !== undefined) throw new Error(`--host is one of ${names.join(', ')}, not ${unknown}`);
  if (only !== undefined) printCase(seed, only);
  for (const host of values.host) {
    const begun = performance.now();
    const tally = await fuzz({ host, seed, ...range, connections: integerOf('connections', values.connections) });
    const seconds = (performance.now() - begun) / 1000;
    console.log(`== ${host}, seed ${seed}, ${Math.round(range.cases / seconds)} cases/s\n${tally.toString()}`);
    if (tally.failed) process.exitCode = 1;
  }
}

function printCase(seed: number, index: number): void {
  const { mutations, originals, bytes } = makeCase(seed, index, Date.now() / 1000);
  const kinds = originals.map(({ kind }) => kind).join(' + ');
  console.log(
    `case ${index} (${kinds}), mutations: ${mutations.join(', ')}\n${JSON.stringify(bytes.toString('latin1')).replaceAll(String.raw`\r\n`, '\n')}`,
  );
}

function integerOf(name: string, text: string): number {
  if (!/^\d{1,15}$/.test(text)) throw new Error(`--${name} must be a whole number, not ${text}`);
  return Number(text);
}

await main();
