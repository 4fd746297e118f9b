import { ConfigError } from '@countersign/common';
import { randomUUID } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import { type FileHandle, open, rm, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Share } from '../../model/request-body.js';
import { Pages, withoutFirst } from './pages.js';

/** Most bytes that wait to be written, before the sender is paused. */
const queueBytes = 512 * 1024;
/** Least bytes of a write: each write crosses the thread pool, and one write per chunk took twice the processor time. */
export const largeBatch: number = 256 * 1024;
/** The same where memory is short. */
export const smallBatch: number = 16 * 1024;

/** Of the four threads of Node's pool, which verify signatures too: a slow disk must not take them all. */
const mostAtOnce = 2;
let atOnce = 0;
/** Who waits, by sender: many files of one sender must not delay those of others. */
const inLine = new Map<string, (() => void)[]>();

/** Uses the disk when it is the sender's turn, for all spools of the process. */
async function inTurn<Result>(sender: string, use: () => Promise<Result>): Promise<Result> {
  if (atOnce < mostAtOnce) atOnce += 1;
  else await new Promise<void>((resolve) => waitInLine(sender, resolve));
  try {
    return await use();
  } finally {
    const next = nextInLine();
    if (next === undefined) atOnce -= 1;
    else next();
  }
}

function waitInLine(sender: string, resolve: () => void): void {
  const own = inLine.get(sender);
  if (own === undefined) inLine.set(sender, [resolve]);
  else own.push(resolve);
}

function nextInLine(): (() => void) | undefined {
  const [first] = inLine;
  if (first === undefined) return undefined;
  const [sender, waiting] = first;
  const next = waiting.shift();
  // Behind all other senders.
  inLine.delete(sender);
  if (waiting.length > 0) inLine.set(sender, waiting);
  return next;
}

/** The sender of a body, and what it may take of memory, disk and files. */
export interface SpoolSender {
  readonly name: string;
  readonly memory: Share;
  readonly disk: Share;
  readonly files: Share;
}

interface SpoolEvents {
  /** The queue has room again. */
  readonly room: () => void;
  /** The file cannot be created or written, or its sender has no room left for it. */
  readonly failed: (error: unknown) => void;
}

