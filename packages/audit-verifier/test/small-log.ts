import { generateKeyPairSync, sign } from 'node:crypto';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCheckpoint } from '../src/checkpoint.js';
import { segmentName } from '../src/log-folder.js';
import { noPrev } from '../src/log-line.js';
import { Frontier, leafHash } from '../src/merkle.js';
import { formatVerifierKey } from '../src/note.js';

/** A name and a key that sign checkpoints. */
export class Signer {
  readonly #privateKey;
  readonly origin: string;
  readonly key: string;

  constructor(origin: string) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    this.#privateKey = privateKey;
    this.origin = origin;
    this.key = formatVerifierKey(origin, publicKey);
  }

  /** A checkpoint and the blank line after it. `origin`: what it says it is of. */
  note(size: number, root: Buffer, origin = this.origin): string {
    const text = formatCheckpoint({ origin, size, root });
    const id = Buffer.from(this.key.slice(this.origin.length + 1, this.origin.length + 9), 'hex');
    const signature = Buffer.concat([id, sign(null, Buffer.from(text), this.#privateKey)]);
    return `${text}\n— ${this.origin} ${signature.toString('base64')}\n\n`;
  }
}

/** In the form of a root, of no tree. */
export const someRoot = `${'A'.repeat(43)}=`;

/** When each record was made. */
const time = '2026-01-01T00:00:00.000Z';

/** Signs each small log. */
export const signer = new Signer('acme.dev/audit');
export const { key, origin } = signer;

/** A log as the format says, written without the package that writes logs. */
export class SmallLog implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'countersign-verifier-'));
  #tree = new Frontier();
  #prev = noPrev;
  #segment = 0;

  constructor() {
    this.startSegment();
    for (const id of ['a', 'b', 'c']) this.add({ id, phase: 'decision' });
  }

  file(name = segmentName(this.#segment)): string {
    return join(this.path, name);
  }

  get size(): number {
    return this.#tree.size;
  }

  get root(): Buffer {
    return this.#tree.root();
  }

  /** How long the last segment is. */
  get bytes(): number {
    return statSync(this.file()).size;
  }

  get checkpoints(): string {
    return readFileSync(this.file('checkpoints.txt'), 'utf8');
  }

  startSegment(more: object = {}): void {
    const frontier = this.#tree.hashes.map((hash) => hash.toString('hex'));
    this.startSegmentWith({ phase: 'segment', segment: { origin, size: this.size, frontier, ...more } });
  }

  /** Begins a segment with any record. */
  startSegmentWith(record: object): void {
    this.#segment += 1;
    this.add(record);
  }

  /** Moves the segments away. */
  archive(): void {
    for (let number = 1; number <= this.#segment; number++) rmSync(this.file(segmentName(number)), { force: true });
  }

  /** Puts a segment in place of all, which says that so many records were before it: with these hashes, or made up. */
  forge(size: number, hashes?: readonly Buffer[]): void {
    this.archive();
    const ones = size.toString(2).replaceAll('0', '').length;
    const madeUp = Array.from({ length: ones }, (_one, index) => Buffer.alloc(32, index));
    this.#tree = new Frontier(size, hashes ?? madeUp);
    this.startSegment();
    for (const id of ['x', 'y']) this.add({ id, phase: 'decision' });
  }

  add(record: object): void {
    this.addText(JSON.stringify({ time, phase: 'decision', ...record }).slice(1, -1));
  }

  /** The same, of members that may be no JSON. */
  addText(members: string): void {
    const line = `{"sequence":${this.size + 1},${members},"prev":"${this.#prev}"}`;
    const hash = leafHash(Buffer.from(line));
    appendFileSync(this.file(), `${line}\n`);
    this.#tree.push(hash);
    this.#prev = hash.toString('hex');
  }

  /** Seals all that is there. */
  seal(): void {
    appendFileSync(this.file('checkpoints.txt'), signer.note(this.size, this.root));
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
