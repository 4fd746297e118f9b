import { agentAuth as forExpress, permit as permitOfExpress } from '@countersign/express';
import { agentAuth as forFastify, permit as permitOfFastify } from '@countersign/fastify';
import { agentAuth as forKoa, permit as permitOfKoa } from '@countersign/koa';
import { Router } from '@koa/router';
import express from 'express';
import fastify from 'fastify';
import Koa from 'koa';
import type { Guard } from '@countersign/core';
import { expect, it } from 'vitest';
import { type TestApp, testKit } from '../src/index.js';
import { policy } from './apps.js';

const repo = { type: 'Repo', id: 'acme/api' };

/** Each answers with what rate limiters, cookies and redirects read. */
const apps: Readonly<Record<string, (guard: Guard) => Promise<TestApp>>> = {
  async express(guard) {
    const app = express();
    app.use(forExpress(guard));
    app.get('/prs', permitOfExpress('pr.list', repo), (request, response) => {
      request.setTimeout(0);
      request.socket.setNoDelay(true);
      response.json([request.ip, request.secure, typeof request.socket.remotePort]);
    });
    return app;
  },
  async fastify(guard) {
    const app = fastify();
    await app.register(forFastify, { guard });
    app.get('/prs', permitOfFastify('pr.list', repo), (request) => {
      return [request.ip, request.protocol === 'https', typeof request.socket.remotePort];
    });
    return app;
  },
  async koa(guard) {
    const app = new Koa({ keys: ['secret'] });
    const router = new Router();
    router.get('/prs', permitOfKoa('pr.list', repo), (context) => {
      // Throws "Cannot send secure cookie over unencrypted connection" without https.
      if (context.secure) context.cookies.set('a', 'b', { secure: true });
      context.body = [context.ip, context.secure, typeof context.req.socket.remotePort];
    });
    return app.use(forKoa(guard)).use(router.routes());
  },
};

it.each(Object.keys(apps))('%s sees an address, and https as in the origin of the kit', async (name) => {
  for (const [origin, secure] of [
    ['https://api.test', true],
    ['http://api.test:8080', false],
  ] as const) {
    const t = await testKit({ policy: await policy(), origin, dangerouslyAllowHttpOrigin: !secure });
    const app = await apps[name]!(t.guard);
    const response = await t.agent('bot', { capabilities: ['pr:read'] }).fetch(app, '/prs');
    expect(await response.json()).toEqual(['127.0.0.1', secure, 'number']);
    await t.close();
  }
});
