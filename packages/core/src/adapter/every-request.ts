import type { IncomingMessage } from 'node:http';
import { pathOf } from '../stages/address/target.js';
import type { PermissionRequest } from './permitted.js';

/**
 * The one coarse decision of a request whose routes we cannot know: action `http.post` on `Path::"/repos/acme/api"`,
 * with the path as it was signed: undecoded, without the query.
 */
export function everyRequestPermission({ method = '' }: IncomingMessage, target: string): PermissionRequest {
  return { action: `http.${method.toLowerCase()}`, resource: () => ({ type: 'Path', id: pathOf(target) }) };
}
