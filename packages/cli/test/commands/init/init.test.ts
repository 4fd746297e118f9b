import { rm, writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read, path } = inFolder();

describe('init', () => {
  it.each<[string, Readonly<Record<string, string>>, string[], string]>([
    ['there is no package.json', {}, [], 'package.json is missing: name the folder of your application'],
    ['package.json is no object', { 'package.json': '[' }, [], 'package.json is no JSON object'],
    ['there is no framework', { 'package.json': '{}' }, [], 'package.json names none of express, fastify, koa'],
    ['there are two', { 'package.json': manifest('koa', 'express') }, [], 'choose with --framework'],
    ['the framework is unknown', { 'package.json': '{}' }, ['--framework', 'hapi'], "'hapi' is none of express"],
    ['the origin has a path', { 'package.json': manifest('koa') }, ['--origin', 'http://a.test/b'], 'without a path'],
  ])('writes nothing when %s', async (_name, files, args, problem) => {
    await put(files);
    expect(await init(...args)).toMatchObject({ code: 2, out: '', err: expect.stringContaining(problem) });
    await expect(read('agents.json')).rejects.toThrow('ENOENT');
    await expect(read('.gitignore')).rejects.toThrow('ENOENT');
  });

  it('expects people, too, when a login is in package.json', async () => {
    await put({ 'package.json': manifest('express', 'passport'), 'pnpm-lock.yaml': '' });
    const { err } = await init();
    expect(err).toContain('People sign in with passport: the guard leaves them to it, and agents act for a user only.');
    expect(err).toContain('pnpm add @countersign/core @countersign/express');
    expect(err).toContain('No file creates the application');
    expect(await read('guard.js')).toMatch(
      /traffic: 'mixed', \/\/ people sign in with passport.*\n {4}\/\/ The policies permit agents to act for users only/,
    );
  });

  it('keeps policies, agents and lines that are there', async () => {
    const files = {
      'package.json': manifest('koa'),
      'policies/own.cedar': '// mine',
      'agents.json': '[]',
      '.gitignore': 'x',
    };
    await put(files);
    const { err } = await init();
    expect(err).toContain('kept    policies/\n');
    expect(err).toContain('kept    agents.json, agent.pem\n');
    expect(await read('agents.json')).toBe('[]');
    expect(await read('.gitignore')).toBe(
      'x\n/agent.pem\n/issuer.pem\n/token.jwt\n/dev.json\n/audit/\n/.countersign/\n',
    );
    await expect(read('policies/policies.cedar')).rejects.toThrow('ENOENT');
    expect((await init('--undo')).err).toBe('removed guard.js\nremoved agent-routes.txt\n');
    expect(await read('.gitignore')).toBe('x\n');
  });

  it('takes the routes of policies from a file', async () => {
    await put({ 'package.json': manifest('koa'), 'routes.txt': 'GET /invoices invoice.read Dataset\n' });
    expect((await init('--routes', path('routes.txt'))).code).toBe(0);
    expect(await read('policies/schema.cedarschema')).toContain('action "invoice.read"');
    expect(JSON.parse(await read('agents.json'))).toMatchObject([
      { agent_id: 'agent-dev', capabilities: ['invoice:read'] },
    ]);
  });

  it('writes a first test of a route that can be called as it is written, for the runner of package.json', async () => {
    const routes = 'QUERY /search\nGET /files/*\nPOST /notes\n';
    const devDependencies = { jest: '*', typescript: '*' };
    await put({
      'package.json': JSON.stringify({ dependencies: { koa: '*' }, devDependencies }),
      'routes.txt': routes,
    });
    const { err } = await init('--routes', path('routes.txt'));
    expect(err).toContain('  npm install -D @countersign/testing\n  npx jest test/agents.test.ts\n');
    const text = await read('test/agents.test.ts');
    expect(text).toContain("import Koa from 'koa';\n\ntest('POST /notes is for agents with the scope note:create'");
    expect(text).toContain("permit('note.create', { type: 'Note', id: '*' })");
    await init('--undo');
    await expect(read('test/agents.test.ts')).rejects.toThrow('ENOENT');
  });

  it.each([
    ['module', 'test/agents.test.js', "import { agentAuth, permit } from '@countersign/express';"],
    ['commonjs', 'test/agents.test.js', "const { agentAuth, permit } = require('@countersign/express');"],
  ])('writes a first test for mocha in a %s, with time for Cedar to start', async (type, name, line) => {
    const devDependencies = { mocha: '*' };
    await put({
      'package.json': JSON.stringify({ type, dependencies: { express: '*' }, devDependencies }),
      'app.js': "app.get('/notes', list);",
    });
    expect((await init()).err).toContain(`npx mocha ${name}\n`);
    const text = await read(name);
    expect(text).toContain(line);
    expect(text).toContain('async function () {\n  this.timeout(30_000);');
    expect(text).not.toContain("'mocha'");
  });

  it.each([
    [['@countersign/core', '@countersign/express'], [], '  npm install -D @countersign/testing\n', '  npm install @'],
    [['@countersign/core'], ['@countersign/testing'], '  npm install @countersign/express\n', ' -D '],
  ])('names no package that is installed: %s %s', async (dependencies, devDependencies, step, absent) => {
    const own = JSON.parse(manifest('express', ...dependencies)) as object;
    const dev = { devDependencies: Object.fromEntries(devDependencies.map((name) => [name, '*'])) };
    await put({ 'package.json': JSON.stringify({ ...own, ...dev }), 'app.js': "app.get('/notes', list);" });
    const { err } = await init();
    expect(err).toContain(step);
    expect(err).not.toContain(absent);
  });

  it('says which versions are too old, and writes its test for no runner that does not work', async () => {
    const dependencies = { fastify: '^3.29.0', typescript: '^4.2.0' };
    await put({
      'package.json': JSON.stringify({ dependencies, devDependencies: { jest: '^26.6.0' } }),
      'routes.txt': 'GET /notes',
    });
    const { err } = await init('--routes', path('routes.txt'));
    expect(err).toContain('package.json names jest ^26.6.0: 29 is the oldest that works.');
    expect(err).toContain('package.json names fastify ^3.29.0: 5 is the oldest that works.');
    expect(err).toContain('node --test test/agents.test.mjs');
    expect(await read('guard.ts')).toContain("import type { Guard } from '@countersign/core';\n");
  });

  it('names the login of the whole application, not that of some routes', async () => {
    await put({ 'package.json': manifest('express', 'express-jwt', 'jsonwebtoken', 'passport') });
    expect((await init()).err).toContain('People sign in with passport');
  });

  it('keeps a test that is there, and writes none where no route can be called', async () => {
    await put({
      'package.json': manifest('koa'),
      'test/agents.test.mjs': '// mine',
      'a.txt': 'GET /a',
      'b.txt': 'GET /*',
    });
    expect((await init('--routes', path('a.txt'))).err).toContain('kept    test/agents.test.mjs');
    await rm(path('policies'), { recursive: true });
    await rm(path('test'), { recursive: true });
    expect((await init('--routes', path('b.txt'))).err).not.toContain('@countersign/testing');
    expect(await read('policies/policies.cedar')).toContain('root.read');
  });

  it('names the routes whose permit a person has to place, and those that stay open before the guard only', async () => {
    const app = `const app = require('fastify')();
app.get('/orders', options, handler);
axios.get('/elsewhere');
app.get('/customers', handler);
app.get('/health', handler);
`;
    await put({ 'package.json': manifest('fastify'), 'app.js': app, 'app.test.js': "app.get('/test', x);" });
    const { out, err } = await init();
    expect(err).toContain('3 routes of fastify found. 2 routes are for agents');
    expect(err).toContain('Put a permit by hand: GET /orders in app.js');
    expect(err).toContain('GET /health stays open only before agentAuth(guard)');
    expect(out).toContain("+app.get('/customers', permit('customer.read', { type: 'Customer', id: '*' }), handler);");
    expect(out).not.toMatch(/^[+-].*(?:axios|health)/m);
  });

  it('gives a part of a resource an action of its own', async () => {
    const app = `const router = new Router();
router.post('/articles', create);
router.get('/articles/:slug/comments', list);
router.post('/articles/:slug/favorite', favor);
router.delete('/articles/:slug/comments/:id', ({ params }) => remove(params.slug, params.id));
router.post('/articles/:slug/publish', publish);
`;
    const routes = 'POST /articles\nGET /articles/:slug/comments\nPOST /articles/:slug/favorite\n';
    const more = 'DELETE /articles/:slug/comments/:id\nPOST /articles/:slug/publish\n';
    const main = 'const app = new Koa();\n';
    await put({ 'package.json': manifest('koa'), 'app.js': main, 'routes.js': app, 'list.txt': routes + more });
    const { out } = await init('--routes', path('list.txt'));
    const permits = [...out.matchAll(/^\+.*permit\('([a-z.]+)', .*type: '(\w+)'/gm)];
    expect(permits.map(([, action, type]) => `${action} ${type}`)).toEqual([
      'article.create Article',
      'comment.read Article',
      'favorite.create Article',
      'comment.delete Comment',
      'article.publish Article',
    ]);
  });

  it('puts a permit into the options of a route of Fastify, and leaves one that is there', async () => {
    const app = `import Fastify from 'fastify';
import { permit } from '@countersign/fastify';

export default async function create() {
  const server = Fastify({ logger: { level: "(" } });
  server.get('/orders/:id', { schema }, one);
  server.post('/orders', { ...permit('order.create', order), schema }, two);
  return server;
}
`;
    await put({ 'package.json': manifest('fastify'), 'src/app.ts': app });
    const { out } = await init();
    expect(out).toBe(`--- a/src/app.ts
+++ b/src/app.ts
@@ -1,9 +1,12 @@
+import { agentAuth } from '@countersign/fastify';
+import { guard } from './guard';
 import Fastify from 'fastify';
 import { permit } from '@countersign/fastify';
 
 export default async function create() {
   const server = Fastify({ logger: { level: "(" } });
-  server.get('/orders/:id', { schema }, one);
+  server.register(agentAuth, { guard });
+  server.get('/orders/:id', { ...permit('order.read', (request) => ({ type: 'Order', id: request.params['id'] })), schema }, one);
   server.post('/orders', { ...permit('order.create', order), schema }, two);
   return server;
 }
`);
  });
});

describe('init --undo', () => {
  it('keeps what was changed since', async () => {
    await put({ 'package.json': manifest('koa') });
    await init();
    await writeFile(path('guard.js'), '// mine');
    expect((await init('--undo')).err).toBe(
      'removed policies/policies.cedar\nremoved agent-routes.txt\nremoved agent.pem\nremoved agents.json\nkept guard.js: it was changed since\n',
    );
    expect((await init('--undo')).err).toBe('There is nothing that an init wrote.\n');
  });

  it('removes nothing but files of init, whatever its list says', async () => {
    const digest = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
    const files = { '../outside': digest, 'package.json': digest };
    await put({ 'package.json': '', '.countersign/init.json': JSON.stringify({ files, ignored: [] }) });
    expect((await init('--undo')).err).toBe('There is nothing that an init wrote.\n');
    expect(await read('package.json')).toBe('');
  });

  it('does not fail on a list that is damaged', async () => {
    await put({ '.countersign/init.json': '{' });
    expect(await init('--undo')).toMatchObject({ code: 1, err: expect.stringContaining('init.json') });
  });
});
