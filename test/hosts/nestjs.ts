import 'reflect-metadata';
import { IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { CountersignModule, getCaller, Permit } from '@countersign/nestjs';
import {
  type ArgumentsHost,
  Body,
  Catch,
  Controller,
  Delete,
  type ExceptionFilter,
  Get,
  HttpCode,
  Inject,
  Post,
  Put,
  Query,
  Req,
} from '@nestjs/common';
import { type AbstractHttpAdapter, HttpAdapterHost, NestFactory } from '@nestjs/core';
import { ExpressAdapter, type NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import express from 'express';
import { fastify, type FastifyInstance } from 'fastify';
import { inflated, leave } from './fastify.js';
import type { Host, HostParts } from './host.js';
import { billing, bucket, failure, pullCreated, received, recordOf, repoOf, whoami } from './routes.js';

/** NestJS on each of its platforms. They run the scenarios that depend on the framework. */
export const hosts: readonly Host[] = [hostOf('nestjs-express', onExpress), hostOf('nestjs-fastify', onFastify)];

const handledToken = Symbol('handled');
type RepoRequest = Parameters<typeof repoOf>[0];

@Controller()
class Routes {
  readonly #handled: HostParts['handled'];

  constructor(@Inject(handledToken) handled: HostParts['handled']) {
    this.#handled = handled;
  }

  @Get('whoami')
  @Permit(false)
  async whoami(@Req() request: object): Promise<object> {
    await this.#handled('whoami', getCaller(request));
    return whoami(getCaller(request));
  }

  @Put('upload')
  @Permit('file.put', bucket)
  async upload(@Req() request: { readonly raw?: IncomingMessage }): Promise<object> {
    await this.#handled('file.put');
    return await received(request instanceof IncomingMessage ? request : (request.raw as IncomingMessage));
  }

  @Post('repos/:owner/:repo/pulls')
  @Permit('pr.create', (request: RepoRequest) => repoOf(request))
  async create(@Req() request: object, @Body() body: unknown): Promise<object> {
    await this.#handled('pr.create', getCaller(request));
    return pullCreated(getCaller(request), body);
  }

  @Post('repos/:owner/:repo/merge')
  @HttpCode(200)
  @Permit('pr.merge', (request: RepoRequest) => repoOf(request))
  async merge(): Promise<object> {
    await this.#handled('pr.merge');
    return { merged: true };
  }

  @Get('invoices')
  @Permit('invoice.read', billing)
  async invoices(@Query() query: unknown): Promise<object> {
    await this.#handled('invoice.read');
    return { query };
  }

  @Delete('records/:id')
  @HttpCode(204)
  @Permit('record.delete', (request: Parameters<typeof recordOf>[0]) => recordOf(request))
  async remove(): Promise<void> {
    await this.#handled('record.delete');
  }

  @Delete('forgotten')
  @HttpCode(204)
  async forgotten(): Promise<void> {
    await this.#handled('forgotten');
  }
}

/** Catches everything, and must never see a refusal. */
@Catch()
class AnswerError implements ExceptionFilter {
  readonly #adapter: AbstractHttpAdapter;

  constructor(adapter: AbstractHttpAdapter) {
    this.#adapter = adapter;
  }

  catch(error: { getStatus?(): number }, host: ArgumentsHost): void {
    const { status, body } = failure(error);
    this.#adapter.reply(host.switchToHttp().getResponse(), body, error.getStatus?.() ?? status);
  }
}

function hostOf(name: string, platform: () => AbstractHttpAdapter): Host {
  return {
    name,
    http2: false,
    async listener(parts): Promise<RequestListener> {
      const { guard, admission, mount, bodyParser, handled } = parts;
      const module = {
        module: Routes,
        imports: [CountersignModule.forRoot({ guard, ...admission })],
        controllers: [Routes],
        providers: [{ provide: handledToken, useValue: handled }],
      };
      const settings = { logger: false, abortOnError: false, bodyParser: bodyParser === 'after' } as const;
      const app = await NestFactory.create(module, platform(), settings);
      if (bodyParser === 'after' && app.getHttpAdapter().getType() === 'express') {
        (app as NestExpressApplication).useBodyParser('json', {
          type: (request) => isJson(request) && !isUpload(request),
        });
      }
      app.setGlobalPrefix(mount);
      app.useGlobalFilters(new AnswerError(app.get(HttpAdapterHost).httpAdapter));
      await app.init();
      const serve = await listenerOf(app.getHttpAdapter().getInstance() as RequestListener | FastifyInstance);
      // In front of Nest, which guards all of its platform.
      return (request, response) =>
        request.url === `${mount}/public` ? answerOpenly(response) : serve(request, response);
    },
  };
}

async function listenerOf(instance: RequestListener | FastifyInstance): Promise<RequestListener> {
  if (typeof instance === 'function') return instance;
  await instance.ready();
  return (request, response) => instance.routing(request, response);
}

function answerOpenly(response: ServerResponse): void {
  response.setHeader('content-type', 'application/json').end('{"public":true}');
}

const isJson = ({ headers }: IncomingMessage): boolean => headers['content-type']?.includes('json') === true;

/** A JSON parser of Nest leaves an upload to its handler. */
const isUpload = ({ url = '' }: { readonly url?: string | undefined }): boolean => url.endsWith('/upload');

function onExpress(): AbstractHttpAdapter {
  return new ExpressAdapter(express().disable('x-powered-by'));
}

function onFastify(): AbstractHttpAdapter {
  const app = fastify();
  app.addHook('preParsing', async (request, _reply, payload) => {
    if (!isUpload(request)) return inflated(request, payload);
    request.raw.headers['content-type'] = 'application/octet-stream';
    return payload;
  });
  app.addContentTypeParser('*', leave);
  return new FastifyAdapter(app);
}
