import { closeSync, fdatasync, fdatasyncSync, fstatSync, ftruncateSync, statSync, writeSync } from 'node:fs';
import { promisify } from 'node:util';
import { codeOf } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import { readFrom } from '../log/read-from.js';

/** The system calls that can fail under a log; a test makes them fail. */
export interface FileOperations {
  write(descriptor: number, bytes: Uint8Array): number;
  sync(descriptor: number): Promise<void>;
  /** Writes at a place in the file, not at its end. */
  rewrite(descriptor: number, bytes: Uint8Array, position: number): number;
}

export const fileOperations: FileOperations = {
  // Into the page cache: microseconds, and one hop less through the thread pool that signature checks share.
  write: (descriptor, bytes) => writeSync(descriptor, bytes),
  sync: promisify(fdatasync),
  rewrite: (descriptor, bytes, position) => writeSync(descriptor, bytes, 0, bytes.length, position),
};

/**
 * Appends to an open file so that what it said to be durable is, and what it refused is not built upon. One append at
 * a time. Bytes that could not be written whole are taken back. After a failed sync, or once somebody else touched the
 * file, every append is refused for good: the kernel may have dropped what it could not sync, and says so only once.
 */
export class AppendFile {
  readonly #path: string;
  readonly #descriptor: number;
  readonly #operations: FileOperations;
  #size: number;
  #broken: AuditError | undefined;

  /** `size` is how much of the file has been read, if it has: more by now is somebody else's. */
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

  /** Bytes in the file, of whole appends only. */
  get size(): number {
    return this.#size;
  }

  /** Resolves when the bytes are durable; or, with `durable` false, when the system has taken them. */
  async append(bytes: Uint8Array, durable = true): Promise<void> {
    this.#writeWhole(bytes);
    if (durable) await this.#sync();
    this.#count(bytes);
  }

  /** The same at once, for the few records of the log's own; it blocks for as long as the disk takes. */
  appendNow(bytes: Uint8Array): void {
    this.#writeWhole(bytes);
    try {
      fdatasyncSync(this.#descriptor);
    } catch (cause) {
      this.#break('sync_failed', `${this.#path} cannot be made durable (${codeOf(cause)}).`, cause);
    }
    this.#count(bytes);
  }

  /** @throws AuditError, from then on, if somebody else has touched the file. Not while an append is under way. */
  checkUntouched(): void {
    this.#checkUntouched(this.#size);
  }

  /** Makes durable what was appended so far. */
  async makeDurable(): Promise<void> {
    this.checkUntouched();
    await this.#sync();
  }

  close(): void {
    this.#broken ??= new AuditError('closed', `${this.#path} is closed.`);
    closeSync(this.#descriptor);
  }

  #writeWhole(bytes: Uint8Array): void {
    // What is not ours to build upon is not written to: another writer keeps a whole log.
    this.checkUntouched();
    let written = 0;
    try {
      // A full disk shows itself as a short write first.
      while (written < bytes.length) written += this.#writeSome(bytes.subarray(written));
    } catch (cause) {
      this.#takeBack(bytes.subarray(0, written), cause);
      throw new AuditError('write_failed', `${this.#path} cannot be written (${codeOf(cause)}).`, cause);
    }
  }

  #writeSome(bytes: Uint8Array): number {
    const written = this.#operations.write(this.#descriptor, bytes);
    if (written > 0) return written;
    throw new Error('the system takes no bytes');
  }

  #takeBack(written: Uint8Array, cause: unknown): void {
    try {
      this.#count(written);
      this.#size -= written.length;
      ftruncateSync(this.#descriptor, this.#size);
      fdatasyncSync(this.#descriptor);
    } catch (error) {
      this.#break('write_failed', `${this.#path} holds half a record after a failed write (${codeOf(cause)}).`, error);
    }
  }

  /** Counts what was written as part of the file; or takes it back, if somebody else has touched the file meanwhile. */
  #count(written: Uint8Array): void {
    try {
      this.#checkUntouched(this.#size + written.length);
    } catch (error) {
      this.#takeBackIfLast(written);
      throw error;
    }
    this.#size += written.length;
  }

  #takeBackIfLast(written: Uint8Array): void {
    const { size } = fstatSync(this.#descriptor);
    const start = size - written.length;
    if (start < this.#size || !readFrom(this.#descriptor, start, size).equals(written)) return;
    ftruncateSync(this.#descriptor, start);
    fdatasyncSync(this.#descriptor);
  }

  async #sync(): Promise<void> {
    try {
      await this.#operations.sync(this.#descriptor);
    } catch (cause) {
      this.#break('sync_failed', `${this.#path} cannot be made durable (${codeOf(cause)}).`, cause);
    }
  }

  /** Deleting, moving or truncating the file, and a second writer, raise no error by themselves. */
  #checkUntouched(expectedSize: number): void {
    if (this.#broken !== undefined) throw this.#broken;
    const open = fstatSync(this.#descriptor);
    const named = statSync(this.#path, { throwIfNoEntry: false });
    if (named === undefined || named.ino !== open.ino || named.dev !== open.dev) {
      this.#break('file_replaced', `${this.#path} was moved, removed or replaced while it was written.`);
    }
    if (open.size !== expectedSize) {
      this.#break('file_replaced', `${this.#path} was changed by somebody else while it was written.`);
    }
  }

  #break(failure: AuditError['failure'], what: string, cause?: unknown): never {
    this.#broken ??= new AuditError(failure, `${what} Nothing more is written to it until a restart.`, cause);
    throw this.#broken;
  }
}
