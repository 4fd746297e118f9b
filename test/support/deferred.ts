/** A promise that the test settles. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
}

export function deferred(): Deferred {
  const settle: (() => void)[] = [];
  return { promise: new Promise((resolve) => void settle.push(resolve)), resolve: () => settle[0]?.() };
}
