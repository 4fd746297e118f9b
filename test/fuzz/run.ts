import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { type FuzzCase, makeCase } from './cases.js';
import { type Exchange, FuzzConnection } from './connection.js';
import { type Framing, framingOf } from './framing.js';
import type { HostReport } from './host.js';
import { judge } from './oracle.js';
import { Tally } from './tally.js';

export interface FuzzOptions {
  readonly host: string;
  readonly seed: number;
  readonly first: number;
  readonly cases: number;
  /** Concurrent connections. */
  readonly connections: number;
}

/** Timeout of a complete request: a server that takes longer hangs. */
const HANG_MS = 20_000;
/** Timeout of bytes that may be a complete request. */
const DOUBT_MS = 250;
/** Timeout of an incomplete request, which may be refused early. */
const INCOMPLETE_MS = 40;
const MAX_RSS_BYTES = 600 * 2 ** 20;

/** Fuzzes one host from start to end. */
export async function fuzz(options: FuzzOptions): Promise<Tally> {
  const child = fork(fileURLToPath(new URL('host.js', import.meta.url)), [options.host], {
    execArgv: ['--unhandled-rejections=strict', '--enable-source-maps'],
  });
  const tally = new Tally();
  try {
    const died = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the server ended with ${code}`)));
    died.catch((error: Error) => tally.fault('server', error.message));
    const [{ port }] = (await Promise.race([once(child, 'message'), died])) as [{ port: number }];
    await sendAll(options, port, tally);
    const report = await settledReport(child, tally);
    tally.compare(report);
    if (report.rssBytes > MAX_RSS_BYTES) tally.fault('memory', `${Math.round(report.rssBytes / 2 ** 20)} MiB`);
  } finally {
    child.kill();
  }
  return tally;
}

async function sendAll({ seed, first, cases, connections }: FuzzOptions, port: number, tally: Tally): Promise<void> {
  let next = first;
  const end = first + cases;
  const work = async () => {
    const connection = new FuzzConnection(port);
    while (next < end && !tally.hopeless) {
      const made = makeCase(seed, next++, Date.now() / 1000);
      const framing = framingOf(made.bytes);
      tally.sent();
      judgeCase(made, framing, await sendCase(connection, made.bytes, framing), tally);
    }
    connection.close();
  };
  await Promise.all(Array.from({ length: connections }, work));
}

async function sendCase(connection: FuzzConnection, bytes: Buffer, framing: Framing): Promise<Exchange> {
  const { whole, rest, head } = framing;
  const certain = rest === 'nothing' && !head;
  const patience = whole > 0 && certain ? HANG_MS : rest === 'incomplete' ? INCOMPLETE_MS : DOUBT_MS;
  const exchange = await connection.exchange(bytes, certain ? whole : 1, patience);
  // Both sides may disagree where the rest begins.
  if (!certain) connection.close();
  return exchange;
}

function judgeCase(made: FuzzCase, { whole, rest, head }: Framing, { answers, end }: Exchange, tally: Tally): void {
  let open = made.originals;
  for (const answer of answers) {
    const verdict = judge(answer, open, head);
    if (verdict.kind === 'accepted') open = open.filter((original) => original !== verdict.original);
    tally.answered(made, verdict);
  }
  const due = rest === 'nothing' && !head ? whole : 0;
  if (answers.length < due && end === 'silent') tally.problem(made, 'no answer');
  // A server may close after a refusal and leave what follows unanswered.
  if (answers.length === 0 && due > 0 && end === 'closed') tally.problem(made, 'closed without an answer');
  // After a 400 of its own Node reads no further.
  const isWhole = rest === 'nothing' ? answers.length >= due && due > 0 : /^$/.test(answers.at(-1)?.body ?? 'x');
  if (!isWhole) tally.unanswered();
  if (made.mutations.length === 0 && open.length > 0) tally.problem(made, 'refused what nobody changed');
}

/** Resolves to the first of two equal reports in a row: then every aborted request has ended. */
async function settledReport(child: ChildProcess, tally: Tally): Promise<HostReport> {
  let last = '';
  for (;;) {
    if (child.exitCode !== null || child.signalCode !== null) return tally.noReport();
    child.send('report');
    const [report] = (await once(child, 'message')) as [HostReport];
    const counted = JSON.stringify([report.handled, report.records]);
    if (counted === last) return report;
    last = counted;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}
