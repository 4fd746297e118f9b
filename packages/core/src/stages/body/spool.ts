import { randomUUID } from 'node:crypto';
import { type FileHandle, open, rm, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { Pages, withoutFirst } from './pages.js';

/** Waiting to be written; past it the sender has to wait. */
const queueBytes = 512 * 1024;
/** Each write costs a way to the thread pool and back: writing every chunk as it comes took twice the processor time. */
const batchBytes = 256 * 1024;

interface SpoolEvents {
  /** There is room in the queue again. */
  readonly room: () => void;
  /** The file cannot be made or written. */
  readonly failed: (error: unknown) => void;
}

/** Bytes in a temporary file that has no name: whatever becomes of this process, nothing is left behind. */
export class Spool {
  readonly #directory: string;
  readonly #events: SpoolEvents;
  readonly #queue = new Pages();
  #file: NamelessFile | undefined;
  #writing: Promise<void> | undefined;
  #closed = false;

  constructor(directory: string, events: SpoolEvents) {
    this.#directory = directory;
    this.#events = events;
  }

  /** False asks the sender to wait for `room`. */
  append(bytes: Buffer): boolean {
    if (this.#closed) return false;
    this.#queue.adopt(bytes);
    if (this.#queue.length >= batchBytes) this.#writing ??= this.#writeQueue(batchBytes);
    return this.#queue.length < queueBytes;
  }

  /** Resolves once all is in the file, or will never be. */
  async written(): Promise<void> {
    await this.#writing;
    if (this.#queue.length === 0) return;
    this.#writing ??= this.#writeQueue(1);
    await this.#writing;
  }

  /** At most `length` bytes; none at the end. Rejects when the file cannot be read or is closed. */
  async read(position: number, length: number): Promise<Buffer> {
    if (this.#file === undefined || this.#closed) throw new Error('nothing is kept any more');
    // Not from the shared pool, and never used again: the reader may keep it.
    const buffer = Buffer.allocUnsafeSlow(length);
    const { bytesRead } = await this.#file.handle.read(buffer, 0, length, position);
    return buffer.subarray(0, bytesRead);
  }

  /** Gives the disk space back. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#queue.clear();
    if (this.#writing === undefined) void this.#dispose();
  }

  /** Writes as long as so many bytes are waiting. */
  async #writeQueue(leastBytes: number): Promise<void> {
    try {
      this.#file ??= await openNameless(this.#directory);
      while (this.#queue.length >= leastBytes) {
        const pages = this.#queue.take();
        this.#events.room();
        await writeAll(this.#file.handle, pages);
      }
    } catch (error) {
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
    // Nothing is left to be done about a file that cannot be closed.
    await file?.handle.close().catch(() => {});
    if (file?.name !== undefined) await rm(file.name, { force: true }).catch(() => {});
  }
}

interface NamelessFile {
  readonly handle: FileHandle;
  /** Set where an open file cannot lose its name. */
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
    // A nearly full disk takes only a part.
    rest = withoutFirst(rest, bytesWritten);
  }
}
