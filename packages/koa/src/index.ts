export { type AgentAuthOptions, type AgentState, actingUser, agentAuth, getCaller } from './agent-auth.js';
export type { KoaContext, KoaMiddleware } from './context.js';
export { Permit, permit, type RouteContext } from './permit.js';
export type { Subject } from '@countersign/core';
export type { PermitOptions, ResourceOf } from '@countersign/core/adapter';
