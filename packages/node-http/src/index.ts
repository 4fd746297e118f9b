export { type AgentAuthOptions, actingUser, agentAuth, getCaller } from './agent-auth.js';
export { Permit, permit } from './permit.js';
export type { Step } from './step.js';
export type { PermitOptions, ResourceOf, Subject } from '@countersign/core';
