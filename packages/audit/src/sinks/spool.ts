import { closeSync, constants, lstatSync, openSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { codeOf, ConfigError } from '@countersign/common';
import { AppendFile } from '../disk/append-file.js';
import { AuditError } from '../record/audit-error.js';
import { openForAppend } from '../log/log-files.js';
import { createBeside } from '../disk/whole-file.js';

const { O_NOFOLLOW, O_RDONLY } = constants;
/** What a file counts at least where many small ones may lie: a block of the disk. */
const blockBytes = 4096;

/** Lines that will be sent together, in a file of their own. */
export interface SpooledBatch {
  readonly path: string;
  readonly bytes: number;
}

interface OpenBatch {
  readonly path: string;
  readonly file: AppendFile;
  lines: number;
}

/**
 * Lines on disk that wait to be sent, bounded, oldest first. Each batch is a file that is removed once it was received:
 * after a crash a batch may be sent twice, never not at all.
 */
export class Spool {
  readonly #directory: string;
  readonly #maxBytes: number;
  readonly #batchLines: number;
  readonly #sealed: SpooledBatch[];
  #open: OpenBatch | undefined;
  #sealedBytes: number;
  #next: number;

  constructor(directory: string, maxBytes: number, batchLines: number) {
    this.#directory = directory;
    this.#maxBytes = maxBytes;
    this.#batchLines = batchLines;
    const names = readdirSync(directory);
    const waiting = names.filter((name) => /^spool-\d{12}\.jsonl$/.test(name)).toSorted();
    this.#sealed = waiting.map((name) => waitingBatch(join(directory, name)));
    this.#sealedBytes = sumOf(this.#sealed);
    const numbers = names.map((name) => Number(/^(?:spool|rejected)-(\d{12})\b/.exec(name)?.[1] ?? 0));
    this.#next = numbers.reduce((most, number) => Math.max(most, number), 0) + 1;
  }

  /** Makes lines durable, no more than fit into a batch; one call at a time. A batch that is full is ready to be sent. */
  async append(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    if (this.#sealedBytes + (this.#open?.file.size ?? 0) + bytes.length > this.#maxBytes) {
      throw new AuditError('overloaded', `${this.#maxBytes} bytes of audit records wait to be sent already.`);
    }
    if ((this.#open?.lines ?? 0) + lines.length > this.#batchLines) this.seal();
    const open = (this.#open ??= this.#begin());
    try {
      await open.file.append(bytes);
    } catch (error) {
      // Another file may fare better; what of this one is on disk is sent.
      this.seal();
      throw error;
    }
    open.lines += lines.length;
    if (open.lines >= this.#batchLines) this.seal();
  }

  /** Whether lines wait that are not ready yet. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** What was appended so far is ready to be sent. */
  seal(): void {
    if (this.#open === undefined) return;
    const { path, file } = this.#open;
    this.#open = undefined;
    const { size: bytes } = file;
    file.close();
    this.#sealed.push({ path, bytes });
    this.#sealedBytes += bytes;
  }

  get oldest(): SpooledBatch | undefined {
    return this.#sealed[0];
  }

  remove(batch: SpooledBatch): void {
    rmSync(batch.path, { force: true });
    this.#sealed.splice(this.#sealed.indexOf(batch), 1);
    this.#sealedBytes -= batch.bytes;
  }

  /**
   * Keeps the lines of a batch that will never be received, in a file of their own, which nobody sends and nobody removes.
   *
   * @returns its path.
   * @throws AuditError if as many bytes lie aside as may wait.
   */
  putAside({ path }: SpooledBatch, lines: readonly string[]): string {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    if (this.#asideBytes() + Math.max(blockBytes, bytes.length) > this.#maxBytes) {
      throw new AuditError(
        'overloaded',
        `there is no room for more; move the rejected-… files in ${this.#directory} away`,
      );
    }
    return createBeside(join(this.#directory, basename(path).replace('spool-', 'rejected-')), bytes);
  }

  /** Somebody may have removed some of them. */
  #asideBytes(): number {
    const names = readdirSync(this.#directory).filter((name) => name.startsWith('rejected-'));
    const sizes = names.map((name) => lstatSync(join(this.#directory, name), { throwIfNoEntry: false })?.size ?? 0);
    return sizes.reduce((sum, size) => sum + Math.max(blockBytes, size), 0);
  }

  #begin(): OpenBatch {
    const path = join(this.#directory, `spool-${String(this.#next).padStart(12, '0')}.jsonl`);
    this.#next += 1;
    return { path, file: new AppendFile(path, openForAppend(path, true)), lines: 0 };
  }
}

/**
 * The lines of a batch, or undefined if somebody has removed it. Whatever a crash has left behind its last newline was
 * never acknowledged.
 */
export function readBatch({ path }: SpooledBatch): readonly string[] | undefined {
  let descriptor: number;
  try {
    // Never through a symbolic link: any file could be sent with it.
    descriptor = openSync(path, O_RDONLY | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return readFileSync(descriptor, 'utf8').split('\n').slice(0, -1);
  } finally {
    closeSync(descriptor);
  }
}

function waitingBatch(path: string): SpooledBatch {
  const found = lstatSync(path);
  if (found.isFile()) return { path, bytes: found.size };
  throw new ConfigError(
    `auditCloudEvents: '${path}' is not a regular file. Remove it: what waits to be sent is not read through a link.`,
  );
}

function sumOf(batches: readonly SpooledBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes, 0);
}
