/** What is wrong with a log; docs/guides/audit-log.md explains each kind. */
export type FindingKind =
  | 'edited'
  | 'removed'
  | 'reordered'
  | 'duplicated'
  | 'cut_tail'
  | 'rewritten'
  | 'forked'
  | 'wrong_key'
  | 'checkpoint_edited'
  | 'checkpoint_removed';

export interface Finding {
  readonly kind: FindingKind;
  /** For people. */
  readonly message: string;
  /** The first and the last record concerned, if any. */
  readonly from?: number;
  readonly through?: number;
  /** Where the finding is. */
  readonly file?: string;
  readonly line?: number;
}

/** Further findings are counted and not kept: a hostile log must not fill the memory of the verifier. */
const maxKept = 100;

/** Collects findings. Neighbours of one kind become one. */
export class Findings {
  readonly #kept: Finding[] = [];
  #count = 0;

  get list(): readonly Finding[] {
    return this.#kept;
  }

  get count(): number {
    return this.#count;
  }

  add(finding: Finding): void {
    const last = this.#kept.at(-1);
    if (last?.kind === finding.kind && last.message === finding.message) return;
    this.#count += 1;
    if (this.#kept.length < maxKept) this.#kept.push(finding);
  }

  /** Adds a finding about records. */
  addRecords(kind: FindingKind, from: number, through: number, where: { file?: string; line?: number } = {}): void {
    const last = this.#kept.at(-1);
    if (last?.kind === kind && last.from !== undefined && last.through === from - 1) {
      this.#kept[this.#kept.length - 1] = { ...last, through, message: inWords(kind, last.from, through) };
    } else {
      this.add({ kind, from, through, message: inWords(kind, from, through), ...where });
    }
  }
}

const verbs: Partial<Record<FindingKind, readonly [one: string, many: string]>> = {
  edited: ['was changed', 'were changed'],
  removed: ['is missing', 'are missing'],
  reordered: ['stands in the wrong place', 'stand in the wrong place'],
  duplicated: ['stands here a second time', 'stand here a second time'],
  cut_tail: ['was cut off the end', 'were cut off the end'],
};

/** Describes what happened to records. */
export function inWords(kind: FindingKind, from: number, through: number): string {
  const [one = '', many = ''] = verbs[kind] ?? [];
  if (from === through) return `Record ${from} ${one}.`;
  return `Records ${from} ${through === from + 1 ? 'and' : 'to'} ${through} ${many}.`;
}
