import { closeSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, statSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { codeOf } from '@countersign/common';
import { AuditError, type AuditErrorCode } from '../record/audit-error.js';
import { readBytes } from './read-bytes.js';

/** The system calls of a log; a test makes them fail. */
export interface FileOperations {
  write(descriptor: number, bytes: Uint8Array): number;
  sync(descriptor: number): Promise<void>;
  /** Writes at a position in the file, not at its end. */
  rewrite(descriptor: number, bytes: Uint8Array, position: number): number;
}

export const fileOperations: FileOperations = {
  // Synchronous: the page cache takes microseconds, and signature checks need the thread pool.
  write: (descriptor, bytes) => writeSync(descriptor, bytes),
  sync: promisify(fdatasync),
  rewrite: (descriptor, bytes, position) => writeSync(descriptor, bytes, 0, bytes.length, position),
};

/**
 * Appends to an open file, one append at a time. An append that resolves is durable; one that rejects leaves no bytes.
 * After a failed sync, or once another process touched the file, every append is refused: the kernel may have dropped
 * the pages that it could not sync, and reports that only once.
 */
export class AppendFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #operations: FileOperations;
  #size: number;
  #broken: AuditError | undefined;

  /** `size`: the bytes that the caller has read. If the file is longer by now, another process has written to it. */
  constructor(
    path: string,
    descriptor: number,
    operations: FileOperations = fileOperations,
    size: number = fstatSync(descriptor).size,
  ) {
    this.#path = path;
    this.#descriptor = descriptor;
    this.#operations = operations;
    this.#size = size;
  }

  /** Bytes of complete appends. */
  get size(): number {
    return this.#size;
  }

  /** Resolves when the bytes are durable; if `durable` is false, when the operating system has them. */
  async append(bytes: Uint8Array, durable = true): Promise<void> {
    this.#writeAll(bytes);
    if (durable) await this.#sync();
    this.#commit(bytes);
  }

  /** Synchronous append, for the few records that the log writes about itself. Blocks until the disk has them. */
  appendNow(bytes: Uint8Array): void {
    this.#writeAll(bytes);
    try {
      fdatasyncSync(this.#descriptor);
    } catch (cause) {
      this.#fail('sync_failed', `${this.#path} cannot be made durable (${codeOf(cause)}).`, cause);
    }
    this.#commit(bytes);
  }

  /** @throws AuditError, from then on, if another process touched the file. Do not call it during an append. */
  checkUntouched(): void {
    this.#checkUntouched(this.#size);
  }

  /** Syncs all appends so far. */
  async makeDurable(): Promise<void> {
    this.checkUntouched();
    await this.#sync();
  }

  close(): void {
    this.#broken ??= new AuditError('closed', `${this.#path} is closed.`);
    closeSync(this.#descriptor);
  }

  #writeAll(bytes: Uint8Array): void {
    // Before the write, too: another writer must find no line of ours behind its own.
    this.checkUntouched();
    let written = 0;
    try {
      // A full disk causes a short write first.
      while (written < bytes.length) written += this.#writeOnce(bytes.subarray(written));
    } catch (cause) {
      this.#rollBack(bytes.subarray(0, written), cause);
      throw new AuditError('write_failed', `${this.#path} cannot be written (${codeOf(cause)}).`, cause);
    }
  }

  #writeOnce(bytes: Uint8Array): number {
    const written = this.#operations.write(this.#descriptor, bytes);
    if (written > 0) return written;
    throw new Error('the system takes no bytes');
  }

  #rollBack(written: Uint8Array, cause: unknown): void {
    try {
      this.#commit(written);
      this.#size -= written.length;
      ftruncateSync(this.#descriptor, this.#size);
      fdatasyncSync(this.#descriptor);
    } catch (error) {
      this.#fail('write_failed', `${this.#path} holds half a record after a failed write (${codeOf(cause)}).`, error);
    }
  }

  /** Counts the bytes as part of the file. If another process touched the file meanwhile, they are removed instead. */
  #commit(written: Uint8Array): void {
    try {
      this.#checkUntouched(this.#size + written.length);
    } catch (error) {
      this.#truncateIfLast(written);
      throw error;
    }
    this.#size += written.length;
  }

  #truncateIfLast(written: Uint8Array): void {
    const { size } = fstatSync(this.#descriptor);
    const start = size - written.length;
    if (start < this.#size || !readBytes(this.#descriptor, start, size).equals(written)) return;
    ftruncateSync(this.#descriptor, start);
    fdatasyncSync(this.#descriptor);
  }

  async #sync(): Promise<void> {
    try {
      await this.#operations.sync(this.#descriptor);
    } catch (cause) {
      this.#fail('sync_failed', `${this.#path} cannot be made durable (${codeOf(cause)}).`, cause);
    }
  }

  /** Deletion, a rename, truncation and a second writer cause no error by themselves. */
  #checkUntouched(expectedSize: number): void {
    if (this.#broken !== undefined) throw this.#broken;
    const open = fstatSync(this.#descriptor);
    const named = statSync(this.#path, { throwIfNoEntry: false });
    if (named === undefined || named.ino !== open.ino || named.dev !== open.dev) {
      this.#fail('file_replaced', `${this.#path} was moved, removed or replaced while it was written.`);
    }
    if (open.size !== expectedSize) {
      this.#fail('file_replaced', `${this.#path} was changed by somebody else while it was written.`);
    }
  }

  #fail(code: AuditErrorCode, what: string, cause?: unknown): never {
    this.#broken ??= new AuditError(code, `${what} Nothing more is written to it until a restart.`, cause);
    throw this.#broken;
  }
}
