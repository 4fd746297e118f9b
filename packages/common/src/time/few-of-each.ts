interface Line {
  open: number;
  readonly waiting: Set<() => void>;
}

/** Who waits, how long at most, and what it then gets. */
export interface Waiter<Late> {
  readonly key: string;
  readonly seconds: number;
  readonly late: () => Late;
}

/**
 * Returns a function that runs works, at most `most` of one key at once. The others of the key wait in the order of their
 * calls; one that has waited too long is not run.
 */
export function fewOfEach(
  most: number,
): <Result, Late>(waiter: Waiter<Late>, work: () => Promise<Result>) => Promise<Result | Late> {
  const lines = new Map<string, Line>();

  function hasTurn(line: Line, seconds: number): Promise<boolean> {
    return new Promise((resolve) => {
      const goOn = (): void => {
        clearTimeout(timer);
        resolve(true);
      };
      const timer = setTimeout(() => {
        line.waiting.delete(goOn);
        resolve(false);
      }, seconds * 1000);
      line.waiting.add(goOn);
    });
  }

  function leave(key: string, line: Line): void {
    const [next] = line.waiting;
    if (next !== undefined) {
      line.waiting.delete(next);
      next();
    } else {
      line.open -= 1;
      if (line.open === 0) lines.delete(key);
    }
  }

  return async ({ key, seconds, late }, work) => {
    const line = lines.get(key) ?? { open: 0, waiting: new Set() };
    lines.set(key, line);
    if (line.open < most) line.open += 1;
    else if (!(await hasTurn(line, seconds))) return late();
    try {
      return await work();
    } finally {
      leave(key, line);
    }
  };
}
