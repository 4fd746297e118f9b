import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read } = inFolder();

interface Said {
  /** The paths in the list of routes, open or closed. */
  readonly listed: readonly string[];
  /** The places of routes that the list says are not closed. */
  readonly notClosed: readonly string[];
  /** The places of handlers that are open. */
  readonly open: readonly string[];
  readonly err: string;
}

function placesIn(text: string, line: RegExp): readonly string[] {
  return line.exec(text)?.[1]?.split(', ') ?? [];
}

async function said(framework: string, files: Readonly<Record<string, string>>): Promise<Said> {
  await put({ 'package.json': manifest('express', 'koa', '@koa/router', 'fastify'), ...files });
  const { err } = await init('--framework', framework);
  const list = await read('agent-routes.txt');
  return {
    listed: [...list.matchAll(/^(?:# )?(?:GET|POST|DELETE) (\S+)/gm)].map(([, path = '']) => path).toSorted(),
    notClosed: placesIn(list, /^# Not closed by this guard, .*?: (.*)\.$/m),
    open: placesIn(err, /^Open to every verified agent, because these are no routes: (.*)\.$/m),
    err,
  };
}

const onKoa = `import Koa from 'koa';
import { Router } from '@koa/router';
export const old = new Koa();
const router = new Router();
router.get('/exports/:id', send);
router.delete('/accounts/:id', remove);
old.use(router.routes());
`;
const onExpress = `import express from 'express';
export const app = express();
app.get('/hello/:id', greet);
`;
const places = ['app.js:5', 'app.js:6'];

describe('init names what is of another framework, and calls none of its routes closed', () => {
  it.each([
    ["app.use('/old', old.callback());", "app.js:11 ('/old')"],
    ['app.use(old.callback());', 'app.js:11'],
    ["app.use('/old', (req, res) => old.callback()(req, res));", "app.js:11 ('/old')"],
    ['app.use((req, res) => old.callback()(req, res));', 'app.js:11'],
    ['app.use((req, res, next) => (isOld(req) ? old.callback()(req, res) : next()));', 'app.js:11'],
    ['const handle = old.callback();\napp.use(handle);', 'app.js:12'],
    ["app.use('/old', requireLogin, old.callback());", "app.js:11 ('/old')"],
  ])('an application of Koa within Express: %s', async (lines, place) => {
    const result = await said('express', { 'app.js': `${onKoa}${onExpress}${lines}\n` });
    expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed: places, open: [place] });
    expect(result.err).toContain(
      `called by its callback(): ${places.join(', ')}. Such an application needs an agentAuth`,
    );
    expect(result.err).toContain('1 route of express found.');
  });

  it.each([
    ["import { old } from './old.js';\n", "app.use('/old', old.callback());"],
    ["import { old as legacy } from './old.js';\n", "app.use('/old', legacy.callback());"],
    ["const { old } = require('./old');\n", "app.use('/old', old.callback());"],
    ["import * as legacy from './old.js';\n", "app.use('/old', legacy.old.callback());"],
  ])('from another file: %s%s', async (imported, line) => {
    const result = await said('express', { 'old.js': onKoa, 'app.js': `${imported}${onExpress}${line}\n` });
    const notClosed = ['old.js:5', 'old.js:6'];
    expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed, open: ["app.js:5 ('/old')"] });
  });

  it.each([
    [
      'a function that gets a router',
      "export default (router) => {\n  router.get('/list', list);\n};\n",
      'addTo(router);',
    ],
    [
      'a router without a name',
      "import Router from 'koa-router';\nexport default new Router().get('/list', list);\n",
      'router.use(addTo.routes());',
    ],
  ])('%s of another file', async (_what, text, line) => {
    const main = `import addTo from './people.js';\n${onKoa}${line}\n${onExpress}app.use('/old', old.callback());\n`;
    const { listed, notClosed } = await said('express', { 'people.js': text, 'app.js': main });
    expect(listed).toEqual(['/hello/:id']);
    expect(notClosed).toEqual(['app.js:6', 'app.js:7', 'people.js:2']);
  });

  it.each([
    ["app.use('/fmw', router.lookup.bind(router));", "app.js:7 ('/fmw')"],
    ['app.use((req, res) => router.lookup(req, res));', 'app.js:7'],
  ])('a router of another package: %s', async (line, place) => {
    for (const made of [
      "import make from 'find-my-way';\nconst router = make();",
      "\nconst router = require('find-my-way')();",
    ]) {
      const text = `${made}\nrouter.get('/orders/:id', send);\n${onExpress}${line}\n`;
      const result = await said('express', { 'app.js': text });
      expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed: ['app.js:3'], open: [place] });
    }
  });

  it('an application of Fastify within Express', async () => {
    const inner = "import { fastify } from 'fastify';\nconst inner = fastify();\ninner.get('/orders/:id', send);\n";
    const text = `${inner}${onExpress}app.use((req, res) => inner.routing(req, res));\n`;
    const result = await said('express', { 'app.js': text });
    expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed: ['app.js:3'], open: ['app.js:7'] });
  });

  it.each([
    ['old.use((ctx) => {\n  ctx.respond = false;\n  app(ctx.req, ctx.res);\n});'],
    ['old.use(connect(app));'],
    ["old.use(mount('/new', connect(app)));"],
  ])('an application of Express within Koa: %s', async (lines) => {
    const result = await said('koa', { 'app.js': `${onKoa}${onExpress}${lines}\n` });
    expect(result).toMatchObject({ listed: ['/accounts/:id', '/exports/:id'], notClosed: ['app.js:10'] });
    expect(result.open).toEqual(['app.js:11']);
  });

  it('routes of Express within Fastify', async () => {
    const outer = "import { fastify } from 'fastify';\nconst main = fastify();\nmain.get('/orders/:id', send);\n";
    const { listed, notClosed } = await said('fastify', { 'app.js': `${outer}${onExpress}main.use(app);\n` });
    expect([listed, notClosed]).toEqual([['/orders/:id'], ['app.js:6']]);
  });

  it('places of its routes that cannot be read', async () => {
    const text = `${onKoa}router.all(path, send);\n${onExpress}app.use('/old', old.callback());\n`;
    const { notClosed, err } = await said('express', { 'app.js': text });
    expect(notClosed).toEqual([...places, 'app.js:8']);
    expect(err).not.toContain('cannot be read');
  });
});

