// How long an application takes from the start of its process until it listens, bare and guarded, in turn.
// node test/bench/startup.mjs [--rounds N] [--json FILE]
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { toText } from './host/json.mjs';
import { machine } from './host/machine.mjs';
import { bestStart } from './report/startup.mjs';
import { startRounds } from './startup/measure.mjs';

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '15' }, json: { type: 'string' } } });
const result = { machine: machine(), rounds: await startRounds(Number(values.rounds)) };
console.table(bestStart(result));
if (values.json !== undefined) writeFileSync(values.json, toText(result, 'rounds'));
