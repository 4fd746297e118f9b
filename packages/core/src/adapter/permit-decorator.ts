import type { IncomingMessage, ServerResponse } from 'node:http';
import { Stream } from 'node:stream';
import { ConfigError } from '@countersign/common';
import { type HandlerMark, isPermit, markHandler } from './handler-mark.js';
import type { PermitOptions } from './options.js';
import { permissionCheck, type ResourceOf } from './permission.js';
import { type Respond, sendRefusal } from './send-refusal.js';

type Method = (this: never, ...args: never[]) => unknown;

/**
 * Works as a standard (TC39) decorator and as a legacy one (`experimentalDecorators`), on methods only. The decorated
 * method becomes asynchronous, and its body runs only if the caller has the permission.
 */
export interface PermitDecorator {
  <T extends Method>(method: T, context: ClassMethodDecoratorContext): T;
  <T extends Method>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<T>): void;
}

/** The request that a decorated method was called with: as Node shows it, as the host shows it, and how to answer it. */
export interface HandlerCall {
  readonly node: IncomingMessage;
  readonly request: unknown;
  readonly respond: Respond;
}

/** How a host calls the methods of controllers. */
export interface HandlerHost {
  /** Names the arguments that a method needs, for an error: `its request and response`. */
  readonly needs: string;
  /**
   * Finds the request among the arguments of a call, never in the surroundings: a batch may serve several callers.
   * Undefined: the call has none, so the method must not run.
   */
  readonly callOf: (args: readonly unknown[]) => HandlerCall | undefined;
  /** Handles an error of the method or of the check. Default: the promise of the method rejects. */
  readonly onError?: (error: unknown, args: readonly unknown[]) => void;
  /** Marks the decorated method. Default `markHandler`. */
  readonly mark?: typeof markHandler;
}

/** The `@Permit` of a host whose routes have requests of type `Route`. */
export type Permits<Route> = <Request = Route>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
) => PermitDecorator;

/**
 * Makes the `@Permit` of a host. It wraps the method and does not tag it: passing `controller.create.bind(…)` or an arrow
 * function to a router would lose a tag, but never a wrapper.
 *
 * @returns a function that throws a ConfigError if an argument is wrong; the decorator throws one if it decorates
 * something other than a method.
 */
export function permitDecorator<Route>(host: HandlerHost): Permits<Route> {
  return (action, resource, options) => {
    const check = permissionCheck('@Permit', action, resource, options);
    const name = `@Permit('${action}')`;
    async function isAllowed(args: readonly unknown[]): Promise<boolean> {
      const call = host.callOf(args);
      if (call === undefined) throw new Error(`${name}: pass the method ${host.needs}`);
      return await check(call.node, call.request as Parameters<typeof check>[1], call.respond);
    }
    return methodDecorator(name, isAllowed, host);
  };
}

/** Finds the request and the response of Node among the arguments of a call. By shape: HTTP/2 has classes of its own. */
export function nodeCall(args: readonly unknown[]): HandlerCall | undefined {
  const node: ServedRequest | undefined = args.find(isNodeRequest);
  const found = args.find((argument) => isStream(argument) && 'writeHead' in argument) as ServerResponse | undefined;
  // Express keeps it on the request, for methods that take the request alone.
  const response = found ?? node?.res;
  if (node === undefined || response === undefined) return undefined;
  return { node, request: node, respond: (refused) => sendRefusal(response, refused) };
}

type ServedRequest = IncomingMessage & { readonly res?: ServerResponse };

/** Whether a value is a request of Node, and not the body of one that has the same members. */
export function isNodeRequest(value: unknown): value is IncomingMessage {
  return isStream(value) && 'rawHeaders' in value;
}

/** No client can send one, whatever the members of its body. */
function isStream(value: unknown): value is Stream {
  return value instanceof Stream;
}

type IsAllowed = (args: readonly unknown[]) => Promise<boolean>;
type MethodOptions = Pick<HandlerHost, 'onError' | 'mark'>;

/** Makes a decorator of methods. If `isAllowed` resolves to false, the call has been answered and the method does not run. */
export function methodDecorator(name: string, isAllowed: IsAllowed, options: MethodOptions = {}): PermitDecorator {
  function decorate(first: unknown, second: unknown, third?: unknown): unknown {
    if (isStandardContext(second)) {
      if (second.kind !== 'method') throw misuse(name, second.kind);
      return wrap(name, first as Method, isAllowed, options);
    }
    const descriptor = third as TypedPropertyDescriptor<Method> | undefined;
    if (typeof descriptor?.value !== 'function') throw misuse(name, 'something else');
    descriptor.value = wrap(name, descriptor.value, isAllowed, options);
    return undefined;
  }
  return decorate as PermitDecorator;
}

function rethrow(error: unknown): never {
  throw error;
}

function wrap(
  name: string,
  method: Method,
  isAllowed: IsAllowed,
  { onError = rethrow, mark = markHandler }: MethodOptions,
): Method {
  if (isPermit(method)) {
    throw new ConfigError(`${name}: the method ${method.name} has a permit already. One action for one method.`);
  }
  const guarded = async function guarded(this: never, ...args: never[]): Promise<unknown> {
    try {
      return (await isAllowed(args)) ? await method.apply(this, args) : undefined;
    } catch (error) {
      return onError(error, args);
    }
  };
  // Routers read the name and the number of parameters, other decorators read reflect-metadata.
  Object.defineProperty(guarded, 'name', { value: method.name, configurable: true });
  Object.defineProperty(guarded, 'length', { value: method.length, configurable: true });
  copyMetadata(method, guarded);
  const handlerMark: HandlerMark = { role: 'permit', runsMethod: true };
  return marked(guarded, (handler) => mark(handler, handlerMark));
}

/** Keeps the mark on bound copies, which people give to routers. */
function marked(guarded: Method, mark: (handler: Method) => Method): Method {
  return Object.defineProperty(mark(guarded), 'bind', {
    value: (...args: Parameters<typeof Function.prototype.bind>) =>
      marked(Function.prototype.bind.apply(guarded, args) as Method, mark),
    configurable: true,
  });
}

/** The part of the `reflect-metadata` polyfill that is needed here, if an application has loaded it. */
interface MetadataReflection {
  readonly getOwnMetadataKeys?: (target: object) => readonly unknown[];
  readonly getOwnMetadata?: (key: unknown, target: object) => unknown;
  readonly defineMetadata?: (key: unknown, value: unknown, target: object) => void;
}

function copyMetadata(from: object, to: object): void {
  const { getOwnMetadataKeys, getOwnMetadata, defineMetadata }: MetadataReflection = Reflect as MetadataReflection;
  for (const key of getOwnMetadataKeys?.(from) ?? []) defineMetadata?.(key, getOwnMetadata?.(key, from), to);
}

function isStandardContext(value: unknown): value is { readonly kind: string } {
  return typeof value === 'object' && value !== null && 'kind' in value;
}

function misuse(name: string, kind: string): ConfigError {
  return new ConfigError(`${name} decorates methods, not ${kind}. Put it on the handler method of a controller class.`);
}
