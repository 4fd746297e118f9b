import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** The output of a story on a terminal without symbols and colours. */
export interface Played {
  readonly exitCode: number | string | null | undefined;
  readonly lines: readonly string[];
  readonly errors: string;
}

/** Runs the story of an example like its `start` script, in a clean environment. */
export function play(
  example: string,
  options: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Played> {
  return new Promise((resolve) => {
    const main = fileURLToPath(new URL(`../../examples/${example}/dist/main.js`, import.meta.url));
    const child = execFile(process.execPath, [main, ...options], { env: environment }, (_error, stdout, stderr) => {
      resolve({ exitCode: child.exitCode, lines: stdout.split('\n'), errors: stderr });
    });
  });
}

/** The requests whose answers the story expected: `POST /pulls 403 policy_denied`. */
export function exchangesOf({ lines }: Played): string[] {
  return lines.flatMap((line) => {
    const [, request, status, code] =
      /^ {3}ok ((?:[a-z]+ )?[A-Z]+ \S+) +(\d{3})(?: [A-Z][A-Za-z]*)+(?: +([a-z_]+))?$/.exec(line) ?? [];
    return request === undefined ? [] : [[request, status, code].join(' ').trim()];
  });
}

/** The lines of the audit log without their time, split into cells. */
export function recordsOf({ lines }: Played): string[] {
  return lines.flatMap((line) => /^\d{2}:\d{2}:\d{2} {2}(.*)/.exec(line)?.[1]?.split(/ {2,}/).join('|') ?? []);
}

/** Signs of failure: the exit code, warnings, and lines wider than a terminal. */
export function faultsOf({ exitCode, lines, errors }: Played): unknown {
  return {
    exitCode,
    errors,
    ending: lines.at(-2),
    unprintable: lines.filter((line) => !/^[\x20-\x7e]*$/.test(line)),
    long: lines.filter((line) => line.length > 100),
  };
}

export const faultless: unknown = {
  exitCode: 0,
  errors: '',
  ending: 'ok Every answer was the expected one, and every refusal is in the log.',
  unprintable: [],
  long: [],
};
