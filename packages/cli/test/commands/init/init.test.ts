import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CliResult, runCli } from '../../run-cli.js';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'countersign-init-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
}

const manifest = (...dependencies: string[]): string =>
  JSON.stringify({ dependencies: Object.fromEntries(dependencies.map((name) => [name, '*'])) });
const init = (...args: string[]): Promise<CliResult> => runCli(['init', folder, ...args]);
const read = (path: string): Promise<string> => readFile(join(folder, path), 'utf8');

describe('init', () => {
  it.each<[string, Readonly<Record<string, string>>, string[], string]>([
    ['there is no package.json', {}, [], 'package.json is missing: name the folder of your application'],
    ['package.json is no object', { 'package.json': '[' }, [], 'package.json is no JSON object'],
    ['there is no framework', { 'package.json': '{}' }, [], 'package.json names none of express, fastify, koa'],
    ['there are two', { 'package.json': manifest('koa', 'express') }, [], 'choose with --framework'],
    ['there is NestJS', { 'package.json': manifest('@nestjs/core', 'express') }, [], 'an application of NestJS'],
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
    expect(err).toContain('people sign in with passport');
    expect(err).toContain('pnpm add @countersign/core @countersign/express');
    expect(err).toContain('No file creates the application');
    expect(await read('guard.js')).toContain("traffic: 'mixed', // people sign in with passport");
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
    expect(await read('.gitignore')).toBe('x\n/agent.pem\n/audit/\n/.countersign/\n');
    await expect(read('policies/policies.cedar')).rejects.toThrow('ENOENT');
    expect((await init('--undo')).err).toBe('removed guard.js\n');
    expect(await read('.gitignore')).toBe('x\n');
  });

  it('takes the routes of policies from a file', async () => {
    await put({ 'package.json': manifest('koa'), 'routes.txt': 'GET /invoices invoice.read Dataset\n' });
    expect((await init('--routes', join(folder, 'routes.txt'))).code).toBe(0);
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
    const { err } = await init('--routes', join(folder, 'routes.txt'));
    expect(err).toContain('  npm install -D @countersign/testing\n  npx jest test/agents.test.ts\n');
    const text = await read('test/agents.test.ts');
    expect(text).toContain("import Koa from 'koa';\n\ntest('POST /notes is for agents with the scope note:create'");
    expect(text).toContain("permit('note.create', { type: 'Note', id: '1' })");
    await init('--undo');
    await expect(read('test/agents.test.ts')).rejects.toThrow('ENOENT');
  });

  it('keeps a test that is there, and writes none where no route can be called', async () => {
    await put({
      'package.json': manifest('koa'),
      'test/agents.test.mjs': '// mine',
      'a.txt': 'GET /a',
      'b.txt': 'GET /*',
    });
    expect((await init('--routes', join(folder, 'a.txt'))).err).toContain('kept    test/agents.test.mjs');
    await rm(join(folder, 'policies'), { recursive: true });
    await rm(join(folder, 'test'), { recursive: true });
    expect((await init('--routes', join(folder, 'b.txt'))).err).not.toContain('@countersign/testing');
    expect(await read('policies/policies.cedar')).toContain('root.read');
  });

  it('names the routes whose permit a person has to place, and those that stay open before the guard only', async () => {
    const app = `const app = require('fastify')();
app.get('/orders', options, handler);
axios.get('/elsewhere');
app.get('/health', handler);
`;
    await put({ 'package.json': manifest('fastify'), 'app.js': app, 'app.test.js': "app.get('/test', x);" });
    const { out, err } = await init();
    expect(err).toContain('2 routes of fastify found');
    expect(err).toContain('Put a permit by hand: GET /orders in app.js');
    expect(err).toContain('GET /health stays open only before agentAuth(guard)');
    expect(out).toContain("+app.get('/health', permit('health.read', { type: 'Health', id: '*' }), handler);");
    expect(out).not.toContain('+axios');
  });

  it('leaves routes that give out credentials of people closed to agents, and says so', async () => {
    const app = `const app = require('koa-router')();
router.post('/login', login);
router.post('/auth/refresh', renew);
router.post('/authors', create);
`;
    await put({ 'package.json': manifest('koa'), 'routes.js': app });
    const { out, err } = await init();
    expect(err).toContain('closed  POST /login: agents get nothing that people sign in with');
    expect(err).toContain('closed  POST /auth/refresh');
    expect([...out.matchAll(/permit\('([a-z.]+)'/g)].map(([, action]) => action)).toEqual(['author.create']);
    expect(await readFile(join(folder, 'agents.json'), 'utf8')).not.toContain('login');
  });

  it('gives a part of a resource an action of its own', async () => {
    const app = `const router = new Router();
router.post('/articles', create);
router.get('/articles/:slug/comments', list);
router.post('/articles/:slug/favorite', favor);
router.delete('/articles/:slug/comments/:id', remove);
`;
    await put({ 'package.json': manifest('koa'), 'routes.js': app });
    const { out } = await init();
    const permits = [...out.matchAll(/^\+.*permit\('([a-z.]+)', .*type: '(\w+)'/gm)].map(([, action, type]) => [
      action,
      type,
    ]);
    expect(permits).toEqual([
      ['article.create', 'Article'],
      ['comment.read', 'Article'],
      ['favorite.create', 'Article'],
      ['comment.delete', 'Comment'],
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
    await writeFile(join(folder, 'guard.js'), '// mine');
    expect((await init('--undo')).err).toBe(
      'removed agents.json\nremoved agent.pem\nkept guard.js: it was changed since\n',
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
