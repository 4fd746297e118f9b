import type { Filter } from './filter.js';
import { RecentMap } from './recent-map.js';
import { textAt, type Unknown } from './unknown-record.js';

/** So many requests, and up to twice as many, may be open at once; what older ones were allowed is forgotten. */
const mostOpen = 10_000;
/** One request can ask policy without end. */
const mostOfRequest = 16;

interface Decision {
  readonly sequence: unknown;
  readonly matched: boolean;
  /** What its outcome does not repeat. */
  readonly said: Unknown;
}

export interface OpenDecisions {
  /** The numbers of decisions that matched, allowed something, and have no outcome in what was read. */
  readonly records: readonly string[];
  /** There may be more: some were forgotten. */
  readonly more: boolean;
}

/**
 * Finds the records that a filter lets through. An outcome does not repeat what was done: it is taken to have the chain, the
 * action and the resource of the decision that it ended, so that whoever asks for an action also finds how it ended.
 */
export class Matcher {
  readonly #filter: Filter;
  readonly #open: RecentMap<readonly Decision[]>;
  #forgotten = false;

  constructor(filter: Filter) {
    this.#filter = filter;
    this.#open = new RecentMap(mostOpen, () => {
      this.#forgotten = true;
    });
  }

  /** Takes the next record of the log. The record as it is to be shown, or undefined. */
  match(record: Unknown): Unknown | undefined {
    if (record['phase'] === 'outcome') return this.#readings(record).find(this.#filter);
    const matched = this.#filter(record);
    if (record['phase'] === 'decision' && record['decision'] === 'allow') this.#note(record, matched);
    return matched ? record : undefined;
  }

  open(): OpenDecisions {
    const records = [...this.#open.values()].flatMap((decisions) =>
      decisions.filter(({ matched }) => matched).map(({ sequence }) => String(sequence)),
    );
    return { records, more: this.#forgotten };
  }

  /** An outcome once for each decision that it ended, the latest first; if none is known, as it stands. */
  #readings(outcome: Unknown): readonly Unknown[] {
    const request = textAt(outcome, 'request', 'id');
    const decisions = request === undefined ? undefined : this.#open.get(request);
    if (request === undefined || decisions === undefined) return [outcome];
    this.#open.delete(request);
    return decisions.map(({ said }) => ({ ...said, ...outcome }));
  }

  #note(record: Unknown, matched: boolean): void {
    const request = textAt(record, 'request', 'id');
    if (request === undefined) return;
    const { sequence, decision, chain, action, resource, filtered } = record;
    const others = this.#open.get(request)?.slice(0, mostOfRequest - 1) ?? [];
    this.#open.set(request, [{ sequence, matched, said: { decision, chain, action, resource, filtered } }, ...others]);
  }
}
