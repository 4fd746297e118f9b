export { type AgentAuthOptions, type AgentState, agentAuth, getCaller } from './agent-auth.js';
export type { KoaContext, KoaMiddleware } from './context.js';
export { Permit, permit, type RouteContext } from './permit.js';
export type { PermitOptions, ResourceOf } from '@countersign/core';
