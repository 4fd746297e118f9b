import type { Evaluation } from './evaluation.js';

/** At most about 32 MiB of keys. */
const MAX_ENTRIES = 4096;
const MAX_KEY = 4096;

/** Answers by question. Cedar has neither clock nor chance, so that the same question has the same answer. */
export class Memo {
  readonly #answers = new Map<string, Evaluation>();

  get(question: string): Evaluation | undefined {
    const answer = this.#answers.get(question);
    if (answer === undefined) return undefined;
    this.#answers.delete(question);
    this.#answers.set(question, answer);
    return answer;
  }

  set(question: string, answer: Evaluation): void {
    if (question.length > MAX_KEY) return;
    const [oldest] = this.#answers.size < MAX_ENTRIES ? [] : this.#answers.keys();
    if (oldest !== undefined) this.#answers.delete(oldest);
    this.#answers.set(question, answer);
  }
}
