const largestPage = 16 * 1024;
const smallestPage = 512;
const noBytes: Buffer = Buffer.alloc(0);
const smallestAdopted = 4 * 1024;

/** Most bytes that are kept before the signature has verified: an unverified client has to wait beyond it. */
export const earlyBytes: number = 64 * 1024;

/**
 * Bytes in the order they came, copied together into pages. A sender of one-byte chunks would otherwise cost about
 * 200 bytes of heap for each byte it sends.
 */
export class Pages {
  #full: Buffer[] = [];
  #open: Buffer = noBytes;
  #used = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** All bytes, if they are in one piece; they stay. */
  get single(): Buffer | undefined {
    if (this.#full.length === 0) return this.#open.subarray(0, this.#used);
    return this.#used === 0 && this.#full.length === 1 ? this.#full[0] : undefined;
  }

  append(bytes: Buffer): void {
    this.#length += bytes.length;
    let rest = bytes;
    while (rest.length > 0) {
      if (this.#used === this.#open.length) this.#turnPage(rest.length);
      const copied = rest.copy(this.#open, this.#used);
      this.#used += copied;
      rest = rest.subarray(copied);
    }
  }

  /**
   * Like `append`, but keeps bytes that are worth it without copying them: for those that go on at once, because a part
   * of a larger buffer keeps all of it alive.
   */
  adopt(bytes: Buffer): void {
    if (bytes.length < smallestAdopted) {
      this.append(bytes);
      return;
    }
    this.#length += bytes.length;
    if (this.#used > 0) {
      this.#full.push(this.#open.subarray(0, this.#used));
      this.#open = this.#open.subarray(this.#used);
      this.#used = 0;
    }
    this.#full.push(bytes);
  }

  /** Hands the bytes over and forgets them. */
  take(): readonly Buffer[] {
    const pages = this.#used === 0 ? this.#full : [...this.#full, this.#open.subarray(0, this.#used)];
    this.clear();
    return pages;
  }

  /** The bytes so far; they stay. */
  *[Symbol.iterator](): Generator<Buffer> {
    yield* this.#full;
    if (this.#used > 0) yield this.#open.subarray(0, this.#used);
  }

  clear(): void {
    this.#full = [];
    this.#open = noBytes;
    this.#used = 0;
    this.#length = 0;
  }

  /** Pages grow, so that a small body costs a small page. */
  #turnPage(needed: number): void {
    if (this.#used > 0) this.#full.push(this.#open);
    const grown = Math.max(smallestPage, this.#open.length * 2, needed);
    // Not from the shared pool: a page must not retain the bytes of other requests.
    this.#open = Buffer.allocUnsafeSlow(Math.min(largestPage, grown));
    this.#used = 0;
  }
}

/** What is left of pages after so many bytes. */
export function withoutFirst(pages: readonly Buffer[], count: number): readonly Buffer[] {
  let skipped = count;
  for (const [index, page] of pages.entries()) {
    if (skipped < page.length) return [page.subarray(skipped), ...pages.slice(index + 1)];
    skipped -= page.length;
  }
  return [];
}
