import {
  admissionOf,
  nodeCall,
  type PermitOptions,
  type Permits,
  permitCheck,
  permitDecorator,
  type ResourceOf,
} from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import { type Step, whileHeld } from './step.js';

/**
 * Asks policy for an action; the decision is recorded first.
 *
 * @throws ConfigError when an argument is missing or wrong.
 * @example
 * ```ts
 * const mayRead = permit('invoice.read', { type: 'Dataset', id: 'billing' });
 * if (!(await mayRead(request, response))) return; // answered already
 * ```
 */
export function permit<Request = IncomingMessage>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): Step<Request & IncomingMessage>;
/** `permit(false)`: admits every verified agent without a decision. `actingUser` stays undefined there. */
export function permit(action: false): Step;
export function permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options?: PermitOptions,
): Step<Request & IncomingMessage> {
  const check = permitCheck(action, resource, options);
  return async function permit(request, response, next) {
    const exchange = { request, response, guard: () => admissionOf(request)?.guard };
    if (!(await whileHeld('permit', exchange, (respond) => check(request, request, respond)))) return false;
    await next?.();
    return true;
  };
}

/**
 * `permit` for handlers that are methods of a class: a standard (TC39) decorator that also works as a legacy one. The
 * method becomes asynchronous, and runs only with the permission.
 *
 * @throws ConfigError when an argument is wrong, or when it decorates something other than a method.
 * @example
 * ```ts
 * class Invoices {
 *   @Permit('invoice.read', { type: 'Dataset', id: 'billing' })
 *   list(request: IncomingMessage, response: ServerResponse) { … }
 * }
 * ```
 */
export const Permit: Permits<IncomingMessage> = permitDecorator({
  needs: 'its request and response',
  callOf: nodeCall,
});
