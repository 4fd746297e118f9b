/** One entry of a shared store of revocations. */
export interface RevocationEntry {
  /** By `revocationKey`, or of something frozen. */
  readonly name: string;
  /** Unix seconds; undefined: for ever. */
  readonly until: number | undefined;
  /** False: it was taken back. */
  readonly inForce: boolean;
}

/** One write, by which a process finds out whether the list still contains what it knows. */
export interface RevocationWrite {
  readonly version: number;
  /** Random: after a loss, versions are counted again, but not with the same marks. */
  readonly mark: string;
}

/** An entry after which to read on. */
export interface RevocationPlace {
  readonly version: number;
  readonly name: string;
}

export interface RevocationReading {
  readonly newest: RevocationWrite;
  /** False while a process writes the list back in several pages, or if it ended in the middle. */
  readonly isWhole: boolean;
  /** Where to read on: there may be more. */
  readonly next?: RevocationPlace | undefined;
  /** The entries that were written after the write that was asked for. */
  readonly entries: readonly RevocationEntry[];
}

/** One page of what a process writes back. */
export interface WriteBackPage {
  readonly entries: readonly RevocationEntry[];
  /** The list must contain this write. Undefined: there must be no list, and the page begins one. */
  readonly after: RevocationWrite | undefined;
  /** The first of several pages: from now on the list is not whole. */
  readonly begins: boolean;
  /** The last page: from now on the list is whole. */
  readonly ends: boolean;
}

/** Where shared revocations are kept. Both kinds of writes are made by `changeInTime`. */
export interface RevocationFeed {
  /**
   * The entries that were written after a write; without one, all of them. A write is visible only with all before it.
   * Undefined: the list was emptied, never begun, or does not contain that write. A long list is read in pages, in the
   * order of versions: what is written between two of them is on a later one.
   */
  readonly read: (after: RevocationWrite | undefined, from?: RevocationPlace) => Promise<RevocationReading | undefined>;
  /**
   * Writes entries under the next version. Of two `until` of one name that are in force the later one counts. Undefined:
   * the list is not whole, or does not contain the write `known`; nothing was written. It remembers writes for a day.
   */
  readonly write: (entries: readonly RevocationEntry[], known: RevocationWrite) => Promise<RevocationWrite | undefined>;
  /** Writes a page under the next version, all of it or nothing. Undefined: the list is not as the page demands. */
  readonly writeBack: (page: WriteBackPage) => Promise<RevocationWrite | undefined>;
  /** Calls the listener soon after each write, as far as it can. Polling does not rely on it. */
  readonly watch: (listener: () => void) => { close(): Promise<void> };
}
