import { errorMessage, FailureThrottles, kindOf } from '@countersign/common';

/** Reports requests that failed through a fault of ours: of many alike the first, the second, the fourth …, then that it ended. */
export interface RequestTrouble {
  readonly failed: (error: unknown) => void;
  readonly succeeded: () => void;
}

export function createRequestTrouble(onTrouble: (message: string) => void): RequestTrouble {
  const failures = new FailureThrottles(Date.now);
  return {
    failed(error) {
      const failure = failures.of(kindOf(error));
      if (failure.recordFailure()) onTrouble(`a request failed: ${errorMessage(error)} (${failure.timesText} so far)`);
    },
    succeeded() {
      for (const [kind, times] of failures.recordSuccess())
        onTrouble(`requests work again after ${kind} (${times} times)`);
    },
  };
}
