export type { Subject } from '@countersign/core';
export type { AdmissionOptions as AgentAuthOptions, PermitOptions, ResourceOf } from '@countersign/core/adapter';
export { type AgentState, actingUser, agentAuth, getCaller } from './agent-auth.js';
export type { KoaContext, KoaMiddleware } from './context.js';
export { Permit, permit, type RouteContext } from './permit.js';
