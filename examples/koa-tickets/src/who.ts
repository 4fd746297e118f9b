import type { AgentState } from '@countersign/koa';
import type { Middleware } from 'koa';
import type { Sessions } from './sessions.js';

/** Who does something here: a person, or an agent for somebody. */
export type Who =
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'agent'; readonly id: string; readonly onBehalfOf: string };

/** What `ctx.state` holds in every handler. */
export interface TicketState extends AgentState {
  who: Who;
}

export const sessionCookie = 'session';

/**
 * Says who a request is from, for people and agents alike. Mounted after `agentAuth`, so an agent has been verified. An
 * agent's cookie counts for nothing: a request is from one or the other, and never from whom it likes.
 */
export function known(sessions: Sessions): Middleware<TicketState> {
  return async (ctx, next) => {
    const { caller } = ctx.state;
    const person = sessions.personOf(ctx.cookies.get(sessionCookie));
    if (caller !== undefined) {
      ctx.state.who = { kind: 'agent', id: caller.actor.id, onBehalfOf: caller.subject.id };
    } else if (person !== undefined) {
      ctx.state.who = { kind: 'person', id: person };
    } else {
      ctx.status = 401;
      ctx.body = { error: 'sign in first' };
      return;
    }
    await next();
  };
}
