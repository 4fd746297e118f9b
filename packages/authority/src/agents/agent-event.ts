import type { TrailEvent } from '../trail/trail.js';
import type { AgentStatus } from './agent.js';

type By = TrailEvent['event']['by'];

/** Whoever has a token of the admin API, or the program that runs the authority: none of them is a person. */
export const administrator: By = { id: 'an administrator', type: 'administrator' };

export const statusEvents: Readonly<Record<Exclude<AgentStatus, 'pending'>, string>> = {
  active: 'activated',
  suspended: 'suspended',
  revoked: 'revoked',
};

/** What happened to an agent, as the audit log has it. */
export function agentEvent(name: string, id: string, detail?: string, by: By = administrator): TrailEvent {
  return { about: id, event: { name: `agent.${name}`, by }, actor: { id }, ...(detail !== undefined && { detail }) };
}
