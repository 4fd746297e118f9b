export { type AgentAuthOptions, actingUser, agentAuth, getCaller } from './agent-auth.js';
export { Permit, permit } from './permit.js';
export type { Step } from './step.js';
export type { Subject } from '@countersign/core';
export type { PermitOptions, ResourceOf } from '@countersign/core/adapter';
