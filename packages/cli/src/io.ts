import { once } from 'node:events';
import { createColors } from 'picocolors';

/** Everything through which a command touches the world, so that tests can stand in for it. */
export interface Io {
  readonly out: (chunk: string | Uint8Array) => void;
  readonly err: (text: string) => void;
  /** Resolves once what went to `out` is not waiting in memory: for commands that print without end. */
  readonly drained: () => Promise<void>;
  /** All of standard input. */
  readonly stdin: () => Promise<Uint8Array>;
  /** Whether to colour what goes to `out` and to `err`. */
  readonly colour: { readonly out: boolean; readonly err: boolean };
  /** How many columns the terminal has that `out` goes to; undefined if it goes elsewhere. Default: elsewhere. */
  readonly columns?: () => number | undefined;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  readonly fetch: typeof fetch;
}

export type Colours = ReturnType<typeof createColors>;

export function coloursFor(enabled: boolean): Colours {
  return createColors(enabled);
}

/** The real process. Colours only on a terminal, and never when NO_COLOR is set (no-color.org). */
export function processIo(): Io {
  const { stdin, stdout, stderr, env } = process;
  const wanted = (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
  // A reader that has seen enough (`| head`) is not an error of ours.
  stdout.once('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1));
  return {
    out: (chunk) => void stdout.write(chunk),
    err: (text) => void stderr.write(text),
    drained: async () => {
      if (stdout.writableNeedDrain) await once(stdout, 'drain');
    },
    stdin: async () => {
      const chunks: Uint8Array[] = [];
      for await (const chunk of stdin as AsyncIterable<Uint8Array>) chunks.push(chunk);
      return Buffer.concat(chunks);
    },
    colour: { out: wanted && stdout.isTTY, err: wanted && stderr.isTTY },
    columns: () => (stdout.isTTY && stdout.columns > 0 ? stdout.columns : undefined),
    clock: Date.now,
    fetch: (input, init) => globalThis.fetch(input, init),
  };
}
