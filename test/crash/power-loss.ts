import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isDeepStrictEqual, promisify } from 'node:util';
import { verifyLog } from '@countersign/audit-verifier';
import { auditFile } from '@countersign/core';
import { auditText } from '../support/audit-log.js';
import { type Chance, Disk, type Happening, type Honours, type Image } from './disk.js';

export interface PowerLossOptions {
  readonly directory: string;
  readonly durability: 'sync' | 'group' | 'buffered';
  /** The number of generations of power losses, and of losses in each generation. */
  readonly lives: number;
  readonly lossesPerLife: number;
  readonly chance: Chance;
  readonly honours?: Honours;
}

export interface PowerLossReport {
  readonly losses: number;
  /** Records acknowledged before a loss, over all losses, and those missing from the log. */
  readonly acknowledged: number;
  readonly lost: readonly string[];
  /** Losses after which the log did not start, or an auditor with the witness's checkpoints found a problem. */
  readonly failures: readonly string[];
  /** Number of losses after which torn bytes were quarantined. */
  readonly torn: number;
}

/** Knowledge outside of the disk at the power loss. */
interface Known {
  readonly acknowledged: readonly string[];
  readonly checkpoints: readonly string[];
  /** The verifier key; it does not exist before the first record. */
  readonly key: string | undefined;
}

/** The disk and the outside knowledge at one moment. */
interface Moment {
  readonly image: Image;
  readonly known: Known;
  readonly name: string;
}

const run = promisify(execFile);
const writer = fileURLToPath(new URL('writer.mjs', import.meta.url));
const recordsPerLife = 120;
/** Number of file operations of a start; a third of all losses fall into it. */
const startLength = 40;

/** Writes a log, simulates power losses at many moments, and restarts on a possible disk of each. */
export async function powerLoss(options: PowerLossOptions): Promise<PowerLossReport> {
  const outcomes: Outcome[] = [];
  let last: Moment = { image: new Map(), known: { acknowledged: [], checkpoints: [], key: undefined }, name: 'begin' };
  for (let life = 1; life <= options.lives; life++) {
    const moments = await live(options, life, last);
    const survived: Moment[] = [];
    const torn: Moment[] = [];
    for (const moment of moments) {
      const outcome = await goOn(options, moment);
      outcomes.push(outcome);
      if (outcome.failures.length > 0) continue;
      survived.push(moment);
      if (outcome.torn) torn.push(moment);
    }
    // Prefer torn logs, so that power also fails during a recovery.
    last = anyOf(torn, options.chance) ?? anyOf(survived, options.chance) ?? last;
  }
  const sum = (count: (outcome: Outcome) => number): number => outcomes.reduce((all, one) => all + count(one), 0);
  return {
    losses: outcomes.length,
    acknowledged: sum(({ acknowledged }) => acknowledged),
    lost: outcomes.flatMap(({ lost }) => lost),
    failures: outcomes.flatMap(({ failures }) => failures),
    torn: sum(({ torn }) => Number(torn)),
  };
}

function anyOf<Item>(items: readonly Item[], chance: Chance): Item | undefined {
  return items[Math.floor(chance() * items.length)];
}

/** Continues after one power loss, and returns the states after the next ones. */
async function live(options: PowerLossOptions, life: number, { image, known }: Moment): Promise<Moment[]> {
  const { directory, durability, lossesPerLife, chance, honours } = options;
  const folder = join(directory, `life-${life}`);
  lay(folder, image);
  const settings = { directory: join(folder, 'audit'), durability, run: `life${life}`, records: recordsPerLife };
  await run(process.execPath, [writer, folder, `${folder}.trace`, JSON.stringify(settings)]);
  const trace = readFileSync(`${folder}.trace`, 'utf8').trimEnd().split('\n');
  const key = readFileSync(join(folder, 'audit', 'checkpoint.vkey'), 'utf8');

  const disk = new Disk(image, honours);
  const acknowledged = [...known.acknowledged];
  const checkpoints = [...known.checkpoints];
  const chosen = someTimes(trace.length, lossesPerLife, chance);
  const moments: Moment[] = [];
  for (const [time, line] of trace.entries()) {
    const happening = JSON.parse(line) as Happening;
    disk.happen(happening, time);
    if (happening.op === 'acknowledged') acknowledged.push(happening.id);
    if (happening.op === 'witnessed') checkpoints.push(happening.checkpoint);
    if (!chosen.has(time)) continue;
    const isKnown = acknowledged.length > 0 || checkpoints.length > 0;
    moments.push({
      image: chance() < 0.3 ? disk.least() : disk.afterPowerLoss(chance),
      known: { acknowledged: [...acknowledged], checkpoints: [...checkpoints], key: isKnown ? key : undefined },
      name: `life ${life}, ${time} of ${trace.length}, after ${line.slice(0, 100)}`,
    });
  }
  if (!isDeepStrictEqual(read(folder), disk.whole())) throw new Error(`${folder} holds what recorder.mjs did not see`);
  return moments;
}

