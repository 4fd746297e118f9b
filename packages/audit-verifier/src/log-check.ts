import { ChainCheck } from './chain-check.js';
import type { CheckpointCheck } from './checkpoint-check.js';
import type { Findings } from './finding.js';
import { type LineFrame, type LogLine, readHeader, type SegmentHeader } from './log-line.js';
import { Frontier } from './merkle.js';
import type { Place, PlacedLine } from './read-log.js';

/** What the first segment that is there says of those before it. */
export interface LogStart {
  readonly header: SegmentHeader;
  readonly first: LogLine;
  readonly place: Place;
}

export interface LogCheckParts {
  readonly findings: Findings;
  readonly checkpoints: CheckpointCheck;
  /** The name that the log must have. */
  readonly origin: string;
  /** Where to begin, if not at the beginning. */
  readonly start?: LogStart;
  /** So many records are taken to be those that were sealed. */
  readonly trusted: number;
}

/** What was read of a line. */
type Read = LineFrame & Partial<Pick<LogLine, 'record'>>;

/** Takes the lines of a log in order: follows the chain, grows the tree, compares it with what was sealed. */
export class LogCheck {
  readonly #parts: LogCheckParts;
  readonly #chain: ChainCheck;
  readonly #tree: Frontier;
  readonly remarks: string[] = [];
  /** Not believed before the next record has confirmed it. */
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
    // A tree over wrong lines says nothing.
    if (!this.#chain.intact) {
      this.#latest = undefined;
      return;
    }
    this.#note(this.#latest);
    this.#latest = line;
    if (place.line === 1) this.#checkHeader(readHeader(line?.record), place);
    this.#tree.push(hash);
    const { checkpoints } = this.#parts;
    const { size } = this.#tree;
    if (checkpoints.wants(size) && checkpoints.compare(size, this.#tree.root())) {
      this.#chain.vouch(size);
      this.#sealedHash = hash.toString('hex');
    }
  }

  /** The leaf hash of the last record that was read and is sealed, in hexadecimal. */
  get sealedHash(): string | undefined {
    return this.#sealedHash;
  }

  /** Whether the one record that no seal covers is the log's own, and says that all before it were sealed. */
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
    this.#note(this.#latest);
    this.#parts.checkpoints.end(this.#chain.last, this.#chain.linkedThrough, checkpointsFile);
    return this.#chain.last;
  }

  /**
   * Of an event under a seal only the ends are read. The seal is of bytes: either these are they, and only who has the
   * key can have made them no JSON, or say a thing twice; or they are not, and the log is read again without this trust.
   * What the log says of itself is always read whole, and so is what nothing seals: that anybody can have written.
   */
  #read(placed: PlacedLine): Read | undefined {
    const { frame } = placed;
    // The tree grows no more once a line is wrong.
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

  #note(line: Read | undefined): void {
    if (line?.record === undefined) return;
    const { phase, time, checkpoint, recovered } = line.record;
    if (phase === 'checkpoint') {
      this.#parts.checkpoints.recorded(Number((checkpoint as { readonly size?: unknown } | undefined)?.size));
    } else if (phase === 'recovered') {
      const { bytes, file } = (recovered ?? {}) as { readonly bytes?: unknown; readonly file?: unknown };
      const what = `${String(bytes)} torn bytes were put aside as ${String(file)}`;
      this.remarks.push(`Record ${line.sequence}, ${String(time)}: after a crash ${what}.`);
    }
  }
}
