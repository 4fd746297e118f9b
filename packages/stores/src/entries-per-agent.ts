/**
 * Counts, in this process, the entries of each agent that have not ended. A shared store finds nonces by their key; to
 * count those of an agent there, it would store each twice, or all requests of the agent would wait for one counter.
 */
export class EntriesPerAgent {
  readonly #most: number;
  readonly #held = new Map<string, number>();
  /** For each last second, how many entries each agent has. */
  readonly #bySecond = new Map<number, Map<string, number>>();
  #second = 0;

  constructor(most: number) {
    this.#most = most;
  }

  isFull(agent: string, now: number): boolean {
    this.#forget(Math.floor(now));
    return (this.#held.get(agent) ?? 0) >= this.#most;
  }

  add(agent: string, until: number): void {
    const second = Math.ceil(until);
    const agents = this.#bySecond.get(second) ?? new Map<string, number>();
    agents.set(agent, (agents.get(agent) ?? 0) + 1);
    this.#bySecond.set(second, agents);
    this.#held.set(agent, (this.#held.get(agent) ?? 0) + 1);
  }

  #forget(now: number): void {
    if (now === this.#second) return;
    this.#second = now;
    for (const [second, agents] of this.#bySecond) {
      if (second >= now) continue;
      this.#bySecond.delete(second);
      for (const [agent, count] of agents) this.#release(agent, count);
    }
  }

  #release(agent: string, count: number): void {
    const left = (this.#held.get(agent) ?? 0) - count;
    if (left > 0) this.#held.set(agent, left);
    else this.#held.delete(agent);
  }
}
