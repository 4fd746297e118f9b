import type { FuzzCase } from './cases.js';
import type { HostReport } from './host.js';
import type { Verdict } from './oracle.js';

interface Found {
  readonly problem: string;
  /** Numbers of the first cases with this problem. */
  readonly cases: number[];
  count: number;
}

/** The run ends at this number of problems. */
const MAX_PROBLEMS = 1000;

/** Counts the responses, and compares them with the report of the server. */
export class Tally {
  readonly #answers = new Map<string, number>();
  readonly #found = new Map<string, Found>();
  readonly #accepted = new Map<string, number>();
  #cases = 0;
  #problems = 0;
  #unanswered = 0;
  #report: HostReport | undefined;

  /** Whether the number of problems ends the run. */
  get hopeless(): boolean {
    return this.#problems >= MAX_PROBLEMS;
  }

  get failed(): boolean {
    return this.#problems > 0;
  }

  sent(): void {
    this.#cases += 1;
  }

  /** A case that the server may have processed without a response. */
  unanswered(): void {
    this.#unanswered += 1;
  }

  answered(made: FuzzCase, verdict: Verdict): void {
    const answer = verdict.kind === 'accepted' ? 'accepted' : verdict.code;
    add(this.#answers, answer);
    // With two requests, it is unknown which one a mutation changed.
    const alone = verdict.kind === 'accepted' && made.originals.length === 1;
    if (alone) for (const name of new Set(made.mutations)) add(this.#accepted, name);
    for (const problem of verdict.problems) this.problem(made, problem);
  }

  problem({ index, mutations, originals }: FuzzCase, problem: string): void {
    const kinds = originals.map(({ kind }) => kind).join(' + ');
    this.#note(problem.replace(/:.*/s, ''), `${problem} (${kinds}; ${mutations.join(', ')})`, index);
  }

  /** A problem of the server that belongs to no case. */
  fault(what: string, detail: string): void {
    this.#note(what, `${what}: ${detail}`);
  }

  noReport(): HostReport {
    return { rssBytes: 0, handled: 0, records: {}, actorsUnverified: 0, troubles: [] };
  }

  /** Each answer of the guard has one record, and each answer of the handler one run; only unanswered cases have more. */
  compare(report: HostReport): void {
    this.#report = report;
    const { records, handled, actorsUnverified, troubles } = report;
    const runs = this.#answers.get('accepted') ?? 0;
    this.#compareCounts('runs of the handler', handled, runs);
    // In sum, not by code: the response to an unverified client has a less specific code than its record.
    const ofTheGuard = [...this.#answers].filter(([code]) => code !== 'accepted' && !code.startsWith('plain '));
    const refusals = Object.entries(records).filter(([key]) => /^(?:authentication|decision) (?!allow$)/.test(key));
    this.#compareCounts('records of refusals', sumOf(refusals), sumOf(ofTheGuard));
    if (actorsUnverified > 0) this.fault('unverified requests with an actor', String(actorsUnverified));
    for (const trouble of troubles.slice(0, 5)) this.fault('trouble', trouble);
  }

  toString(): string {
    const found = [...this.#found.values()].map(
      ({ problem, count, cases }) => `  ${count} × ${problem}\n      cases ${cases.join(', ')}`,
    );
    return [
      `${this.#cases} cases, ${this.#unanswered} without an answer to all of it`,
      'answers:',
      ...listed(this.#answers),
      'mutations of what was accepted:',
      ...listed(this.#accepted),
      `server: ${Math.round((this.#report?.rssBytes ?? 0) / 2 ** 20)} MiB, handler ran ${this.#report?.handled ?? 0} times`,
      ...(found.length === 0 ? ['no problem found'] : ['PROBLEMS:', ...found]),
    ].join('\n');
  }

  #compareCounts(what: string, counted: number, answered: number): void {
    if (counted < answered || counted > answered + this.#unanswered)
      this.fault(what, `${counted}, answers ${answered}`);
  }

  #note(key: string, text: string, index?: number): void {
    this.#problems += 1;
    const known = this.#found.get(key) ?? { problem: text, cases: [], count: 0 };
    known.count += 1;
    if (index !== undefined && known.cases.length < 3) known.cases.push(index);
    this.#found.set(key, known);
  }
}

function add(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

function listed(counts: ReadonlyMap<string, number>): string[] {
  const sorted = [...counts].toSorted(([, one], [, other]) => other - one);
  return sorted.map(([name, count]) => `  ${String(count).padStart(8)}  ${name}`);
}

function sumOf(counts: readonly (readonly [string, number])[]): number {
  return counts.reduce((sum, [, count]) => sum + count, 0);
}
