export type { Subject } from '@countersign/core';
export type { PermitOptions, ResourceOf } from '@countersign/core/adapter';
export { type AgentAuthOptions, agentAuth } from './agent-auth.js';
export { actingUser, getCaller } from './exchange.js';
export { Permit, type PermitRoute, permit } from './permit.js';
export type { PermitRequest, RoutePermit } from './route-permit.js';
