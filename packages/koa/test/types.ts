// Compiled with the tests and never run: it asserts types.
import { Router, type RouterContext } from '@koa/router';
import type { Caller, Guard } from '@countersign/core';
import Koa from 'koa';
import { type AgentState, agentAuth, getCaller, Permit, permit } from '../src/index.js';

declare const guard: Guard;

const app = new Koa<AgentState & { user?: string }>();
app.use(agentAuth(guard));
app.use(agentAuth(guard, { onRefusal: 'throw', everyRequest: true }));

app.use((ctx) => {
  const caller: Caller | undefined = getCaller(ctx);
  // @ts-expect-error there may be no caller
  ctx.body = ctx.state.caller.actor.id;
  // @ts-expect-error only the guard sets the caller
  ctx.state.caller = caller;
  // @ts-expect-error a caller is readonly
  if (ctx.state.caller) ctx.state.caller.actor.id = 'admin';
});

// Resource and handler have the type of the route's context.
const router = new Router<AgentState>();
router.post(
  '/repos/:owner/pulls',
  permit('pr.create', ({ params }) => ({ type: 'Repo', id: `${params['owner']}/api` }), { requires: 'pr:write' }),
  (ctx) => {
    ctx.body = { owner: ctx.params['owner'], by: ctx.state.caller?.actor.id };
  },
);
app.use(router.routes());
app.use(permit('read', { type: 'Thing', id: '1' }));

export class Things {
  @Permit('read', ({ params }) => ({ type: 'Thing', id: `${params['id']}` }))
  async read(ctx: RouterContext<AgentState>): Promise<void> {
    ctx.body = 'x';
  }

  // @ts-expect-error only methods have a permit
  @Permit('read', { type: 'Thing', id: '1' })
  readonly field: number = 1;
}

// @ts-expect-error a guard is needed
agentAuth();
// @ts-expect-error there are two ways to refuse
agentAuth(guard, { onRefusal: 'ignore' });
// @ts-expect-error a resource is needed
permit('read');
// @ts-expect-error a resource has an id
permit('read', { type: 'Thing' });
// @ts-expect-error no such option
permit('read', { type: 'Thing', id: '1' }, { require: 'x' });
