/** Keeps the latest `most` items. */
export class Latest<Item> {
  readonly #most: number;
  #items: Item[] = [];

  constructor(most: number) {
    this.#most = most;
  }

  take(item: Item): void {
    this.#items.push(item);
    if (this.#items.length >= 2 * this.#most) this.#items = this.#items.slice(-this.#most);
  }

  list(): readonly Item[] {
    return this.#items.slice(-this.#most);
  }
}
