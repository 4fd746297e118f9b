import { agentAuth as forExpress, getCaller as callerOfExpress, permit as permitOfExpress } from '@countersign/express';
import { agentAuth as forFastify, permit as permitOfFastify } from '@countersign/fastify';
import { agentAuth as forKoa, getCaller as callerOfKoa, permit as permitOfKoa } from '@countersign/koa';
import { agentAuth as forNode, getCaller as callerOfNode, permit as permitOfNode } from '@countersign/node-http';
import { bodyParser } from '@koa/bodyparser';
import { Router } from '@koa/router';
import { cedarFromText, type Guard, type PolicyEngine } from '@countersign/core';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import type { TestApp } from '../src/index.js';

const repo = { type: 'Repo', id: 'acme/api' };

export async function policy(): Promise<PolicyEngine> {
  return await cedarFromText({
    policies: `
      @id("create") permit(principal, action == Action::"pr.create", resource)
        when { context has onBehalfOf && context.scope.contains("pr:write:draft") };
      @id("list") permit(principal, action == Action::"pr.list", resource) when { context.scope.contains("pr:read") };
      @id("merge") @approval("release-managers")
      permit(principal, action == Action::"pr.merge", resource) when { context.scope.contains("pr:read") };`,
  });
}

/** The same routes with each framework: `GET /prs`, `POST /prs` and `POST /merge`, which people approve. */
export const apps: Readonly<Record<string, (guard: Guard) => Promise<TestApp>>> = {
  async express(guard) {
    const app = express();
    app.use(forExpress(guard), express.json());
    app.get('/prs', permitOfExpress('pr.list', repo), (request, response) => {
      response.json({ by: callerOfExpress(request)?.actor.id });
    });
    app.post('/prs', permitOfExpress('pr.create', repo), (request, response) => {
      response.status(201).json({ for: callerOfExpress(request)?.subject.id, ...(request.body as object) });
    });
    app.post('/merge', permitOfExpress('pr.merge', repo), (_request, response) => {
      response.status(204).end();
    });
    return app;
  },
  async fastify(guard) {
    const app = fastify();
    await app.register(forFastify, { guard });
    app.addHook('onClose', () => guard.close());
    app.get('/prs', permitOfFastify('pr.list', repo), (request) => ({ by: request.caller?.actor.id }));
    app.post('/prs', permitOfFastify('pr.create', repo), (request, reply) => {
      reply.status(201);
      return { for: request.caller?.subject.id, ...(request.body as object) };
    });
    app.post('/merge', permitOfFastify('pr.merge', repo), (_request, reply) => reply.status(204).send());
    return app;
  },
  async koa(guard) {
    const app = new Koa();
    const router = new Router();
    router.get('/prs', permitOfKoa('pr.list', repo), (context) => {
      context.body = { by: callerOfKoa(context)?.actor.id };
    });
    router.post('/prs', permitOfKoa('pr.create', repo), (context) => {
      context.status = 201;
      context.body = { for: callerOfKoa(context)?.subject.id, ...(context.request.body as object) };
    });
    router.post('/merge', permitOfKoa('pr.merge', repo), (context) => {
      context.status = 204;
    });
    return app.use(forKoa(guard)).use(bodyParser()).use(router.routes());
  },
  async 'node:http'(guard) {
    const auth = forNode(guard);
    const permits = { 'GET /prs': 'pr.list', 'POST /prs': 'pr.create', 'POST /merge': 'pr.merge' };
    return async (request, response) => {
      if (!(await auth(request, response))) return;
      const name = `${request.method} ${request.url?.split('?')[0]}` as keyof typeof permits;
      if (!(await permitOfNode(permits[name] ?? 'unknown', repo)(request, response))) return;
      const caller = callerOfNode(request);
      if (name === 'POST /merge') return void response.writeHead(204).end();
      response.setHeader('content-type', 'application/json');
      if (name === 'GET /prs') return void response.end(JSON.stringify({ by: caller?.actor.id }));
      const body = JSON.parse(Buffer.concat(await request.toArray()).toString()) as object;
      response.writeHead(201).end(JSON.stringify({ for: caller?.subject.id, ...body }));
    };
  },
};
