import { ConfigError } from '@countersign/common';
import { type HandlerMark, isPermit, markHandler } from './handler-mark.js';

type Method = (this: never, ...args: never[]) => unknown;

/**
 * Works as a standard (TC39) decorator and as a legacy one (`experimentalDecorators`), on methods only. The decorated
 * method becomes asynchronous, and its handler runs only if it is permitted.
 */
export interface PermitDecorator {
  <T extends Method>(method: T, context: ClassMethodDecoratorContext): T;
  <T extends Method>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<T>): void;
}

/** Asks leave for one call of the method; false: the call has been answered and the method must not run. */
export type AskPermission = (args: readonly unknown[]) => Promise<boolean>;

/** What is different on some hosts. */
export interface PermitDecoratorOptions {
  /** What a guarded method makes of an error, its own or that of asking. Default: its promise rejects. */
  readonly onError?: (error: unknown, args: readonly unknown[]) => void;
  /** Marks what the decorator made. Default `markHandler`. */
  readonly mark?: typeof markHandler;
}

/**
 * Makes a decorator that wraps the method rather than tags it: a tag is lost when people pass `controller.create.bind(…)`
 * or an arrow function to their router, a wrapper never is.
 */
export function permitDecorator(
  name: string,
  ask: AskPermission,
  options: PermitDecoratorOptions = {},
): PermitDecorator {
  function decorate(first: unknown, second: unknown, third?: unknown): unknown {
    if (isStandardContext(second)) {
      if (second.kind !== 'method') throw misuse(name, second.kind);
      return wrap(name, first as Method, ask, options);
    }
    const descriptor = third as TypedPropertyDescriptor<Method> | undefined;
    if (typeof descriptor?.value !== 'function') throw misuse(name, 'something else');
    descriptor.value = wrap(name, descriptor.value, ask, options);
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
  ask: AskPermission,
  { onError = rethrow, mark = markHandler }: PermitDecoratorOptions,
): Method {
  if (isPermit(method)) {
    throw new ConfigError(`${name}: the method ${method.name} has a permit already. One action for one method.`);
  }
  const guarded = async function guarded(this: never, ...args: never[]): Promise<unknown> {
    try {
      return (await ask(args)) ? await method.apply(this, args) : undefined;
    } catch (error) {
      return onError(error, args);
    }
  };
  // Routers look at the name and at the number of parameters, other decorators at reflect-metadata.
  Object.defineProperty(guarded, 'name', { value: method.name, configurable: true });
  Object.defineProperty(guarded, 'length', { value: method.length, configurable: true });
  copyMetadata(method, guarded);
  const handlerMark: HandlerMark = { role: 'permit' };
  return marked(guarded, (handler) => mark(handler, handlerMark));
}

/** Hosts that know their routes ask whether a handler is guarded, and people bind the methods that they hand to a router. */
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
