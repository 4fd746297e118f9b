export { type AgentAuthOptions, type AgentState, actingUser, agentAuth, getCaller } from './agent-auth.js';
export type { KoaContext, KoaMiddleware } from './context.js';
export { Permit, permit, type RouteContext } from './permit.js';
export type { PermitOptions, ResourceOf, Subject } from '@countersign/core';
