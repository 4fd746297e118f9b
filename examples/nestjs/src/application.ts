import type { RequestListener } from 'node:http';
import type { Guard } from '@countersign/core';
import { CountersignModule } from '@countersign/nestjs';
import type { DynamicModule, Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { LatestController, Releases, ReleasesController } from './releases.js';

/** The application on one platform. */
export interface Application {
  /** Serves the requests of a server. */
  readonly handle: RequestListener;
  close(): Promise<void>;
}

/** The application: its routes, and for all of them one guard. */
function releases(guard: Guard, ...controllers: Type[]): DynamicModule {
  return {
    module: ReleasesModule,
    imports: [CountersignModule.forRoot({ guard })],
    controllers,
    providers: [Releases],
  };
}

// oxlint-disable-next-line typescript/no-extraneous-class -- what names a module of Nest is a class
class ReleasesModule {}

export async function onExpress(guard: Guard): Promise<Application> {
  const module = releases(guard, ReleasesController, LatestController);
  const app = await NestFactory.create(module, { logger: false });
  await app.init();
  return { handle: app.getHttpAdapter().getInstance() as RequestListener, close: () => app.close() };
}

export async function onFastify(guard: Guard): Promise<Application> {
  const module = releases(guard, ReleasesController);
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger: false });
  await app.init();
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.ready();
  return { handle: (request, response) => fastify.routing(request, response), close: () => app.close() };
}
