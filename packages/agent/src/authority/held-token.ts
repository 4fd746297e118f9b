import type { IssuedToken } from './token-endpoint.js';

/** A token that is got when it is first needed, and again before it expires. */
export interface HeldToken {
  /** The token; a new one if the old one has expired. */
  current(): Promise<string>;
}

/** The part of its life after which a token is replaced. */
const freshPart = 0.75;
/** After a failure the old token is used at least so long, before the authority is asked again. */
const retrySeconds = 5;

interface Held {
  readonly token: string;
  readonly expiresAt: number;
  /** From then on a new one is asked for. */
  refreshAt: number;
}

/** `get` asks for a new token; it is never asked twice at the same time. `now` is unix seconds. */
export function holdToken(get: () => Promise<IssuedToken>, now: () => number): HeldToken {
  let held: Held | undefined;
  let flight: Promise<string> | undefined;

  async function renew(): Promise<string> {
    const asked = now();
    const { token, expiresAt } = await get();
    held = { token, expiresAt, refreshAt: asked + freshPart * (expiresAt - asked) };
    return token;
  }

  function renewOnce(): Promise<string> {
    flight ??= renew().finally(() => {
      flight = undefined;
    });
    return flight;
  }

  return {
    async current() {
      const at = now();
      if (held === undefined || at >= held.expiresAt) return await renewOnce();
      if (at >= held.refreshAt) {
        const old = held;
        // In the background: the old token still counts. What is wrong is said once it does not.
        renewOnce().catch(() => {
          old.refreshAt = now() + retrySeconds;
        });
      }
      return held.token;
    },
  };
}
