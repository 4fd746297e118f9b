import { generateKeyPairSync, sign } from 'node:crypto';
import { appendFileSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { formatCheckpoint } from '../src/checkpoint.js';
import { segmentName } from '../src/log-folder.js';
import { noPrev } from '../src/log-line.js';
import { Frontier, leafHash } from '../src/merkle.js';
import { formatVerifierKey, parseVerifierKey } from '../src/note.js';

const origin = 'acme.dev/audit';
const { publicKey, privateKey } = generateKeyPairSync('ed25519');

/** The verifier key of each small log. */
export const key = formatVerifierKey(origin, publicKey);

/** A log as the format says, written without the package that writes logs. */
export class SmallLog implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), 'countersign-verifier-'));
  readonly #tree = new Frontier();
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

  /** How long the last segment is. */
  get bytes(): number {
    return statSync(this.file()).size;
  }

  startSegment(more: object = {}): void {
    const frontier = this.#tree.hashes.map((hash) => hash.toString('hex'));
    this.#segment += 1;
    this.add({ phase: 'segment', segment: { origin, size: this.size, frontier, ...more } });
  }

  add(record: object): void {
    const line = JSON.stringify({ sequence: this.size + 1, ...record, prev: this.#prev });
    const hash = leafHash(Buffer.from(line));
    appendFileSync(this.file(), `${line}\n`);
    this.#tree.push(hash);
    this.#prev = hash.toString('hex');
  }

  /** Seals all that is there. */
  seal(): void {
    const text = formatCheckpoint({ origin, size: this.size, root: this.#tree.root() });
    const id = Buffer.from(parseVerifierKey(key)?.id ?? '', 'hex');
    const signature = Buffer.concat([id, sign(null, Buffer.from(text), privateKey)]);
    writeFileSync(this.file('checkpoints.txt'), `${text}\n— ${origin} ${signature.toString('base64')}\n\n`);
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
