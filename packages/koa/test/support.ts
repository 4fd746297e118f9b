import Koa from 'koa';
import Koa2 from 'koa2';
import type { RawResponse } from '../../../test/support/connection.js';
import { type Guarded, guarded, send, serve, signed } from '../../../test/support/guarded.js';
import type { SignedRequestOptions } from '../../../test/support/signed-request.js';
import { type AgentAuthOptions, type AgentState, agentAuth } from '../src/index.js';

export type App = Koa<AgentState>;

/** The two supported versions, which share one API. */
export const versions: readonly (readonly [name: string, create: () => App])[] = [
  ['Koa 3', () => quiet(new Koa<AgentState>())],
  ['Koa 2', () => quiet(new Koa2<AgentState>())],
];

/** Koa prints errors unless there is a listener. */
function quiet(app: App): App {
  app.on('error', () => {});
  return app;
}

export interface ApiOptions {
  readonly guarded?: Guarded;
  readonly auth?: AgentAuthOptions;
  /** Middleware before `agentAuth`. */
  readonly before?: (app: App) => unknown;
}

/** A Koa app with `agentAuth` on a real socket: `await using api = await Api.start(…)`. */
export class Api implements AsyncDisposable {
  readonly guarded: Guarded;
  readonly url: string;
  readonly #stop: () => PromiseLike<void>;

  private constructor(parts: Guarded, url: string, stop: () => PromiseLike<void>) {
    this.guarded = parts;
    this.url = url;
    this.#stop = stop;
  }

  static async start(app: App, define: (app: App) => unknown, options: ApiOptions = {}): Promise<Api> {
    const parts = options.guarded ?? (await guarded());
    options.before?.(app);
    app.use(agentAuth(parts.guard, options.auth));
    define(app);
    const served = await serve(app.callback());
    return new Api(parts, served.url, () => served[Symbol.asyncDispose]());
  }

  call(options: Partial<SignedRequestOptions> = {}): Promise<RawResponse> {
    return send(this.url, signed(options));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop();
  }
}

/** The code of a refusal; undefined for any other answer. */
export function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}
