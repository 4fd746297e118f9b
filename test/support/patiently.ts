/**
 * How `vi.waitFor` waits for what happens after an answer. It looks often, and gives up late: the one second of its default
 * can pass while a busy machine runs nothing of this process, and then nothing of what is awaited was ever tried.
 */
export const patiently = { interval: 2, timeout: 15_000 } as const;
