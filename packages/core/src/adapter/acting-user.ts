import type { IncomingMessage } from 'node:http';
import type { Subject } from '../model/caller.js';
import { admissionOf } from './admission.js';
import { progressOf } from './progress.js';

/**
 * The user on whose behalf the agent acts, once a `permit` of this very request has allowed it. Undefined before that and
 * after a refusal, for an agent that acts for itself, for people, and where only `permit(false)` or `everyRequest` let
 * the request in: neither says that the agent may do this as the user.
 */
export function actingUserOf(request: IncomingMessage): Subject | undefined {
  if (progressOf(request)?.permits !== 'allowed') return undefined;
  const subject = admissionOf(request)?.caller?.subject;
  return subject?.type === 'user' ? subject : undefined;
}
