import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fastify from 'fastify';
import { expect, it, onTestFinished } from 'vitest';
import { run } from './support/run.js';
import { root } from './support/workspace.js';

const countersign = (...args: readonly string[]) =>
  run(process.execPath, [join(root, 'packages/cli/bin/countersign.js'), 'policy', ...args]);

const answer = () => 'ok';

it('policy new turns the routes printed by Fastify into policies whose tests pass', async () => {
  const app = fastify();
  onTestFinished(() => app.close());
  app.get('/', answer);
  app.get('/whoami', answer);
  app.post('/repos/:owner/:repo/pulls', answer);
  app.post('/repos/:owner/:repo/merge', answer);
  app.get('/invoices', answer);
  app.get('/files/*', answer);
  app.delete('/records/:id', answer);
  app.route({ method: ['PUT', 'PATCH'], url: '/records/:id', handler: answer });
  await app.ready();

  const folder = mkdtempSync(join(tmpdir(), 'countersign-routes-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [routes, made] = [join(folder, 'routes.txt'), join(folder, 'policies')];
  writeFileSync(routes, app.printRoutes());

  expect(await countersign('new', made, '--routes', routes)).toMatchObject({ exitCode: 0 });
  const text = readFileSync(join(made, 'policies.cedar'), 'utf8');
  const named = [...text.matchAll(/^\/\/ ([A-Z]+ \/.*)$/gm)].map(([, route]) => route);
  const routesOfApp = [
    'DELETE /records/:id',
    'GET /',
    'GET /files/*',
    'GET /invoices',
    'GET /whoami',
    'PATCH /records/:id',
    'POST /repos/:owner/:repo/merge',
    'POST /repos/:owner/:repo/pulls',
    'PUT /records/:id',
  ];
  expect(new Set(named)).toEqual(new Set(routesOfApp));
  expect(named).toHaveLength(routesOfApp.length);
  const tested = await countersign('test', made);
  expect(tested).toMatchObject({ exitCode: 0, stderr: '' });
  expect(tested.stdout).toContain('all as expected.');
}, 60_000);
