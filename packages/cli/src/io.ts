import { once } from 'node:events';
import { createColors } from 'picocolors';

/** All input and output of a command, so that tests can replace it. */
export interface Io {
  readonly out: (chunk: string | Uint8Array) => void;
  readonly err: (text: string) => void;
  /** Resolves once `out` is drained, for commands that print without end. */
  readonly drained: () => Promise<void>;
  /** All of standard input. */
  readonly stdin: () => Promise<Uint8Array>;
  /** Whether to colour `out` and `err`. */
  readonly colour: { readonly out: boolean; readonly err: boolean };
  /** Columns of the terminal of `out`; undefined if `out` is not a terminal. Default: not a terminal. */
  readonly columns?: () => number | undefined;
  /** The time zone of the reader, as `Europe/Berlin`, for times beside UTC on a terminal. Default: UTC. */
  readonly timeZone?: string;
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
  // A reader that closes the pipe early (`| head`) is not an error.
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
    timeZone: new Intl.DateTimeFormat().resolvedOptions().timeZone,
    clock: Date.now,
    fetch: (input, init) => globalThis.fetch(input, init),
  };
}
