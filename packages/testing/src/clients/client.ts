import { exchange, type TestApp } from './exchange.js';
import { type SignFields, withBody } from './sign-fields.js';
import { signSupertest } from './supertest.js';

/** A request for `fetch`. A body other than text and bytes is sent as JSON. */
export interface TestRequest {
  /** Default `GET`. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

/** A request for `inject` of Fastify. The query is part of `url`. */
export interface InjectRequest {
  readonly method?: string;
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly payload?: unknown;
}

/** The request with its signature, to be passed to `inject`. */
export type Injected<T extends InjectRequest> = Omit<T, 'headers' | 'payload'> & {
  headers: Record<string, string>;
  payload?: string | Buffer;
};

/** Sends requests to an application, or signs those of other test clients. */
export interface TestClient {
  /**
   * Sends a request and returns a standard `Response`. Over a connection in memory, unless the application is a URL: it
   * comes from 127.0.0.1, and counts as https if the origin of the kit is.
   *
   * @example
   * const response = await bot.fetch(app, '/prs', { method: 'POST', body: { title: 'Fix' } });
   */
  fetch(app: TestApp, path: string, request?: TestRequest): Promise<Response>;
  /**
   * Signs a request of supertest when it is sent.
   *
   * @example
   * await bot.supertest(request(app).post('/prs').send({ title: 'Fix' })).expect(201);
   */
  supertest<T extends object>(test: T): T;
  /**
   * Signs a request for `inject` of Fastify.
   *
   * @example
   * const response = await app.inject(await bot.inject({ method: 'POST', url: '/prs', payload: { title: 'Fix' } }));
   */
  inject<const T extends InjectRequest>(request: T): Promise<Injected<T>>;
  /** The fields to send with a request of any other client. A body other than text and bytes is signed as its JSON. */
  sign(path: string, request?: TestRequest): Promise<Record<string, string>>;
}

export function createClient(origin: string, sign: SignFields): TestClient {
  return {
    async fetch(app, path, { method = 'GET', headers = {}, body } = {}) {
      const request = { method: method.toUpperCase(), path, ...withBody(body, headers) };
      return await exchange(app, { ...request, headers: await sign(request) }, origin);
    },
    supertest: (test) => signSupertest(test, sign),
    async inject({ method = 'GET', headers = {}, payload, ...rest }) {
      const { body, ...fields } = withBody(payload, headers);
      const signed = await sign({ method, path: rest.url, ...fields, body });
      const bytes = typeof body === 'object' ? Buffer.from(body) : body;
      return { ...rest, method, headers: signed, ...(bytes !== undefined && { payload: bytes }) } as never;
    },
    sign: async (path, { method = 'GET', headers = {}, body } = {}) =>
      await sign({ method, path, ...withBody(body, headers) }),
  };
}
