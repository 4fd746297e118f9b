import type { RequestListener } from 'node:http';
import type { Guard } from '@countersign/core';
import { agentAuth as expressAgentAuth } from '@countersign/express';
import { agentAuth as fastifyAgentAuth } from '@countersign/fastify';
import type { DynamicModule, Type } from '@nestjs/common';
import { APP_FILTER, APP_GUARD, NestFactory } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { FastifyAdapter, type NestFastifyApplication } from '@nestjs/platform-fastify';
import { AnsweredFilter, CountersignGuard } from './countersign.js';
import { LatestController, Releases, ReleasesController } from './releases.js';

/** The application on one platform. */
export interface Application {
  /** Serves the requests of a server. */
  readonly handle: RequestListener;
  close(): Promise<void>;
}

/** The application: its routes, and for all of them one guard. */
function releases(...controllers: Type[]): DynamicModule {
  return {
    module: ReleasesModule,
    controllers,
    providers: [
      Releases,
      { provide: APP_GUARD, useClass: CountersignGuard },
      { provide: APP_FILTER, useClass: AnsweredFilter },
    ],
  };
}

// oxlint-disable-next-line typescript/no-extraneous-class -- what names a module of Nest is a class
class ReleasesModule {}

export async function onExpress(guard: Guard): Promise<Application> {
  const module = releases(ReleasesController, LatestController);
  const app = await NestFactory.create<NestExpressApplication>(module, { logger: false });
  // Before init() or listen(), in which Nest mounts its body parsers: they then read verified bytes only.
  // All Nest handlers look alike to Express: CountersignGuard reads their permissions, and closes those without one.
  app.use(expressAgentAuth(guard, { unmapped: 'authenticated' }));
  await app.init();
  return { handle: app.getHttpAdapter().getInstance(), close: () => app.close() };
}

export async function onFastify(guard: Guard): Promise<Application> {
  const module = releases(ReleasesController);
  const app = await NestFactory.create<NestFastifyApplication>(module, new FastifyAdapter(), { logger: false });
  // The same on Fastify.
  await app.register(fastifyAgentAuth, { guard, unmapped: 'authenticated' });
  await app.init();
  const fastify = app.getHttpAdapter().getInstance();
  await fastify.ready();
  return { handle: (request, response) => fastify.routing(request, response), close: () => app.close() };
}
