import { admissionOf } from '@countersign/core/adapter';
import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common';
import { type Observable, tap } from 'rxjs';
import { nodeRequest } from './request.js';

/** Notes in the audit log that a handler threw. Nest answers errors by its filters, so the status alone would be known. */
export class NoteThrown implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType<string>() !== 'http') return next.handle();
    const outcome = admissionOf(nodeRequest(context.switchToHttp().getRequest<object>()))?.outcome;
    return outcome === undefined ? next.handle() : next.handle().pipe(tap({ error: (error) => outcome.threw(error) }));
  }
}
