import { closeSync, constants, lstatSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { codeOf, ConfigError } from '@countersign/common';
import { AppendFile } from '../disk/append-file.js';
import { AuditError } from '../record/audit-error.js';
import { openForAppend } from '../disk/log-files.js';
import { createUnderFreeName } from '../disk/atomic-file.js';
import { openRegularFile } from '../disk/regular-file.js';

const { O_NOFOLLOW, O_RDONLY } = constants;
const blockBytes = 4096;
/** Bounds what is read to find a line that the receiver may take. */
const maxSampled = 5;

/** A file of lines that are sent together. */
export interface SpooledBatch {
  readonly path: string;
  /** Its share of the limit. */
  readonly bytes: number;
}

interface OpenBatch {
  readonly path: string;
  readonly file: AppendFile;
  lines: number;
}

/**
 * A bounded queue of lines on disk, oldest first. Each batch is a file, removed once it is received: a crash can cause a
 * batch to be sent twice, but never to be lost.
 */
export class Spool {
  readonly #directory: string;
  readonly #name: string;
  readonly #maxBytes: number;
  readonly #batchLines: number;
  readonly #sealed: SpooledBatch[];
  #open: OpenBatch | undefined;
  #sealedBytes: number;
  #next: number;

  /** `name`: how the names of its files begin; several queues may share a directory. */
  constructor(directory: string, name: 'spool' | 'delayed', maxBytes: number, batchLines: number) {
    this.#directory = directory;
    this.#name = name;
    this.#maxBytes = maxBytes;
    this.#batchLines = batchLines;
    const names = readdirSync(directory);
    const waiting = names.filter((each) => /^\w+-\d{12}\.jsonl$/.test(each) && each.startsWith(`${name}-`)).toSorted();
    this.#sealed = waiting.map((each) => waitingBatch(join(directory, each)));
    this.#sealedBytes = sumOf(this.#sealed);
    const numbers = names.map((each) => Number(/^\w+-(\d{12})\b/.exec(each)?.[1] ?? 0));
    this.#next = numbers.reduce((most, number) => Math.max(most, number), 0) + 1;
  }

  /** Makes lines durable: at most one batch, one call at a time. A full batch is ready to be sent. */
  async append(lines: readonly string[]): Promise<void> {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    if ((this.#open?.lines ?? 0) + lines.length > this.#batchLines) this.seal();
    if (this.#sealedBytes + occupiedBytes((this.#open?.file.size ?? 0) + bytes.length) > this.#maxBytes) {
      throw new AuditError('overloaded', `${this.#maxBytes} bytes of audit records wait to be sent already.`);
    }
    const open = (this.#open ??= this.#start());
    try {
      await open.file.append(bytes);
    } catch (error) {
      // Continue in another file; the lines of this one that are on disk are sent.
      this.seal();
      throw error;
    }
    open.lines += lines.length;
    if (open.lines >= this.#batchLines) this.seal();
  }

  /** Whether a batch is not ready to be sent yet. */
  get isOpen(): boolean {
    return this.#open !== undefined;
  }

  /** Bytes of the disk that waiting batches occupy. */
  get bytes(): number {
    return this.#sealedBytes + (this.#open === undefined ? 0 : occupiedBytes(this.#open.file.size));
  }

  /** Makes the open batch ready to be sent. One without lines is removed: on a full disk, each append would leave one. */
  seal(): void {
    if (this.#open === undefined) return;
    const { path, file, lines } = this.#open;
    this.#open = undefined;
    const bytes = occupiedBytes(file.size);
    file.close();
    if (lines === 0) {
      rmSync(path, { force: true });
      return;
    }
    this.#sealed.push({ path, bytes });
    this.#sealedBytes += bytes;
  }

  get oldest(): SpooledBatch | undefined {
    return this.#sealed[0];
  }

  /** Batches that are ready to be sent, the oldest first. */
  get sealed(): readonly SpooledBatch[] {
    return this.#sealed;
  }

  /** Lines of a few batches: the newest, also the open one, and any others. */
  sampleLines(): readonly string[] {
    const others = Array.from({ length: maxSampled }, () => Math.floor(Math.random() * this.#sealed.length));
    const sealed = [...this.#sealed.slice(-maxSampled), ...others.map((index) => this.#sealed[index])];
    const batches = [...new Set([...sealed, this.#open])].filter((batch) => batch !== undefined);
    return batches.flatMap((batch) => readBatch(batch) ?? []);
  }

  remove(batch: SpooledBatch): void {
    rmSync(batch.path, { force: true });
    this.#sealed.splice(this.#sealed.indexOf(batch), 1);
    this.#sealedBytes -= batch.bytes;
  }

  /**
   * Keeps refused lines of a batch in a file of their own, which is neither sent nor removed.
   *
   * @returns its path.
   * @throws AuditError if the quarantine is full.
   */
  quarantine({ path }: SpooledBatch, lines: readonly string[]): string {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    if (this.#quarantinedBytes() + occupiedBytes(bytes.length) > this.#maxBytes) {
      throw new AuditError(
        'overloaded',
        `there is no room for more; move the rejected-… files in ${this.#directory} away`,
      );
    }
    return createUnderFreeName(join(this.#directory, basename(path).replace(/^\w+/, 'rejected')), bytes);
  }

  /** Read from the disk each time: the operator removes these files. */
  #quarantinedBytes(): number {
    const names = readdirSync(this.#directory).filter((name) => name.startsWith('rejected-'));
    const sizes = names.map((name) => lstatSync(join(this.#directory, name), { throwIfNoEntry: false })?.size ?? 0);
    return sizes.reduce((sum, size) => sum + occupiedBytes(size), 0);
  }

  #start(): OpenBatch {
    const path = join(this.#directory, `${this.#name}-${String(this.#next).padStart(12, '0')}.jsonl`);
    this.#next += 1;
    return { path, file: new AppendFile(path, openForAppend(path, true)), lines: 0 };
  }
}

/**
 * The lines of a batch; undefined if its file was removed. Bytes behind the last newline were torn by a crash, and never
 * acknowledged.
 */
export function readBatch({ path }: Pick<SpooledBatch, 'path'>): readonly string[] | undefined {
  let descriptor: number;
  try {
    // Never through a symbolic link, which could make any file be sent.
    descriptor = openRegularFile(path, O_RDONLY | O_NOFOLLOW);
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
  if (found.isFile()) return { path, bytes: occupiedBytes(found.size) };
  throw new ConfigError(
    `auditCloudEvents: '${path}' is not a regular file. Remove it: what waits to be sent is not read through a link.`,
  );
}

/** A small file occupies at least one block of the disk. */
function occupiedBytes(size: number): number {
  return Math.max(blockBytes, size);
}

function sumOf(batches: readonly SpooledBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes, 0);
}
