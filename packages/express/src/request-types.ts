import type { Caller } from '@countersign/core';

declare global {
  namespace Express {
    interface Request {
      /** Who calls; set by `agentAuth` once the request has verified, absent before and on unguarded routes. */
      readonly caller?: Caller;
    }
  }
}
