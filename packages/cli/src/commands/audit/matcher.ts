import type { Filter } from './filter.js';
import { RecentLists } from './recent-lists.js';
import { unitIn, wentOn } from './record-facts.js';
import type { Unknown } from './unknown-record.js';

/** Decisions without an outcome that are remembered, at least; at twice this number the oldest are dropped. */
const mostOpen = 50_000;

interface Decision {
  readonly sequence: unknown;
  readonly matched: boolean;
  /** The facts that its outcome does not repeat. */
  readonly said: Unknown;
}

export interface OpenDecisions {
  /** The record numbers of matching decisions that allowed and have no outcome in the records read. */
  readonly records: readonly string[];
  /** The list is incomplete: some decisions were dropped. */
  readonly more: boolean;
}

/**
 * Finds the records that match a filter. An outcome inherits the chain, action and resource of its decision, so that a
 * query for an action also finds its outcome.
 */
export class Matcher {
  readonly #filter: Filter;
  /** By request or call: the outcome ends all its decisions. */
  readonly #open: RecentLists<Decision>;
  #forgotten = false;

  constructor(filter: Filter) {
    this.#filter = filter;
    this.#open = new RecentLists(mostOpen, () => {
      this.#forgotten = true;
    });
  }

  /** Takes the next record of the log. Returns the facts to print, or undefined if it does not match. */
  match(record: Unknown): Unknown | undefined {
    if (record['phase'] === 'outcome') return this.#readings(record).find(this.#filter);
    const matched = this.#filter(record);
    if (record['phase'] === 'decision' && wentOn(record['decision'])) this.#note(record, matched);
    return matched ? record : undefined;
  }

  open(): OpenDecisions {
    const matching = [...this.#open.values()].filter(({ matched }) => matched);
    const records = matching.map(({ sequence }) => String(sequence));
    return { records, more: this.#forgotten };
  }

  /** The outcome with the facts of each decision that it ends, the latest first; unchanged if no decision is known. */
  #readings(outcome: Unknown): readonly Unknown[] {
    const unit = unitIn(outcome);
    const decisions = unit === undefined ? [] : this.#open.take(unit);
    if (decisions.length === 0) return [outcome];
    return decisions.toReversed().map(({ said }) => ({ ...said, ...outcome }));
  }

  #note(record: Unknown, matched: boolean): void {
    const unit = unitIn(record);
    if (unit === undefined) return;
    const { sequence, decision, chain, action, resource, filtered, approval } = record;
    this.#open.add(unit, { sequence, matched, said: { decision, chain, action, resource, filtered, approval } });
  }
}
