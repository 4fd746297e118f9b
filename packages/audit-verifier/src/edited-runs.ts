import { type Findings, inWords } from './finding.js';
import type { Place } from './read-log.js';

/** Tells of records that were changed, or may have been, in order; neighbours are one finding, at the first of them. */
export class EditedRuns {
  readonly #findings: Findings;
  #run: { readonly from: number; readonly through: number; readonly place: Place; readonly sure: boolean } | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** `sure`: it is this record that was changed; else it is this one or a neighbour that is added too. */
  add(sequence: number, place: Place, sure: boolean): void {
    const run = this.#run;
    if (run?.through === sequence - 1) {
      this.#run = { ...run, through: sequence, sure: run.sure && sure };
    } else {
      this.end();
      this.#run = { from: sequence, through: sequence, place, sure };
    }
  }

  /** Call it after the last one. */
  end(): void {
    if (this.#run === undefined) return;
    const { from, through, place, sure } = this.#run;
    this.#run = undefined;
    const message = inWords('edited', from, through);
    const doubt = through === from + 1 ? ', or one of them.' : ', or some of them.';
    const honest = sure || from === through ? message : message.replace(/\.$/, doubt);
    this.#findings.add({ kind: 'edited', from, through, message: honest, ...place });
  }
}
