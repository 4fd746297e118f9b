export type { Subject } from '@countersign/core';
export { actingUserOf as actingUser, callerOf as getCaller } from '@countersign/core/adapter';
export type { PermitOptions, ResourceOf } from '@countersign/core/adapter';
export { type AgentAuthOptions, agentAuth } from './agent-auth.js';
export { Permit, permit } from './permit.js';
export type { Step } from './step.js';
