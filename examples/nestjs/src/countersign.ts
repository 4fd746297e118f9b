import type { IncomingMessage } from 'node:http';
import {
  type Admission,
  admissionOf,
  isPermit,
  type PermissionCheck,
  permissionCheck,
  type PermitOptions,
  type ResourceOf,
} from '@countersign/core/adapter';
import { Catch, createParamDecorator, Inject, Injectable, SetMetadata } from '@nestjs/common';
import type { CanActivate, ExceptionFilter, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

/** A request on any platform of Nest. On Fastify, `raw` is Node's own. */
interface AnyRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly raw?: IncomingMessage;
}

type Check = PermissionCheck<AnyRequest>;
const permissionKey = Symbol('countersign:permission');

/** Declares the permission that a handler needs; `CountersignGuard` enforces it. */
export function Permit(action: string, resource: ResourceOf<AnyRequest>, options: PermitOptions = {}): MethodDecorator {
  return SetMetadata(permissionKey, permissionCheck('@Permit', action, resource, options));
}

/** Injects the verified caller. */
export const Who: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => admissionFor(context.switchToHttp().getRequest()).caller,
);

/** Enforces the permission of each handler. A handler without one is closed to agents. */
@Injectable()
export class CountersignGuard implements CanActivate {
  readonly #reflector: Reflector;

  constructor(@Inject(Reflector) reflector: Reflector) {
    this.#reflector = reflector;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const check = this.#reflector.get<Check | undefined>(permissionKey, context.getHandler());
    if (await mayRun(context, check)) return true;
    throw new Answered(); // not false: Nest would send an answer of its own
  }
}

/** Thrown when the adapter below Nest has sent the refusal. */
class Answered extends Error {}

@Catch(Answered)
export class AnsweredFilter implements ExceptionFilter {
  catch(): void {}
}

async function mayRun(context: ExecutionContext, check: Check | undefined): Promise<boolean> {
  const request = context.switchToHttp().getRequest<AnyRequest>();
  const { caller, guard, refuse } = admissionFor(request);
  if (check !== undefined) return await check(nodeRequest(request), request, () => undefined);
  // The application decides about people; and a method with an adapter's @Permit enforces it by itself.
  if (caller === undefined || isPermit(context.getHandler())) return true;
  const refused = await guard.unmapped(caller, `${context.getClass().name}.${context.getHandler().name}`);
  if (refused === undefined) return true; // the guard only observes
  refuse(refused);
  return false;
}

function nodeRequest(request: AnyRequest): IncomingMessage {
  return request.raw ?? (request as AnyRequest & IncomingMessage);
}

function admissionFor(request: AnyRequest): Admission {
  const admission = admissionOf(nodeRequest(request));
  // Without agentAuth nothing is verified, so no handler may run.
  if (admission === undefined) throw new Error('mount agentAuth before the application starts');
  return admission;
}
