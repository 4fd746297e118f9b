/** Exit codes of the process. The help prints them. */
export const exitCodes = { ok: 0, failed: 1, usage: 2, unproven: 3, refused: 22 } as const;

/** Ends a command with a message for people and an exit code for scripts. Never shown with a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.failed) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The message of any thrown value; for a failed fetch, the underlying reason. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  if (!(cause instanceof Error)) return error.message;
  const code = 'code' in cause ? String(cause.code) : undefined;
  return cause.message === '' ? (code ?? error.message) : cause.message;
}
