export {
  type AgentAuthOptions,
  actingUser,
  agentAuth,
  type ExpressErrorHandler,
  getCaller,
  noteThrown,
} from './agent-auth.js';
export { Permit, permit } from './permit.js';
export type { ExpressMiddleware, ExpressRequest, RouteRequest } from './request-types.js';
export type { Subject } from '@countersign/core';
export type { PermitOptions, ResourceOf } from '@countersign/core/adapter';
