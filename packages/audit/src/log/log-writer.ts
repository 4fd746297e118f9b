import { closeSync, lstatSync, rmSync } from 'node:fs';
import { codeOf } from '@countersign/common';
import { AppendFile, type FileOperations } from '../disk/append-file.js';
import { AuditError } from '../record/audit-error.js';
import type { CheckpointFile } from '../checkpoints/checkpoint-file.js';
import type { CheckpointSigner } from '../checkpoints/checkpoint-signer.js';
import type { LogChain } from './log-chain.js';
import { openForAppend, segmentPath } from '../disk/log-files.js';
import type { LogLock } from '../disk/log-lock.js';
import { renderOwn, type SegmentStart } from './log-record.js';

/** Settings to start a segment. */
export interface SegmentSettings {
  readonly directory: string;
  readonly origin: string;
  readonly clock: () => number;
  readonly operations: FileOperations;
}

export interface LogSettings extends SegmentSettings {
  readonly signer: CheckpointSigner;
  readonly lock: LogLock;
  /** True: a record is acknowledged once it is on disk; false: once the operating system has it. */
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
  /** Records that need no further checkpoint: those of the last checkpoint, and the log's record of it. */
  #coveredSize: number;
  /** Tree size of the last checkpoint written. */
  #checkpointSize: number;
  #checkpoint: string;
  #lockLost: AuditError | undefined;
  #onCheckpoint: (note: string) => void = () => {};

  /** `note`: the last checkpoint in the file; `size`: its tree size. */
  constructor(settings: LogSettings, checkpoints: CheckpointFile, segment: OpenSegment, size: number, note: string) {
    this.#settings = settings;
    this.#checkpoints = checkpoints;
    this.#segment = segment;
    this.#coveredSize = size;
    this.#checkpointSize = size;
    this.#checkpoint = note;
  }

  /** Called with each durable checkpoint; at once with the last one, which a crash may have kept from the witnesses. */
  onCheckpoint(onCheckpoint: (note: string) => void): void {
    this.#onCheckpoint = onCheckpoint;
    onCheckpoint(this.#checkpoint);
  }

  /** Number of records. */
  get size(): number {
    return this.#segment.chain.size;
  }

  /** Number of records without a checkpoint. */
  get unsealed(): number {
    return this.#segment.chain.size - this.#coveredSize;
  }

  /** Appends rendered records. They are numbered only now: a failed batch leaves no gap. */
  async append(rendered: readonly string[]): Promise<void> {
    if (this.#isFull()) await this.#rotate();
    await this.#write(rendered, this.#settings.durable);
  }

  /** Makes a checkpoint of all records. Only durable records are signed: a crash could remove others. */
  async checkpoint(): Promise<void> {
    await this.#seal();
    // No sync here: the checkpoint is already durable, and losing the log's mention of it is harmless.
    await this.#write([this.#renderCheckpointRecord()], false);
    this.#coveredSize = this.#segment.chain.size;
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
    const lines = rendered.map((event) => chain.append(event));
    this.#checkLock();
    await this.#segment.file.append(Buffer.concat(lines), durable);
    // Another process takes the lock before it reads the log, so it has read what we wrote while we held the lock.
    this.#checkLock();
    this.#segment = { ...this.#segment, chain };
  }

  async #seal(): Promise<void> {
    // First, so that an unusable file of checkpoints does not cost a sync for each batch.
    this.#checkpoints.checkUsable();
    const { chain, file } = this.#segment;
    await file.makeDurable();
    const { size, root } = chain;
    const note = this.#settings.signer.sign({ size, root });
    this.#checkLock();
    await this.#checkpoints.append(note);
    this.#coveredSize = size;
    this.#checkpointSize = size;
    this.#checkpoint = note;
    this.#onCheckpoint(note);
  }

  /** The segment alone does not show a second writer, which may write to a segment of its own. */
  #checkLock(): void {
    if (!this.#settings.lock.isHeld) this.#lockLost ??= lockLost(this.#settings.directory);
    if (this.#lockLost !== undefined) throw this.#lockLost;
    this.#checkpoints.checkUntouched();
  }

  /** The log's own record of a checkpoint of all records so far. */
  #renderCheckpointRecord(): string {
    const { size, root } = this.#segment.chain;
    return renderOwn(
      { phase: 'checkpoint', checkpoint: { size, root: root.toString('base64') } },
      this.#settings.clock(),
    );
  }

  #isFull(): boolean {
    const { maxSegmentBytes, maxSegmentSeconds, clock } = this.#settings;
    // Absolute: a clock set back must not make a segment last for years.
    const age = Math.abs(clock() - this.#segment.startedAt);
    return this.#segment.file.size >= maxSegmentBytes || age >= maxSegmentSeconds * 1000;
  }

  /** Each segment begins at a checkpoint, so that a start reads only the last segment. */
  async #rotate(): Promise<void> {
    // If opening the next segment failed before, its checkpoint already exists.
    if (this.#checkpointSize !== this.#segment.chain.size) await this.#seal();
    const { file, number, chain } = this.#segment;
    this.#checkLock();
    this.#segment = startSegment(this.#settings, number + 1, chain.clone(), {}, [this.#renderCheckpointRecord()]);
    file.close();
  }
}

/** Creates a durable segment with its first records. @throws AuditError if the disk refuses it. */
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
    file.appendNow(Buffer.concat(rendered.map((record) => chain.append(record))));
    return { file, number, chain, startedAt };
  } catch (error) {
    closeSync(descriptor);
    rmSync(path, { force: true });
    throw error;
  }
}

function open(path: string): number {
  try {
    // What a failed start of this segment left: nothing was written yet.
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found?.isFile() === true && found.size === 0) rmSync(path);
    return openForAppend(path, true);
  } catch (cause) {
    throw new AuditError('write_failed', `${path} cannot be made (${codeOf(cause)}).`, cause);
  }
}

function lockLost(directory: string): AuditError {
  return new AuditError(
    'file_replaced',
    `Another process has taken over the log in '${directory}', or its audit.lock was removed. ` +
      'No record is taken until a restart. One process writes a log: give each its own folder.',
  );
}
