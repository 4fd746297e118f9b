import { parseScope } from '@countersign/delegation';
import { checkOptionNames, ConfigError } from '../config-error.js';
import type { Guard } from '../guard.js';
import { isResource } from '../policy/is-resource.js';
import type { AdmissionOptions, LeaveRequest } from './admission.js';

/** What every adapter's `permit` and `Permit` take besides action and resource. */
export type PermitOptions = Pick<LeaveRequest, 'requires' | 'agentsOnly'>;

const admissionOptionNames = [
  'onRefusal',
  'everyRequest',
  'streamBody',
] as const satisfies readonly (keyof AdmissionOptions)[];
const permitOptionNames = ['requires', 'agentsOnly'] as const satisfies readonly (keyof PermitOptions)[];

/**
 * Checks what an application hands to `agentAuth`. `more` names the options that only this host has.
 *
 * @throws ConfigError that says what to do.
 */
export function checkAdmissionOptions(guard: Guard, options: AdmissionOptions, more: readonly string[] = []): void {
  if (guard instanceof Promise) {
    throw new ConfigError("agentAuth: the guard is a promise. Write 'await' before createGuard(…).");
  }
  if (typeof guard?.authenticate !== 'function') {
    throw new ConfigError('agentAuth: this is no guard. Write agentAuth(await createGuard({ … })).');
  }
  checkOptionNames('agentAuth', options, [...admissionOptionNames, ...more]);
  const { onRefusal = 'respond', everyRequest = false, streamBody } = options;
  if (onRefusal !== 'respond' && onRefusal !== 'throw') {
    throw new ConfigError("agentAuth: 'onRefusal' must be 'respond' or 'throw'.");
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
  if (typeof resource === 'object' && !isResource(resource)) {
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