/** Bytes in a temporary file without a name, so that nothing is left behind when the process ends. */
export class Spool {
  readonly #directory: string;
  readonly #events: SpoolEvents;
  readonly #sender: SpoolSender;
  readonly #batchBytes: number;
  readonly #queue = new Pages();
  /** Bytes of the queue, and of the write under way, in the sender's share of the memory. */
  #taken = 0;
  /** Bytes of the sender's share of the disk. */
  #onDisk = 0;
  /** Files of its share: one from the first byte on, because bytes wait for a file that is not made yet. */
  #files = 0;
  /** Whether the sender was told to wait. */
  #waits = false;
  #file: NamelessFile | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(directory: string, events: SpoolEvents, sender: SpoolSender, batchBytes: number = largeBatch) {
    this.#directory = directory;
    this.#events = events;
    this.#sender = sender;
    this.#batchBytes = batchBytes;
  }

  /** Returns false when the sender must wait for `room`. */
  append(bytes: Buffer): boolean {
    if (this.#closed) return false;
    const lacking = this.#takeRoom(bytes.length);
    if (lacking !== undefined) {
      this.close();
      this.#events.failed(`the held bodies of this sender take all the ${lacking} that it may have`);
      return false;
    }
    this.#queue.adopt(bytes);
    const hasMemory = this.#sender.memory.take(bytes.length);
    if (hasMemory) this.#taken += bytes.length;
    // Of one reading of the socket, more chunks come although the sender was told to wait.
    this.#waits ||= this.#queue.length >= (hasMemory ? queueBytes : smallBatch);
    if (this.#queue.length >= this.#leastBytes(this.#batchBytes)) this.#writing ??= this.#writeQueue(this.#batchBytes);
    return !this.#waits;
  }

  /** Resolves when all bytes are in the file, or the spool has failed. */
  async written(): Promise<void> {
    await this.#writing;
    if (this.#queue.length === 0) return;
    this.#writing ??= this.#writeQueue(1);
    await this.#writing;
  }

  /** Fills buffers from a position on, and says with how many bytes. Rejects when the file is closed or cannot be read. */
  async read(position: number, into: readonly Buffer[]): Promise<number> {
    if (this.#file === undefined || this.#closed) throw new Error('nothing is kept any more');
    const { handle } = this.#file;
    const { bytesRead } = await inTurn(this.#sender.name, () => handle.readv(into, position));
    return bytesRead;
  }

  /** Releases the disk space. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    this.#give(this.#taken);
    if (this.#writing === undefined) void this.#dispose();
  }

  /** Returns what the sender has no room for. */
  #takeRoom(bytes: number): string | undefined {
    if (this.#files === 0) {
      if (!this.#sender.files.take(1)) return 'files';
      this.#files = 1;
    }
    if (!this.#sender.disk.take(bytes)) return 'disk space';
    this.#onDisk += bytes;
    return undefined;
  }

  /** A sender that waits is told of room only by a write. */
  #leastBytes(batchBytes: number): number {
    return this.#waits ? 1 : batchBytes;
  }

  #give(bytes: number): void {
    this.#taken -= bytes;
    this.#sender.memory.give(bytes);
  }

  /** Writes while at least `leastBytes` are queued. */
  async #writeQueue(leastBytes: number): Promise<void> {
    try {
      // Waits even if the file is open, so that nobody told of room finds no write under way and begins another.
      this.#file = await (this.#file ?? inTurn(this.#sender.name, () => openNameless(this.#directory)));
      const { handle } = this.#file;
      while (this.#queue.length >= this.#leastBytes(leastBytes)) {
        const [pages, taken] = [this.#queue.take(), this.#taken];
        this.#waits = false;
        this.#events.room();
        await inTurn(this.#sender.name, () => writeAll(handle, pages));
        // Closed meanwhile, it has given everything back.
        if (!this.#closed) this.#give(taken);
      }
    } catch (error) {
      if (!this.#closed) this.#give(this.#taken);
      this.#closed = true;
      this.#queue.clear();
      this.#events.failed(error);
    }
    this.#writing = undefined;
    if (this.#closed) await this.#dispose();
  }

  async #dispose(): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    // A failed close leaves nothing to do.
    await file?.handle.close().catch(() => {});
    if (file?.name !== undefined) await rm(file.name, { force: true }).catch(() => {});
    this.#sender.disk.give(this.#onDisk);
    this.#onDisk = 0;
    this.#sender.files.give(this.#files);
    this.#files = 0;
  }
}

interface NamelessFile {
  readonly handle: FileHandle;
  /** Set on systems that cannot unlink an open file. */
  readonly name?: string;
}

async function openNameless(directory: string): Promise<NamelessFile> {
  const name = join(directory, `countersign-${randomUUID()}`);
  const handle = await open(name, 'wx+', 0o600);
  try {
    await unlink(name);
    return { handle };
  } catch {
    return { handle, name };
  }
}

async function writeAll(handle: FileHandle, pages: readonly Buffer[]): Promise<void> {
  for (let rest = pages; rest.length > 0; ) {
    const { bytesWritten } = await handle.writev(rest);
    if (bytesWritten === 0) throw new Error('nothing more can be written');
    // A nearly full disk accepts only a part.
    rest = withoutFirst(rest, bytesWritten);
  }
}

/**
 * Where bodies are spooled. Checked at the start, because nothing needs the folder before the first large body.
 *
 * @throws ConfigError if files cannot be made there.
 */
export function readSpoolDirectory(
  given: string | undefined,
  { maxBodyBytes }: { readonly maxBodyBytes?: number },
): string {
  const directory = given ?? tmpdir();
  // A guard that accepts no body needs no folder.
  if ((given === undefined && maxBodyBytes === 0) || isWritable(directory)) return resolve(directory);
  throw new ConfigError(
    given === undefined
      ? `createGuard: files cannot be made in the system's temporary directory, ${directory}, where large bodies are held. Make it writable, or name another folder as 'spoolDirectory'.`
      : `createGuard: 'spoolDirectory' must be a directory that can be written: ${directory}.`,
  );
}

function isWritable(directory: string): boolean {
  try {
    accessSync(directory, constants.W_OK | constants.X_OK);
    return statSync(directory).isDirectory();
  } catch {
    return false;
  }
}
