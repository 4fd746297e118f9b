import './request-types.js';

export { type AgentAuthOptions, agentAuth, getCaller, noteThrown } from './agent-auth.js';
export { Permit, type PermitHandler, permit, type ResourceOf } from './permit.js';
export type { PermitOptions } from '@countersign/core';
