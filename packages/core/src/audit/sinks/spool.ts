import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { AppendFile } from '../append-file.js';
import { AuditError } from '../audit-error.js';
import { openForAppend } from '../log-files.js';
import { createWhole, freeName } from '../whole-file.js';

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
    this.#sealed = waiting.map((name) => sizedBatch(join(directory, name)));
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
   * Keeps lines of a batch that will never be received, in a file of their own, which nobody sends and nobody removes.
   *
   * @returns its path, or undefined if there is no room for more of them.
   */
  putAside({ path }: SpooledBatch, lines: readonly string[]): string | undefined {
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(''));
    const others = readdirSync(this.#directory).filter((name) => name.startsWith('rejected-'));
    const used = sumOf(others.map((name) => sizedBatch(join(this.#directory, name))));
    if (used + bytes.length > this.#maxBytes) return undefined;
    const aside = freeName(join(this.#directory, basename(path).replace('spool-', 'rejected-')));
    createWhole(aside, bytes);
    return aside;
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
  if (!existsSync(path)) return undefined;
  return readFileSync(path, 'utf8').split('\n').slice(0, -1);
}

function sizedBatch(path: string): SpooledBatch {
  return { path, bytes: statSync(path).size };
}

function sumOf(batches: readonly SpooledBatch[]): number {
  return batches.reduce((sum, { bytes }) => sum + bytes, 0);
}
