import 'reflect-metadata';
import type { INestApplication, ModuleMetadata, Provider, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import type { RawResponse } from '../../../test/support/connection.js';
import { type Guarded, guarded, send, signed } from '../../../test/support/guarded.js';
import type { RawRequest, SignedRequestOptions } from '../../../test/support/signed-request.js';
import { CountersignModule, type CountersignOptions } from '../src/index.js';

export const platforms = ['express', 'fastify'] as const;
export type Platform = (typeof platforms)[number];

export interface AppOptions {
  readonly guarded?: Guarded;
  /** Default: one of the platform. */
  readonly adapter?: ExpressAdapter | FastifyAdapter;
  readonly countersign?: Partial<CountersignOptions>;
  readonly providers?: Provider[];
  readonly imports?: ModuleMetadata['imports'];
  /** What main.ts does between `create` and `listen`. */
  readonly main?: (app: INestApplication) => unknown;
}

export function adapterOf(platform: Platform): ExpressAdapter | FastifyAdapter {
  return platform === 'express' ? new ExpressAdapter() : new FastifyAdapter();
}

/** A Nest application on a real socket: `await using api = await Api.start(…)`. */
export class Api implements AsyncDisposable {
  readonly guarded: Guarded;
  readonly app: INestApplication;
  readonly url: string;

  private constructor(parts: Guarded, app: INestApplication, url: string) {
    this.guarded = parts;
    this.app = app;
    this.url = url;
  }

  static async start(platform: Platform, controllers: Type[], options: AppOptions = {}): Promise<Api> {
    const parts = options.guarded ?? (await guarded());
    const countersign = CountersignModule.forRoot({ guard: parts.guard, ...options.countersign });
    const module = {
      module: class AppModule {},
      imports: [...(options.imports ?? []), countersign],
      controllers,
      providers: options.providers ?? [],
    };
    const settings = { logger: false, abortOnError: false, forceCloseConnections: true } as const;
    const app = await NestFactory.create(module, options.adapter ?? adapterOf(platform), settings);
    await options.main?.(app);
    await app.listen(0, '127.0.0.1');
    return new Api(parts, app, await app.getUrl());
  }

  call(options: Partial<SignedRequestOptions> = {}): Promise<RawResponse> {
    return this.send(signed(options));
  }

  send(request: RawRequest): Promise<RawResponse> {
    return send(this.url, request);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    (this.app as NestFastifyApplication).getHttpServer().closeAllConnections();
    await this.app.close();
  }
}

/** The code of a refusal; undefined for any other answer. */
export function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}

export function json({ body }: RawResponse): unknown {
  return JSON.parse(body);
}
