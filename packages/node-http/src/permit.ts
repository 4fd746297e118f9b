import {
  type PermitDecorator,
  type PermitOptions,
  permission,
  permitDecorator,
  type ResourceOf,
  sendRefusal,
} from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Step } from './step.js';

/**
 * Puts an action to policy; the decision is written down first.
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
/** `permit(false)`: lets every verified agent in, without a decision. `actingUser` stays undefined there. */
export function permit(action: false): Step;
export function permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options?: PermitOptions,
): Step<Request & IncomingMessage> {
  const enforce = permission('permit', action, resource, options);
  return async function permit(request, response, next) {
    if (!(await enforce(request, request, (refused) => sendRefusal(response, refused)))) return false;
    await next?.();
    return true;
  };
}

/**
 * `permit` for handlers that are methods of a class: a standard (TC39) decorator that also works as a legacy one. The
 * method runs only if it is permitted; it becomes asynchronous.
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
export function Permit<Request = IncomingMessage>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): PermitDecorator {
  const enforce = permission('@Permit', action, resource, options);
  return permitDecorator(`@Permit('${action}')`, async (args) => {
    const request = args.find(isRequest);
    const response = args.find(isResponse);
    // Without a request there is nobody to ask for, so the method must not run.
    if (request === undefined || response === undefined) {
      throw new Error(`@Permit('${action}'): pass the method its request and response`);
    }
    return await enforce(request, request as Request & IncomingMessage, (refused) => sendRefusal(response, refused));
  });
}

// By their shape: over HTTP/2 they are of other classes.
function isRequest(argument: unknown): argument is IncomingMessage {
  return typeof argument === 'object' && argument !== null && 'rawHeaders' in argument;
}

function isResponse(argument: unknown): argument is ServerResponse {
  return typeof argument === 'object' && argument !== null && 'writeHead' in argument;
}
