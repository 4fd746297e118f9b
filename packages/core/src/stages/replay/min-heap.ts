/** Numbers, of which the least is known at once; to add or take one costs the logarithm of how many there are. */
export class MinHeap {
  readonly #numbers: number[] = [];

  get least(): number | undefined {
    return this.#numbers[0];
  }

  add(number: number): void {
    const numbers = this.#numbers;
    let at = numbers.push(number) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapUnlessOrdered(parent, at)) return;
      at = parent;
    }
  }

  removeLeast(): void {
    const last = this.#numbers.pop();
    if (last === undefined || this.#numbers.length === 0) return;
    this.#numbers[0] = last;
    for (let at = 0; ; ) {
      const child = this.#lesserChild(at);
      if (!this.#swapUnlessOrdered(at, child)) return;
      at = child;
    }
  }

  #lesserChild(at: number): number {
    const left = 2 * at + 1;
    return (this.#numbers[left + 1] ?? Infinity) < (this.#numbers[left] ?? Infinity) ? left + 1 : left;
  }

  #swapUnlessOrdered(parent: number, child: number): boolean {
    const [above, below] = [this.#numbers[parent], this.#numbers[child]];
    if (above === undefined || below === undefined || above <= below) return false;
    this.#numbers[parent] = below;
    this.#numbers[child] = above;
    return true;
  }
}
