import { closeSync, rmSync } from 'node:fs';
import { codeOf } from '@countersign/common';
import { AppendFile, type FileOperations } from '../disk/append-file.js';
import { AuditError } from '../record/audit-error.js';
import type { CheckpointFile } from '../checkpoints/checkpoint-file.js';
import type { CheckpointSigner } from '../checkpoints/checkpoint-signer.js';
import type { LogChain } from './log-chain.js';
import { openForAppend, segmentPath } from './log-files.js';
import type { LogLock } from '../disk/log-lock.js';
import { renderOwn, type SegmentStart } from './log-record.js';

/** What it takes to begin a segment. */
export interface SegmentSettings {
  readonly directory: string;
  readonly origin: string;
  readonly clock: () => number;
  readonly operations: FileOperations;
}

export interface LogSettings extends SegmentSettings {
  readonly signer: CheckpointSigner;
  readonly lock: LogLock;
  /** Whether a record is acknowledged only once it is on disk; else once the system has it. */
  readonly durable: boolean;
  readonly maxSegmentBytes: number;
  readonly maxSegmentSeconds: number;
}

export interface OpenSegment {
  readonly file: AppendFile;
  readonly number: number;
  readonly chain: LogChain;
  /** Milliseconds since the epoch. */
  readonly startedAt: number;
}

/** Writes the segments and checkpoints of one log; one call at a time. */
export class LogWriter {
  readonly #settings: LogSettings;
  readonly #checkpoints: CheckpointFile;
  #segment: OpenSegment;
  #sealed: number;
  /** How many records the last note in the file is of. */
  #lastNote: number;
  #note: string;
  #lost: AuditError | undefined;
  #onSealed: (note: string) => void = () => {};

  /** `note` is the last one in the file, of so many records. */
  constructor(settings: LogSettings, checkpoints: CheckpointFile, segment: OpenSegment, sealed: number, note: string) {
    this.#settings = settings;
    this.#checkpoints = checkpoints;
    this.#segment = segment;
    this.#sealed = sealed;
    this.#lastNote = sealed;
    this.#note = note;
  }

  /** Who gets each note, as soon as it is durable; at once the last one, which may not have been handed on before. */
  onSealed(onSealed: (note: string) => void): void {
    this.#onSealed = onSealed;
    onSealed(this.#note);
  }

  /** How many records no checkpoint covers. */
  get unsealed(): number {
    return this.#segment.chain.size - this.#sealed;
  }

  /** Appends rendered records. Numbered only now: a batch that failed leaves no gap. */
  async append(rendered: readonly string[]): Promise<void> {
    if (this.#isFull()) await this.#nextSegment();
    await this.#write(rendered, this.#settings.durable);
  }

  /** Signs what the log is now. What is not durable is never signed: a crash could take it back. */
  async checkpoint(): Promise<void> {
    await this.#seal();
    // Durable with the next records: the note is, and a record of it that is lost is no harm.
    await this.#write([this.#tellOfSeal()], false);
    this.#sealed = this.#segment.chain.size;
  }

  close(): void {
    this.#segment.file.close();
    this.#checkpoints.close();
  }

  async makeDurable(): Promise<void> {
    await this.#segment.file.makeDurable();
  }

  async #write(rendered: readonly string[], durable: boolean): Promise<void> {
    const chain = this.#segment.chain.clone();
    const lines = rendered.map((event) => chain.seal(event));
    this.#checkOurs();
    await this.#segment.file.append(Buffer.from(lines.join('')), durable);
    // Whoever opens the log takes the lock before reading it: what was written while it was ours is read there.
    this.#checkOurs();
    this.#segment = { ...this.#segment, chain };
  }

  async #seal(): Promise<void> {
    // Not for each batch a sync that nothing comes of.
    this.#checkpoints.checkUsable();
    const { chain, file } = this.#segment;
    await file.makeDurable();
    const { size, root } = chain;
    const note = this.#settings.signer.sign({ size, root });
    this.#checkOurs();
    await this.#checkpoints.append(note);
    this.#sealed = size;
    this.#lastNote = size;
    this.#note = note;
    this.#onSealed(note);
  }

  /** Another writer need not touch our segment: it may go on in one of its own. */
  #checkOurs(): void {
    if (this.#lost === undefined && !this.#settings.lock.isHeld) this.#lost = takenOver(this.#settings.directory);
    if (this.#lost !== undefined) throw this.#lost;
    this.#checkpoints.checkUntouched();
  }

  /** The record of a note of all records until now. */
  #tellOfSeal(): string {
    const { size, root } = this.#segment.chain;
    return renderOwn(
      { phase: 'checkpoint', checkpoint: { size, root: root.toString('base64') } },
      this.#settings.clock(),
    );
  }

  #isFull(): boolean {
    const { maxSegmentBytes, maxSegmentSeconds, clock } = this.#settings;
    // A clock that was put back far must not make a segment last for years.
    const age = Math.abs(clock() - this.#segment.startedAt);
    return this.#segment.file.size >= maxSegmentBytes || age >= maxSegmentSeconds * 1000;
  }

  /** Each segment begins at a checkpoint, so that a start needs to read no other. */
  async #nextSegment(): Promise<void> {
    // After a segment that could not be begun the note is there already.
    if (this.#lastNote !== this.#segment.chain.size) await this.#seal();
    const { file, number, chain } = this.#segment;
    this.#checkOurs();
    this.#segment = startSegment(this.#settings, number + 1, chain.clone(), {}, [this.#tellOfSeal()]);
    file.close();
  }
}

/** Makes a segment with its first records, durably. @throws AuditError if the disk does not take it. */
export function startSegment(
  { directory, origin, clock, operations }: SegmentSettings,
  number: number,
  chain: LogChain,
  { fenced }: Pick<SegmentStart, 'fenced'>,
  records: readonly string[] = [],
): OpenSegment {
  const path = segmentPath(directory, number);
  const segment = { number, origin, size: chain.size, frontier: chain.frontier, ...(fenced && { fenced }) };
  const startedAt = clock();
  const rendered = [renderOwn({ phase: 'segment', segment }, startedAt), ...records];
  const descriptor = open(path);
  try {
    const file = new AppendFile(path, descriptor, operations);
    file.appendNow(Buffer.from(rendered.map((record) => chain.seal(record)).join('')));
    return { file, number, chain, startedAt };
  } catch (error) {
    closeSync(descriptor);
    rmSync(path, { force: true });
    throw error;
  }
}

function open(path: string): number {
  try {
    return openForAppend(path, true);
  } catch (cause) {
    throw new AuditError('write_failed', `${path} cannot be made (${codeOf(cause)}).`, cause);
  }
}

function takenOver(directory: string): AuditError {
  return new AuditError(
    'file_replaced',
    `Another process has taken over the log in '${directory}', or its audit.lock was removed. ` +
      'No record is taken until a restart. One process writes a log: give each its own folder.',
  );
}
