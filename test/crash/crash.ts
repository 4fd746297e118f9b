import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { splitCheckpoints, verifyLog } from '@countersign/audit-verifier';
import { auditRecords } from '../support/audit-log.js';
import { Connection } from '../support/connection.js';
import { serialized, signedRequest } from '../support/signed-request.js';
import { reviewer } from '../support/world.js';

export interface CrashOptions {
  readonly directory: string;
  readonly durability: 'sync' | 'group';
  readonly kills: number;
  /** Verifies the log after each so many kills; its cost grows with the log. */
  readonly verifyEvery: number;
}

export interface CrashReport {
  /** Actions that handlers performed. */
  readonly performed: number;
  /** Performed actions without a record. */
  readonly unrecorded: readonly string[];
  /** Actions that were reported to clients and not performed. */
  readonly invented: readonly string[];
  /** Problems of the log, with the number of the kill. */
  readonly findings: readonly string[];
  readonly records: number;
  readonly segments: number;
  readonly checkpoints: number;
  /** Number of crashes that left a torn log. */
  readonly recoveries: number;
}

interface Settings {
  readonly folder: string;
  readonly marks: string;
  readonly witness: string;
  readonly durability: 'sync' | 'group';
  readonly publicKey: string;
}

/** What a server is doing when it is killed; most are killed under load. */
const moments = ['load', 'start', 'load', 'close'] as const;

const server = fileURLToPath(new URL('server.mjs', import.meta.url));
const writers = 8;

/** Kills a guarded server repeatedly on one log, and compares the performed actions with the records. */
export async function crash({ directory, durability, kills, verifyEvery }: CrashOptions): Promise<CrashReport> {
  const [folder = '', marks = '', witness = ''] = ['audit', 'marks', 'witness'].map((name) => join(directory, name));
  const settings = { folder, marks, witness, durability, publicKey: reviewer.publicBase64 };
  const told: string[] = [];
  const findings: string[] = [];
  let recoveries = 0;
  for (let kill = 1; kill <= kills; kill++) {
    told.push(...(await killOnce(settings, `k${kill}`, moments[(kill - 1) % moments.length] ?? 'load')));
    if (kill % verifyEvery !== 0 && kill !== kills) continue;
    const key = readFileSync(join(folder, 'checkpoint.vkey'), 'utf8');
    const report = await verifyLog(folder, {
      key,
      checkpoints: existsSync(witness) ? [readFileSync(witness, 'utf8')] : [],
    });
    findings.push(...report.findings.map(({ message }) => `after kill ${kill}: ${message}`));
    recoveries = report.remarks.filter((remark) => remark.includes('put aside')).length;
  }
  const performed = existsSync(marks) ? readFileSync(marks, 'utf8').split('\n').slice(0, -1) : [];
  const records = auditRecords(folder);
  const decided = new Set(
    records
      .filter(({ phase, decision }) => phase === 'decision' && decision === 'allow')
      .map(({ resource }) => resource?.id),
  );
  const done = new Set(performed);
  return {
    performed: performed.length,
    unrecorded: performed.filter((id) => !decided.has(id)),
    invented: told.filter((id) => !done.has(id)),
    findings,
    records: records.length,
    segments: readdirSync(folder).filter((name) => name.endsWith('.jsonl')).length,
    checkpoints: splitCheckpoints(readFileSync(join(folder, 'checkpoints.txt'), 'utf8')).length,
    recoveries,
  };
}

/** Starts the server, loads it, kills it at a random moment, and returns its answers. */
async function killOnce(settings: Settings, name: string, moment: (typeof moments)[number]): Promise<string[]> {
  const child = spawn(process.execPath, [server, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const nextLine = async (): Promise<string> => {
    const { done, value } = await lines.next();
    if (done === true) throw new Error('the server did not start');
    return value;
  };
  await nextLine();
  const answered: string[] = [];
  let load: Promise<unknown> = Promise.resolve();
  if (moment !== 'start') {
    const port = await nextLine();
    load = Promise.all(
      Array.from({ length: writers }, (_, writer) => writeOn(port, `${name}w${writer}`, answered, moment === 'close')),
    );
    // Count requests instead of time, so that a slow machine is killed under load too.
    const enough = 1 + Math.random() * 100;
    const giveUp = Date.now() + 10_000;
    while (answered.length < enough && Date.now() < giveUp) await setTimeout(1);
  }
  if (moment === 'close') child.kill('SIGTERM');
  // Both take some milliseconds, more on a slow disk.
  if (moment !== 'load') await setTimeout(Math.random() * 30);
  child.kill('SIGKILL');
  await once(child, 'close');
  await load;
  return answered;
}

/** Sends one request after the other until the server is killed. */
async function writeOn(port: string, name: string, answered: string[], mayClose: boolean): Promise<void> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(`http://127.0.0.1:${port}`);
    for (let count = 0; ; count++) {
      const target = `/${name}n${count}`;
      connection.write(serialized(signedRequest({ key: reviewer, method: 'DELETE', target, host: '127.0.0.1' })));
      const { status } = await connection.read();
      if (mayClose && status === 503) return;
      if (status !== 204) throw new Error(`${target} was answered with ${status}`);
      answered.push(target.slice(1));
    }
  } catch (error) {
    if (error instanceof Error && error.message.includes('was answered with')) throw error;
  } finally {
    connection?.destroy();
  }
}