describe('init names an application of Koa that another calls by its callback', () => {
  const outer = `const main = new Koa();
const front = new Router();
front.get('/hello/:id', greet);
main.use(front.routes());
`;

  it.each([
    ['main.use((ctx) => {\n  ctx.respond = false;\n  return old.callback()(ctx.req, ctx.res);\n});', 'app.js:12'],
    [
      'const handle = old.callback();\nmain.use(async (ctx) => {\n  ctx.respond = false;\n  await handle(ctx.req, ctx.res);\n});',
      'app.js:13',
    ],
  ])('and calls none of its routes closed: %s', async (lines, place) => {
    const result = await said('koa', { 'app.js': `${onKoa}${outer}${lines}\n` });
    expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed: places, open: [place] });
  });

  it('of another file', async () => {
    const handler = 'main.use((ctx) => {\n  ctx.respond = false;\n  return old.callback()(ctx.req, ctx.res);\n});\n';
    const imports = "import Koa from 'koa';\nimport { Router } from '@koa/router';\nimport { old } from './old.js';\n";
    const result = await said('koa', { 'old.js': onKoa, 'app.js': `${imports}${outer}${handler}` });
    expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed: ['old.js:5', 'old.js:6'], open: ['app.js:8'] });
    expect(result.err).not.toContain('whose guard covers its routes');
  });

  it('until it has the guard', async () => {
    const guards = 'old.use(agentAuth(guard));\nmain.use(agentAuth(guard));\n';
    const handler = 'main.use((ctx) => {\n  ctx.respond = false;\n  return old.callback()(ctx.req, ctx.res);\n});\n';
    const result = await said('koa', { 'app.js': `${onKoa}${outer}${guards}${handler}` });
    expect(result).toMatchObject({ listed: ['/accounts/:id', '/exports/:id', '/hello/:id'], notClosed: [], open: [] });
  });

  it.each([["main.use(mount('/old', old));"], ['createServer(old.callback()).listen(3001);']])(
    'and none that it mounts or serves: %s',
    async (line) => {
      const result = await said('koa', { 'app.js': `${onKoa}${outer}${line}\n` });
      expect(result).toMatchObject({
        listed: ['/accounts/:id', '/exports/:id', '/hello/:id'],
        notClosed: [],
        open: [],
      });
    },
  );
});

describe('init takes for its own', () => {
  it.each([
    ["import { Router } from 'express';\nconst orders = Router();\n"],
    ["import Router from 'router';\nconst orders = new Router();\n"],
    ["import Router from 'express-promise-router';\nconst orders = Router();\n"],
    ["import { createRouter } from '@acme/http';\nconst orders = createRouter();\n"],
    ["const orders = require('express').Router();\n"],
  ])('a router of the same framework, or of a package that is not known: %s', async (made) => {
    const text = `${made}orders.get('/:id', send);\n${onExpress}app.use('/orders', orders);\n`;
    const result = await said('express', { 'app.js': text });
    expect(result).toMatchObject({ notClosed: [], open: [] });
  });

  it.each([
    ['old.use(agentAuth(guard));'],
    ['old.use(onKoa.agentAuth(guard));'],
    ["import { agentAuth as koaAuth } from '@countersign/koa';\nold.use(koaAuth(guard));"],
  ])('no application of another framework; and names its handler no more once it has the guard: %s', async (line) => {
    const text = `${onKoa}${line}\n${onExpress}app.use('/old', old.callback());\n`;
    const result = await said('express', { 'app.js': text });
    expect(result).toMatchObject({ listed: ['/hello/:id'], notClosed: places, open: [] });
  });

  it('and reads files that import each other', async () => {
    const a = `${onExpress}import { b } from './b.js';\nexport const a = b();\na.get('/a', list);\napp.use(a);\n`;
    const b = "import { a } from './a.js';\nexport const b = a();\nb.get('/b', list);\n";
    expect(await said('express', { 'a.js': a, 'b.js': b })).toMatchObject({ notClosed: [], open: [] });
  });
});
