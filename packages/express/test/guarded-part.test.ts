import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Guard } from '@countersign/core';
import express5, { type Router } from 'express';
import express4 from 'express4';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { agentAuth } from '../src/index.js';
import { call, guarded, host } from './support.js';

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), 'countersign-'));
  mkdirSync(join(root, 'private'));
  writeFileSync(join(root, 'private', 'users'), 'all users');
});
afterAll(() => {
  rmSync(root, { recursive: true });
});

const everyRequest = { everyRequest: true };

describe.each([
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
])('a part of %s that is guarded alone, with its path named once,', (_title, express) => {
  function routes(): Router {
    return express.Router().get('/users', (_req, res) => {
      res.end('all users');
    });
  }
  const layouts = {
    'in its router': (guard: Guard) => {
      const admin = express.Router().use(agentAuth(guard, everyRequest), routes());
      return express().use('/v1', express.Router().use('/admin', admin));
    },
    'beside its router': (guard: Guard) => express().use('/v1/admin', agentAuth(guard, everyRequest), routes()),
    'beside its folder': (guard: Guard) =>
      express().use('/v1/admin', agentAuth(guard, everyRequest), express.static(join(root, 'private'))),
  };

  it.each(Object.entries(layouts))('%s, is reached by no other spelling of the path [A17]', async (_where, layout) => {
    const { guard } = await guarded();
    const app = layout(guard);
    expect((await call(app, { target: '/v1/admin/users' })).status).toBe(200);
    expect((await request(app).get('/v1/admin/users').set('Host', host)).body).toMatchObject({ status: 401 });
    for (const target of ['/v1//admin/users', '//v1/admin/users', '/V1/Admin/users', '/v1/%61dmin/users']) {
      const { status } = await request(app).get(target).set('Host', host);
      expect([target, status]).toStrictEqual([target, expect.toBeOneOf([401, 404])]);
    }
  });
});
