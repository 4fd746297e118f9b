import type { IncomingMessage } from 'node:http';
import { admissionOf } from './admission.js';
import { progressOf } from './progress.js';

/** Whether a route that asks for no permission is closed to this request: an agent's, and nothing before decided. */
export function closesUnmapped(request: IncomingMessage): boolean {
  const progress = progressOf(request);
  return progress?.closed === true && !progress.covered && admissionOf(request)?.caller !== undefined;
}

/** Says that what has just been allowed counts for every route below. */
export function coverBelow(request: IncomingMessage): void {
  const progress = progressOf(request);
  if (progress !== undefined) progress.covered = true;
}

/**
 * Refuses an agent on a route that asks for no permission, where such routes are closed. Resolves to whether it did, and
 * the request has been answered.
 *
 * @throws RefusalError where the application wants refusals thrown.
 */
export async function refuseUnmapped(request: IncomingMessage, route: string): Promise<boolean> {
  return closesUnmapped(request) && (await refuseAgent(request, route));
}

/** The same on a route that is closed to agents whatever `agentAuth` says. */
export async function refuseAgent(request: IncomingMessage, route: string): Promise<boolean> {
  const admission = admissionOf(request);
  if (admission?.caller === undefined) return false;
  admission.refuse(await admission.guard.unmapped(admission.caller, route));
  return true;
}
