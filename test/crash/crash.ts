import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { verifyLog } from '@countersign/audit-verifier';
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
  /** What handlers did. */
  readonly performed: number;
  /** Of that, what no record tells of. */
  readonly unrecorded: readonly string[];
  /** What clients were told was done, and no handler did. */
  readonly invented: readonly string[];
  /** What was wrong with the log, and after which kill. */
  readonly findings: readonly string[];
  /** How often a crash had torn the log. */
  readonly recoveries: number;
  readonly records: number;
}

const server = fileURLToPath(new URL('server.mjs', import.meta.url));
const writers = 8;

/** Kills a guarded server under load again and again, on one log, and holds what was done against what is recorded. */
export async function crash({ directory, durability, kills, verifyEvery }: CrashOptions): Promise<CrashReport> {
  const folder = join(directory, 'audit');
  const marks = join(directory, 'marks');
  const told: string[] = [];
  const findings: string[] = [];
  let recoveries = 0;
  for (let kill = 1; kill <= kills; kill++) {
    told.push(...(await killOnce({ folder, marks, durability, publicKey: reviewer.publicBase64 }, `k${kill}`)));
    if (kill % verifyEvery !== 0 && kill !== kills) continue;
    const key = readFileSync(join(folder, 'checkpoint.vkey'), 'utf8');
    const report = await verifyLog(folder, { key });
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
    recoveries,
    records: records.length,
  };
}

/** Starts the server, loads it, kills it at a random moment; returns what it had answered. */
async function killOnce(settings: object, name: string): Promise<string[]> {
  const child = spawn(process.execPath, [server, JSON.stringify(settings)], { stdio: ['ignore', 'pipe', 'inherit'] });
  const port = await firstLine(child);
  const answered: string[] = [];
  const load = Array.from({ length: writers }, (_, writer) => writeOn(port, `${name}w${writer}`, answered));
  // By count and not by time: a slow machine is to be killed under load, too.
  const enough = 1 + Math.random() * 100;
  const giveUp = Date.now() + 10_000;
  while (answered.length < enough && Date.now() < giveUp) await setTimeout(1);
  child.kill('SIGKILL');
  await once(child, 'close');
  await Promise.all(load);
  return answered;
}

/** Sends one request after the other until the server is gone. */
async function writeOn(port: string, name: string, answered: string[]): Promise<void> {
  let connection: Connection | undefined;
  try {
    connection = await Connection.open(`http://127.0.0.1:${port}`);
    for (let count = 0; ; count++) {
      const target = `/${name}n${count}`;
      connection.write(serialized(signedRequest({ key: reviewer, method: 'DELETE', target, host: '127.0.0.1' })));
      const { status } = await connection.read();
      if (status !== 204) throw new Error(`${target} was answered with ${status}`);
      answered.push(target.slice(1));
    }
  } catch (error) {
    if (error instanceof Error && error.message.includes('was answered with')) throw error;
  } finally {
    connection?.destroy();
  }
}

async function firstLine(child: ChildProcessByStdio<null, Readable, null>): Promise<string> {
  let output = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    output += String(chunk);
    if (output.includes('\n')) break;
  }
  if (output === '') throw new Error('the server did not start');
  return output.trim();
}
