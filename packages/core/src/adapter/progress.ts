import type { IncomingMessage } from 'node:http';

/** What has become of a request that was let in. */
export interface Progress {
  /** The target that was verified, whatever an inner host shows. */
  readonly target: string;
  /** Whether routes that ask for no permission are closed to this request. */
  closed: boolean;
  /** Whether a decision counts for every route below: the coarse one, or that of a `permit` before all routes. */
  covered: boolean;
  /** Whether the coarse decision of `everyRequest` was made. */
  coarselyDecided: boolean;
  /** Whether a `permit(false)` has let every verified agent in. */
  exempt: boolean;
  /** What the permits of this request said. One that refuses is never undone by another. */
  permits: 'none' | 'allowed' | 'refused';
}

// Not a part of `Admission`, which applications can reach: they must not be able to write here.
const kept = new WeakMap<IncomingMessage, Progress>();

export function beginProgress(request: IncomingMessage, target: string): Progress {
  const progress: Progress = {
    target,
    closed: false,
    covered: false,
    coarselyDecided: false,
    exempt: false,
    permits: 'none',
  };
  kept.set(request, progress);
  return progress;
}

/** Undefined when no guard let this request in. */
export function progressOf(request: IncomingMessage): Progress | undefined {
  return kept.get(request);
}
