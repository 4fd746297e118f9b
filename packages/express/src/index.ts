import './request-types.js';

export { type AgentAuthOptions, agentAuth, getCaller, noteThrown } from './agent-auth.js';
export { type PermitOptions, permit, type ResourceOf } from './permit.js';
