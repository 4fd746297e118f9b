export type { Subject } from '@countersign/core';
export { actingUserOf as actingUser, callerOf as getCaller } from '@countersign/core/adapter';
export type { AdmissionOptions as AgentAuthOptions, PermitOptions, ResourceOf } from '@countersign/core/adapter';
export { agentAuth, type ExpressErrorHandler, noteThrown } from './agent-auth.js';
export { Permit, permit } from './permit.js';
export type { ExpressMiddleware, ExpressRequest, RouteRequest } from './middleware.js';
