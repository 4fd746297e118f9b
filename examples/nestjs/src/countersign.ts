import type { IncomingMessage } from 'node:http';
import {
  type Admission,
  admissionOf,
  checkPermission,
  isPermit,
  type PermissionRequest,
  permissionRequest,
  type PermitOptions,
  enforcePermission,
  type ResourceOf,
} from '@countersign/core/adapter';
import { Catch, createParamDecorator, Inject, Injectable, SetMetadata } from '@nestjs/common';
import type { CanActivate, ExceptionFilter, ExecutionContext } from '@nestjs/common';
import { Reflector } from '@nestjs/core';

/** A request on any platform of Nest. On Fastify, Node's own is inside of it. */
interface AnyRequest {
  readonly params: Readonly<Record<string, string>>;
  readonly raw?: IncomingMessage;
}

type LeaveOf = (request: AnyRequest) => PermissionRequest;
const leaveKey = Symbol('countersign:leave');

/** Says what a handler asks leave for; `CountersignGuard` asks. */
export function Permit(action: string, resource: ResourceOf<AnyRequest>, options: PermitOptions = {}): MethodDecorator {
  checkPermission('@Permit', action, resource, options);
  return SetMetadata(leaveKey, ((request) => permissionRequest(action, resource, options, request)) satisfies LeaveOf);
}

/** Injects who calls. */
export const Who: () => ParameterDecorator = createParamDecorator(
  (_data: unknown, context: ExecutionContext) => admissionFor(context.switchToHttp().getRequest()).caller,
);

/** Puts what a handler asks for to policy. A handler that asks for nothing is closed to agents. */
@Injectable()
export class CountersignGuard implements CanActivate {
  readonly #reflector: Reflector;

  constructor(@Inject(Reflector) reflector: Reflector) {
    this.#reflector = reflector;
  }

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const leave = this.#reflector.get<LeaveOf | undefined>(leaveKey, context.getHandler());
    if (await mayRun(context, leave)) return true;
    throw new Answered(); // not false, for which Nest would make an answer of its own
  }
}

/** The refusal has been sent, by the adapter below Nest. */
class Answered extends Error {}

@Catch(Answered)
export class AnsweredFilter implements ExceptionFilter {
  catch(): void {}
}

async function mayRun(context: ExecutionContext, leave: LeaveOf | undefined): Promise<boolean> {
  const request = context.switchToHttp().getRequest<AnyRequest>();
  const { caller, guard, refuse } = admissionFor(request);
  if (leave !== undefined) return await enforcePermission(nodeRequest(request), leave(request), () => undefined);
  // People's requests are not ours to judge; and a method with an adapter's @Permit asks by itself.
  if (caller === undefined || isPermit(context.getHandler())) return true;
  refuse(await guard.unmapped(caller, `${context.getClass().name}.${context.getHandler().name}`));
  return false;
}

function nodeRequest(request: AnyRequest): IncomingMessage {
  return request.raw ?? (request as AnyRequest & IncomingMessage);
}

function admissionFor(request: AnyRequest): Admission {
  const admission = admissionOf(nodeRequest(request));
  // Without it nobody has verified anything, so no handler may run.
  if (admission === undefined) throw new Error('mount agentAuth before the application starts');
  return admission;
}
