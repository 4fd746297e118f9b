import { type Io, main } from '../src/index.js';

export interface CliResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** 2026-11-24T12:00:00Z, the clock of these tests. */
export const nowSeconds = 1_795_521_600;

/** Runs `main` and captures its output. */
export async function runCli(
  argv: readonly string[],
  io: Partial<Io> & { readonly input?: string } = {},
): Promise<CliResult> {
  const out: Uint8Array[] = [];
  const err: string[] = [];
  const { input = '', ...overrides } = io;
  const code = await main(argv, {
    out: (chunk) => void out.push(Buffer.from(chunk as Uint8Array)),
    err: (text) => void err.push(text),
    drained: () => Promise.resolve(),
    stdin: () => Promise.resolve(Buffer.from(input)),
    colour: { out: false, err: false },
    clock: () => nowSeconds * 1000,
    fetch: (url, init) => fetch(url, init),
    ...overrides,
  });
  return { code, out: Buffer.concat(out).toString(), err: err.join('') };
}
