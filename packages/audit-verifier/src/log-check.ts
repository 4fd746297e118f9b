import { ChainCheck } from './chain-check.js';
import type { CheckpointCheck } from './checkpoint-check.js';
import type { Findings } from './finding.js';
import { type LineFrame, type LogLine, readHeader, type SegmentHeader } from './log-line.js';
import { Frontier } from './merkle.js';
import { hasKnownForm } from './own-record.js';
import type { Place, PlacedLine } from './read-log.js';

/** The claim of the first existing segment about the segments before it. */
export interface LogStart {
  readonly header: SegmentHeader;
  readonly first: LogLine;
  readonly place: Place;
}

export interface LogCheckParts {
  readonly findings: Findings;
  readonly checkpoints: CheckpointCheck;
  /** The expected name of the log. */
  readonly origin: string;
  /** The start of an archived log. */
  readonly start?: LogStart;
  /** The first so many records are assumed to match a checkpoint, and not parsed. */
  readonly trusted: number;
}

/** The part of a line that was read. */
type Read = LineFrame & Partial<Pick<LogLine, 'record'>>;

/** Takes the lines of a log in order: follows the chain, grows the tree, and compares it with the checkpoints. */
export class LogCheck {
  readonly #parts: LogCheckParts;
  readonly #chain: ChainCheck;
  readonly #tree: Frontier;
  readonly remarks: string[] = [];
  /** Not used until the next record has confirmed it. */
  #latest: Read | undefined;
  #sealedHash: string | undefined;

  constructor(parts: LogCheckParts) {
    const { findings, checkpoints, start } = parts;
    this.#parts = parts;
    this.#chain = new ChainCheck(findings, start?.first.sequence, start?.first.prev);
    this.#tree = new Frontier(
      start?.header.size,
      start?.header.frontier.map((hash) => Buffer.from(hash, 'hex')),
    );
    if (start !== undefined) checkpoints.beginAt(this.#tree.size, this.#tree.root(), start.place);
  }

  take(placed: PlacedLine): void {
    const { bytes, hash, place } = placed;
    const line = this.#read(placed);
    this.#chain.take(line, { bytes, hash, place });
    // A tree over wrong lines proves nothing.
    if (!this.#chain.intact) {
      this.#latest = undefined;
      return;
    }
    this.#readOwnRecord(this.#latest);
    const hasForm = line?.record === undefined || hasKnownForm(line.record);
    if (!hasForm) this.#chain.markEdited();
    this.#latest = hasForm ? line : undefined;
    if (place.line === 1) this.#checkHeader(readHeader(line?.record), place);
    this.#tree.push(hash);
    const { checkpoints } = this.#parts;
    const { size } = this.#tree;
    if (checkpoints.wants(size) && checkpoints.compare(size, this.#tree.root())) {
      this.#chain.vouch(size);
      this.#sealedHash = hash.toString('hex');
    }
  }

  /** The leaf hash of the last sealed record, in hexadecimal. */
  get sealedHash(): string | undefined {
    return this.#sealedHash;
  }

  /** Whether the only record without a checkpoint is the log's own record of the last checkpoint. */
  get endsWithSeal(): boolean {
    const { phase, checkpoint } = this.#latest?.record ?? {};
    const { size, root } = (checkpoint ?? {}) as { readonly size?: unknown; readonly root?: unknown };
    const { checkpoints } = this.#parts;
    const isLast = size === checkpoints.sealed && size === this.#chain.last - 1;
    return phase === 'checkpoint' && isLast && typeof root === 'string' && checkpoints.confirms(size, root);
  }

  /** Call it after the last line. Returns the number of the last record. */
  end(checkpointsFile: string): number {
    this.#chain.end();
    this.#readOwnRecord(this.#latest);
    this.#parts.checkpoints.end(this.#chain.last, this.#chain.linkedThrough, checkpointsFile);
    return this.#chain.last;
  }

  /**
   * Of an event under a checkpoint only the ends are read. If the checkpoint matches, only the holder of the key can have
   * written invalid JSON or repeated names; if it does not, the log is read again without this trust. The log's own
   * records, and records without a checkpoint, are always parsed: anybody can have written them.
   */
  #read(placed: PlacedLine): Read | undefined {
    const { frame } = placed;
    // The tree stops growing at the first wrong line.
    return frame?.isEvent === true && this.#tree.size < this.#parts.trusted ? frame : placed.line;
  }

  #checkHeader(header: SegmentHeader | undefined, place: Place): void {
    const { findings, origin } = this.#parts;
    const { size, hashes } = this.#tree;
    const frontier = hashes.map((hash) => hash.toString('hex'));
    if (header?.size !== size || header.frontier.join() !== frontier.join()) {
      this.#chain.markEdited();
    } else if (header.origin !== origin) {
      findings.add({
        kind: 'wrong_key',
        message: `The log is '${header.origin}', the key is of '${origin}'.`,
        ...place,
      });
    }
  }

  #readOwnRecord(line: Read | undefined): void {
    if (line?.record === undefined) return;
    const { phase, time, checkpoint, recovered } = line.record;
    if (phase === 'checkpoint') {
      this.#parts.checkpoints.expect(Number((checkpoint as { readonly size?: unknown } | undefined)?.size));
    } else if (phase === 'recovered') {
      const { bytes, file } = (recovered ?? {}) as { readonly bytes?: unknown; readonly file?: unknown };
      const what = `${String(bytes)} torn bytes were put aside as ${String(file)}`;
      this.remarks.push(`Record ${line.sequence}, ${String(time)}: after a crash ${what}.`);
    }
  }
}
