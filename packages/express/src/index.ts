import './request-types.js';

export { type AgentAuthOptions, agentAuth, getCaller, noteThrown } from './agent-auth.js';
export { Permit, permit, type ResourceOf } from './permit.js';
export type { PermitOptions } from '@countersign/core';
