import { admitter } from '@countersign/core/adapter';
import express from 'express';
import { createServer } from 'node:http';
import request from 'supertest';
import { expect, it, vi } from 'vitest';
import { agentAuth, getCaller, permit } from '../src/index.js';
import { agentId, call, guarded, host } from './support.js';

it('agentAuth closes routes and finds the caller when a guard before Express has admitted the request', async () => {
  const { guard, audit } = await guarded();
  const unmapped = vi.fn();
  const app = express()
    .use(agentAuth(guard), express.json())
    .get('/mapped', permit('thing.read', { type: 'Thing', id: '1' }), (req, res) => {
      res.send(getCaller(req)?.actor.id);
    })
    .get('/unmapped', unmapped);
  // As agentAuth of @countersign/node-http does it.
  const admit = admitter(guard);
  const server = createServer((req, res) => {
    void admit({ request: req, response: res, target: req.url ?? '' }).then((passes) => passes && app(req, res));
  });

  expect((await call(server, { target: '/mapped' })).text).toBe(agentId);
  expect((await call(server, { target: '/unmapped' })).body).toMatchObject({ code: 'route_unmapped' });
  expect((await request(server).get('/mapped').set('Host', host)).body).toMatchObject({ code: 'signature_required' });
  expect(unmapped).not.toHaveBeenCalled();
  expect(audit.records.map(({ phase, code }) => [phase, code])).toEqual([
    ['decision', undefined],
    ['outcome', undefined],
    ['decision', 'route_unmapped'],
    ['authentication', 'signature_required'],
  ]);
});
