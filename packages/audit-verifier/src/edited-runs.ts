import { type Findings, inWords } from './finding.js';
import type { Place } from './read-log.js';

/** Reports records that were, or may have been, changed. Neighbours become one finding at the first of them. */
export class EditedRuns {
  readonly #findings: Findings;
  #run: { readonly from: number; readonly through: number; readonly place: Place; readonly sure: boolean } | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** `sure`: this record was changed; otherwise this one or a neighbour that is also added. */
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
    const hedged = sure || from === through ? message : message.replace(/\.$/, doubt);
    this.#findings.add({ kind: 'edited', from, through, message: hedged, ...place });
  }
}
