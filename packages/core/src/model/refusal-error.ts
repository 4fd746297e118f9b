import { CodedError } from '@countersign/common';
import type { Refusal } from './refusal.js';
import type { RefusalResponse } from './refusal-response.js';

/**
 * A refusal on its way to an application's own error handler (`onRefusal: 'throw'`). `status`, `statusCode`, `expose`
 * and `headers` are what the error handlers of Express, Koa and Fastify look at.
 */
export class RefusalError extends CodedError<Refusal['code']> {
  override readonly name = 'RefusalError';
  readonly status: number;
  readonly statusCode: number;
  readonly expose = true;
  readonly headers: RefusalResponse['headers'];
  /** The problem details that would have been sent, as JSON text. */
  readonly body: string;

  constructor(refused: Refusal, response: RefusalResponse) {
    super(refused.code, refused.title);
    // Error handlers of last resort print the stack to the client; there is nothing in ours for anybody.
    this.stack = `RefusalError: ${refused.title}`;
    this.status = refused.status;
    this.statusCode = refused.status;
    this.headers = response.headers;
    this.body = response.body;
  }
}