function someTimes(length: number, count: number, chance: Chance): Set<number> {
  const within = (end: number): number => Math.floor(chance() * end);
  return new Set(Array.from({ length: count }, (_, index) => within(index % 3 === 0 ? startLength : length)));
}

interface Outcome {
  readonly acknowledged: number;
  readonly lost: readonly string[];
  readonly failures: readonly string[];
  readonly torn: boolean;
}

/** Starts again, writes, and audits. */
async function goOn({ directory, durability }: PowerLossOptions, { image, known, name }: Moment): Promise<Outcome> {
  const folder = join(directory, 'loss', 'audit');
  lay(join(directory, 'loss'), image);
  const failures: string[] = [];
  let torn = false;
  try {
    const sink = auditFile(folder, { durability });
    await sink.write({
      id: 'again',
      time: new Date().toISOString(),
      phase: 'outcome',
      request: { id: 'again', method: 'GET', path: '/' },
    });
    await sink.close?.();
    const key = known.key ?? readFileSync(join(folder, 'checkpoint.vkey'), 'utf8');
    const checkpoints = known.checkpoints.join('\n');
    const report = await verifyLog(folder, { key, ...(checkpoints !== '' && { checkpoints }) });
    failures.push(...report.findings.map(({ message }) => message));
    const untold = asideIn(folder).filter((file) => !auditText(folder).includes(file));
    failures.push(...untold.map((file) => `no record tells of ${file}`));
    failures.push(...vanished(folder, image));
    torn = asideIn(folder).length > [...image.keys()].filter(isAside).length;
  } catch (error) {
    failures.push(String(error));
  }
  const text = existsSync(folder) ? auditText(folder) : '';
  const there = new Set([...text.matchAll(/"id":"([^"]*)"/g)].map(([, id]) => id));
  return {
    acknowledged: known.acknowledged.length,
    lost: known.acknowledged.filter((id) => !there.has(id)).map((id) => `${id} (${name})`),
    failures: failures.map((failure) => `${failure} (${name})`),
    torn,
  };
}

/** Torn bytes must be quarantined: no byte of a segment may disappear. */
function vanished(folder: string, image: Image): string[] {
  const segments = [...image].filter(([path]) => /^audit.audit-\d+\.jsonl$/.test(path));
  return segments
    .filter(([path, before = Buffer.alloc(0)]) => {
      const name = basename(path);
      const now = existsSync(join(folder, name)) ? readFileSync(join(folder, name)) : Buffer.alloc(0);
      const ends = asideIn(folder).filter((file) => file.startsWith(name));
      const torn = [Buffer.alloc(0), ...ends.map((file) => readFileSync(join(folder, file)))];
      return !torn.some((end) => {
        const kept = before.length - end.length;
        return kept >= 0 && before.subarray(kept).equals(end) && isStartOf(before.subarray(0, kept), now);
      });
    })
    .map(([path]) => `what was torn of ${path} is nowhere`);
}

function isStartOf(start: Buffer, whole: Buffer): boolean {
  return whole.subarray(0, start.length).equals(start);
}

/** The quarantined bytes. */
function asideIn(folder: string): string[] {
  return readdirSync(folder).filter(isAside);
}

function isAside(path: string): boolean {
  return /\.jsonl\.torn-.*Z(?:-\d+)?$/.test(path);
}

/** Makes a folder that holds these files and no others. */
function lay(folder: string, image: Image): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const [path, bytes] of image) {
    if (bytes === undefined) mkdirSync(join(folder, path));
    else writeFileSync(join(folder, path), bytes);
  }
}

function read(folder: string): Image {
  const paths = readdirSync(folder, { recursive: true, encoding: 'utf8' }).toSorted();
  return new Map(paths.map((path) => [path, bytesOf(join(folder, path))]));
}

function bytesOf(path: string): Buffer | undefined {
  return statSync(path).isFile() ? readFileSync(path) : undefined;
}
