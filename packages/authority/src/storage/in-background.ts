import { errorMessage, FailureThrottle } from '@countersign/common';

export interface Background {
  /** Runs now as well, after the run that may be going on. */
  readonly nudge: () => void;
  /** Resolves when nothing runs any more. */
  close(): Promise<void>;
}

interface BackgroundOptions {
  readonly everyMilliseconds: number;
  /** What a report of a failure begins with. */
  readonly trouble: string;
  readonly onTrouble: (message: string) => void;
}

/** Runs something again and again, one run at a time. A failure is reported and tried again. */
export function inBackground(
  run: () => Promise<unknown>,
  { everyMilliseconds, trouble, onTrouble }: BackgroundOptions,
): Background {
  const failures = new FailureThrottle(Date.now);
  let running: Promise<void> = Promise.resolve();

  async function tryRun(): Promise<void> {
    try {
      await run();
      failures.recordSuccess();
    } catch (error) {
      if (failures.recordFailure()) onTrouble(`${trouble}: ${errorMessage(error)}`);
    }
  }

  function nudge(): void {
    running = running.then(tryRun);
  }

  const timer = setInterval(nudge, everyMilliseconds);
  timer.unref();
  return {
    nudge,
    async close() {
      clearInterval(timer);
      await running;
    },
  };
}
