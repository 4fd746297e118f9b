import type { IncomingMessage } from 'node:http';
import { parseScope } from '@countersign/delegation';
import { checkOptionNames, ConfigError, errorMessage, flagOption, oneOfOption } from '@countersign/common';
import type { RefusalLogger } from './log-refusal.js';
import { NoSuchResource } from '../model/permission.js';
import { namedResource } from './resource.js';

/** How an application wants its requests admitted; every adapter takes these options. */
export interface AdmissionOptions {
  /**
   * `respond` (default): the refusal is the answer. `throw`: it goes to your error handler as a `RefusalError`, and the
   * handler must answer: what it lets go on is refused again by each permit, and runs where no permit is asked.
   */
  readonly onRefusal?: 'respond' | 'throw';
  /**
   * Puts every request to policy once, coarsely: action `http.post` on `Path::"/repos/acme/api/pulls"`. For hosts
   * that cannot know their routes. No route is unmapped then. Default false.
   */
  readonly everyRequest?: boolean;
  /**
   * How an agent is answered on a route without a permit. `refuse` (default): 403 `route_unmapped`, before any of its
   * handlers runs. `authenticated`: the agent is admitted, and the outcome is recorded as `undecided`.
   */
  readonly unmapped?: 'refuse' | 'authenticated';
  /**
   * Selects the requests whose body is streamed: it flows to the handler while it is digested, and only its end waits
   * for the digest. Such a handler must do nothing final before the end. Default: none, every body is held until it
   * has verified.
   */
  readonly streamBody?: (request: IncomingMessage) => boolean;
  /**
   * Gets one line for each refusal: level `info`, or `error` if the answer is 500 or above. A logger of pino, or one with
   * the same two methods. Default on Fastify: the logger of the request; elsewhere none.
   */
  readonly logger?: RefusalLogger;
}

/** The options of every adapter's `permit` and `Permit`. */
export interface PermitOptions {
  /** A scope that the caller must hold in addition to the policy's permit, like `pr:write:draft`. */
  readonly requires?: string;
  /** In mixed traffic: refuse everyone who is not an agent. Default false: the application decides about them. */
  readonly agentsOnly?: boolean;
}

/** The options of `agentAuth` on every host with a router. */
export const admissionOptionNames: readonly (keyof AdmissionOptions)[] = [
  'onRefusal',
  'everyRequest',
  'streamBody',
  'unmapped',
  'logger',
];
const permitOptionNames = ['requires', 'agentsOnly'] as const satisfies readonly (keyof PermitOptions)[];

/**
 * Checks the options of `agentAuth`.
 *
 * @throws ConfigError that says what to do.
 */
export function checkAdmissionOptions(
  options: AdmissionOptions,
  names: readonly string[] = admissionOptionNames,
): void {
  checkOptionNames('agentAuth', options, names);
  const { onRefusal = 'respond', everyRequest = false, streamBody, unmapped = 'refuse', logger } = options;
  oneOfOption('agentAuth', 'onRefusal', onRefusal, ['respond', 'throw']);
  oneOfOption('agentAuth', 'unmapped', unmapped, ['refuse', 'authenticated']);
  flagOption('agentAuth', 'everyRequest', everyRequest);
  if (logger !== undefined && (typeof logger?.info !== 'function' || typeof logger.error !== 'function')) {
    throw new ConfigError("agentAuth: 'logger' must have the methods info() and error(), like a logger of pino.");
  }
  if (streamBody !== undefined && typeof streamBody !== 'function') {
    throw new ConfigError("agentAuth: 'streamBody' must be a function that says which requests, like (request) => ….");
  }
}

/**
 * Checks the arguments of `permit` or `Permit`.
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
  if (typeof resource === 'object') checkConstant(`${name}('${action}')`, resource);
  checkOptionNames(`${name}('${action}')`, options, permitOptionNames);
  const { requires, agentsOnly = false } = options;
  const scope = requires === undefined ? undefined : parseScope(requires);
  if (scope?.ok === false) {
    throw new ConfigError(
      `${name}('${action}'): 'requires' must be a scope, like 'pr:write:draft', or several with a space between.`,
    );
  }
  flagOption(`${name}('${action}')`, 'agentsOnly', agentsOnly);
}

function checkConstant(owner: string, resource: object | null): void {
  try {
    namedResource(resource);
  } catch (error) {
    // Where a host has no routes, it may be that of one request.
    if (error instanceof NoSuchResource) return;
    throw new ConfigError(`${owner}: write a resource like { type: 'Repo', id: 'acme/api' }: ${errorMessage(error)}.`);
  }
}
