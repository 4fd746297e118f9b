import type { AgentState } from '@countersign/koa';
import type { Middleware } from 'koa';
import type { Sessions } from './sessions.js';

/** The sender of a request: a person, or an agent for a user. */
export type Who =
  | { readonly kind: 'person'; readonly id: string }
  | { readonly kind: 'agent'; readonly id: string; readonly onBehalfOf: string };

/** The members of `ctx.state` in every handler. */
export interface TicketState extends AgentState {
  who: Who;
}

export const sessionCookie = 'session';

/**
 * Identifies the sender of a request, person or agent. Mounted after `agentAuth`, so an agent has been verified. An
 * agent's cookie is ignored: a request has one sender.
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
