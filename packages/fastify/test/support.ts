import { fastify, type FastifyInstance, type FastifyServerOptions } from 'fastify';
import type { RawResponse } from '../../../test/support/connection.js';
import { type Guarded, guarded, send, signed } from '../../../test/support/guarded.js';
import type { SignedRequestOptions } from '../../../test/support/signed-request.js';
import { type AgentAuthOptions, agentAuth } from '../src/index.js';

export interface AppOptions {
  readonly guarded?: Guarded;
  readonly auth?: Partial<AgentAuthOptions>;
  readonly server?: FastifyServerOptions;
  /** What is added before `agentAuth`. */
  readonly before?: (app: FastifyInstance) => unknown;
}

/** A Fastify app with `agentAuth` on a real socket: `await using api = await Api.start(…)`. */
export class Api implements AsyncDisposable {
  readonly guarded: Guarded;
  readonly app: FastifyInstance;
  readonly url: string;

  private constructor(parts: Guarded, app: FastifyInstance, url: string) {
    this.guarded = parts;
    this.app = app;
    this.url = url;
  }

  static async start(define: (app: FastifyInstance) => unknown, options: AppOptions = {}): Promise<Api> {
    const parts = options.guarded ?? (await guarded());
    const app = fastify(options.server);
    options.before?.(app);
    await app.register(agentAuth, { guard: parts.guard, ...options.auth });
    await define(app);
    return new Api(parts, app, await app.listen({ port: 0, host: '127.0.0.1' }));
  }

  call(options: Partial<SignedRequestOptions> = {}): Promise<RawResponse> {
    return send(this.url, signed(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.app.server.closeAllConnections();
    await this.app.close();
  }
}

/** The code of a refusal; undefined for any other answer. */
export function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}
