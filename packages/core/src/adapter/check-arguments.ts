import { parseScope } from '@countersign/delegation';
import { checkOptionNames, ConfigError } from '@countersign/common';
import { isResource } from '@countersign/policy';
import type { AdmissionOptions } from './admit.js';
import type { PermissionRequest } from './permitted.js';
import { withTextId } from './route-resource.js';

/** What every adapter's `permit` and `Permit` take besides action and resource. */
export type PermitOptions = Pick<PermissionRequest, 'requires' | 'agentsOnly'>;

/** The options of `agentAuth` on every host that has a router. */
export const admissionOptionNames: readonly (keyof AdmissionOptions)[] = [
  'onRefusal',
  'everyRequest',
  'streamBody',
  'unmapped',
];
const permitOptionNames = ['requires', 'agentsOnly'] as const satisfies readonly (keyof PermitOptions)[];

/**
 * Checks what an application hands to `agentAuth`.
 *
 * @throws ConfigError that says what to do.
 */
export function checkAdmissionOptions(
  options: AdmissionOptions,
  names: readonly string[] = admissionOptionNames,
): void {
  checkOptionNames('agentAuth', options, names);
  const { onRefusal = 'respond', everyRequest = false, streamBody, unmapped = 'refuse' } = options;
  if (onRefusal !== 'respond' && onRefusal !== 'throw') {
    throw new ConfigError("agentAuth: 'onRefusal' must be 'respond' or 'throw'.");
  }
  if (unmapped !== 'refuse' && unmapped !== 'authenticated') {
    throw new ConfigError("agentAuth: 'unmapped' must be 'refuse' or 'authenticated'.");
  }
  if (typeof everyRequest !== 'boolean') throw new ConfigError("agentAuth: 'everyRequest' must be true or false.");
  if (streamBody !== undefined && typeof streamBody !== 'function') {
    throw new ConfigError("agentAuth: 'streamBody' must be a function that says which requests, like (request) => ….");
  }
}

/**
 * Checks what an application hands to `permit` or `Permit`.
 *
 * @throws ConfigError that says what to do.
 */
export function checkPermission(name: string, action: string, resource: unknown, options: PermitOptions): void {
  if (typeof action !== 'string' || action === '') {
    throw new ConfigError(`${name}: name the action, like ${name}('pr.create', …).`);
  }
  if (typeof resource !== 'function' && (typeof resource !== 'object' || resource === null)) {
    throw new ConfigError(
      `${name}('${action}'): name the resource, like { type: 'Repo', id: 'acme/api' }, or a function that makes it.`,
    );
  }
  if (typeof resource === 'object' && !isResource(withTextId(resource))) {
    throw new ConfigError(
      `${name}('${action}'): a resource needs a type and an id, like { type: 'Repo', id: 'acme/api' }.`,
    );
  }
  checkOptionNames(`${name}('${action}')`, options, permitOptionNames);
  const { requires, agentsOnly = false } = options;
  const scope = requires === undefined ? undefined : parseScope(requires);
  if (scope !== undefined && (!scope.ok || scope.scope.length !== 1)) {
    throw new ConfigError(`${name}('${action}'): 'requires' must be one scope, like 'pr:write:draft'.`);
  }
  if (typeof agentsOnly !== 'boolean')
    throw new ConfigError(`${name}('${action}'): 'agentsOnly' must be true or false.`);
}
