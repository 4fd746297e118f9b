import { checkOptionNames, guardDefaults, guardMaxima, integerOption, numberOption } from '@countersign/common';

export interface OneTimeOptions {
  /** The same as that of the guard, which does not start with a smaller one. Default 5. */
  readonly clockSkewSeconds?: number;
  /** How long a request waits for the store, in seconds. Default 1. */
  readonly timeoutSeconds?: number;
  /**
   * Most signatures of one agent, by all its keys, that this process has reserved and that still count; beyond it the answer
   * is `full` for that agent alone. Default 250 000.
   */
  readonly maxEntriesPerAgent?: number;
}

/** @throws ConfigError when an option is unknown or wrong. */
export function readOneTimeOptions<Options extends OneTimeOptions>(
  owner: string,
  options: Options,
  further: readonly (keyof Options & string)[] = [],
): Required<OneTimeOptions> {
  checkOptionNames(owner, options, ['clockSkewSeconds', 'timeoutSeconds', 'maxEntriesPerAgent', ...further]);
  const {
    clockSkewSeconds = guardDefaults.clockSkewSeconds,
    timeoutSeconds = 1,
    maxEntriesPerAgent = 250_000,
  } = options;
  return {
    clockSkewSeconds: numberOption(owner, 'clockSkewSeconds', clockSkewSeconds, 0, guardMaxima.clockSkewSeconds),
    timeoutSeconds: numberOption(owner, 'timeoutSeconds', timeoutSeconds, 0.01, 60),
    maxEntriesPerAgent: integerOption(owner, 'maxEntriesPerAgent', maxEntriesPerAgent, 1, 100_000_000),
  };
}
