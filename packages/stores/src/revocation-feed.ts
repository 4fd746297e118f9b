/** One entry of a shared store of revocations. */
export interface RevocationEntry {
  /** By `revocationKey`, or of something frozen. */
  readonly name: string;
  /** Unix seconds; undefined: for ever. */
  readonly until: number | undefined;
  /** False: it was taken back. */
  readonly inForce: boolean;
}

export interface RevocationReading {
  /** The version of the whole; each write has a greater one. */
  readonly newest: number;
  /** The entries that were written after the version that was asked for. */
  readonly entries: readonly RevocationEntry[];
}

/** Where shared revocations are kept. */
export interface RevocationFeed {
  /**
   * The entries that were written after a version; all of them after -1. A version is visible only with all before it.
   * Undefined: the store does not know its version, since it was emptied or never begun.
   */
  readonly read: (after: number) => Promise<RevocationReading | undefined>;
  /**
   * Writes entries under a new version, greater than `known`. Of two `until` of one name that are in force the later one
   * counts. False: the store has lost its version, or one up to `known`, and nothing was written.
   */
  readonly write: (entries: readonly RevocationEntry[], known: number) => Promise<boolean>;
  /** The same where the store has lost what it held: begins it anew. All entries are written, or none. */
  readonly writeBack: (entries: readonly RevocationEntry[], known: number) => Promise<void>;
  /** Calls the listener soon after each write, as far as it can. Polling does not rely on it. */
  readonly watch: (listener: () => void) => { close(): Promise<void> };
}
