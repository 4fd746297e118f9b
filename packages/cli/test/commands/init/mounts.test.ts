import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read, path } = inFolder();

/** The lines of the list that open a route, and those that do not. */
async function listed(framework: string, files: Readonly<Record<string, string>>): Promise<[string[], string[]]> {
  await put({ 'package.json': manifest(framework), ...files });
  await init();
  const lines = (await read('agent-routes.txt')).split('\n').filter((line) => /^(?:# )?GET /.test(line));
  const closed = lines.filter((line) => line.startsWith('#'));
  return [lines.filter((line) => !closed.includes(line)), closed.map((line) => line.slice(2))];
}

const paths = (lines: readonly string[]): readonly (string | undefined)[] => lines.map((line) => line.split(' ')[1]);

/** An application that mounts `people` as the lines say, and has `/products` itself. */
const express = (lines: string, file = 'src/app.js') => ({
  [file]: `import express, { Router } from 'express';
import { people } from './routes/people.js';
const app = express();
app.get('/products', list);
${lines}
`,
  'src/routes/people.js': `import { Router } from 'express';
export const people = Router();
people.get('/', list);
people.get('/:id', (req, res) => res.json(find(req.params.id)));
`,
});
const fastify = (lines: string) => ({
  'src/app.js': `import Fastify from 'fastify';
import people from './people.js';
const app = Fastify();
app.get('/products', list);
${lines}
`,
  'src/people.js': "export default async function (fastify, options) {\n  fastify.get('/list', list);\n}\n",
});
const koa = (lines: string, more = '') => ({
  'src/app.js': `const Koa = require('koa');
const Router = require('@koa/router');
const people = require('./people');
const app = new Koa();
const router = new Router();
router.get('/products', list);
app.use(router.routes()).use(router.allowedMethods());
${lines}
`,
  'src/people.js': `const people = new Router();\npeople.get('/list', list);\n${more}module.exports = people;\n`,
});

describe('init puts the path of a mount before the routes of a router', () => {
  it.each([
    ["app.use('/admin', people);"],
    ["app.use('/admin/', requireLogin, people);"],
    ["app.use(\n  '/admin', // for us\n  people,\n);"],
    ["app.use(express.json()).use('/admin', people);"],
    ["const inner = Router();\ninner.use(people);\napp.use('/admin', inner);"],
  ])('on Express, and leaves them closed where that administers: %s', async (lines) => {
    const [open, closed] = await listed('express', express(lines));
    expect(paths(open)).toEqual(['/products']);
    expect(paths(closed)).toEqual(['/admin', '/admin/:id']);
    expect(await read('agent-routes.txt')).toContain('administration and operation.\n# GET /admin');
  });

  it.each([
    [
      'a router of the same file',
      {
        'src/app.js':
          "const app = express();\nconst people = Router();\npeople.get('/list', list);\napp.use('/admin', people);\n",
      },
    ],
    [
      'an application',
      {
        'src/app.js':
          "const app = express();\nconst api = express();\napi.get('/list', list);\napp.use('/admin', api);\n",
      },
    ],
    [
      'a router that is made where it is mounted',
      { 'src/app.js': "const app = express();\napp.use('/admin', login, express.Router().get('/list', list));\n" },
    ],
    [
      'what is required where it is mounted',
      {
        'src/app.js': "const app = express();\napp.use('/admin', require('./people'));\n",
        'src/people.js':
          "const router = require('express').Router();\nrouter.get('/list', list);\nmodule.exports = router;\n",
      },
    ],
    [
      'a router below another one in a third file',
      {
        'src/app.js': "import routes from '@/routes';\nconst app = express();\napp.use('/api', routes);\n",
        'src/routes/index.js': "import { people } from './people';\nexport default Router().use('/admin', people);\n",
        'src/routes/people.js': "export const people = Router();\npeople.get('/list', list);\n",
      },
    ],
    [
      'what gets a router',
      {
        'src/app.js':
          "import mount from './people.js';\nconst app = express();\nconst admin = Router();\nmount(admin);\napp.use('/admin', admin);\n",
        'src/people.js': "export default (router) => {\n  router.get('/list', list);\n};\n",
      },
    ],
    [
      'a class that has a router',
      {
        'src/app.ts':
          "import { People } from './people';\nconst app: Express = express();\napp.use('/admin', new People().router);\n",
        'src/people.ts':
          "export class People {\n  router: express.Router = express.Router();\n  constructor() {\n    this.router.get('/list', list);\n  }\n}\n",
      },
    ],
  ])('on Express: %s', async (_what, files) => {
    const [open, closed] = await listed('express', files);
    expect([open, paths(closed)]).toEqual([[], [expect.stringMatching(/^(?:\/api)?\/admin\/list$/)]]);
  });

  it.each([
    ["app.register(people, { prefix: '/admin' });"],
    ["await app.register(import('./people.js'), { 'prefix': '/admin', logLevel: 'warn' });"],
    ["app.register(async (instance) => {\n  instance.register(people);\n}, { prefix: '/admin' });"],
    [
      "async function routes(fastify) {\n  fastify.get('/list', list);\n}\nconst fastify = Fastify();\nfastify.register(routes, { prefix: '/admin' });",
    ],
    [
      "const routes: FastifyPluginAsync = async (server) => {\n  server.get('/list', list);\n};\nconst server = Fastify();\nserver.register(routes, { prefix: '/admin' });",
    ],
    ["app.register(function (api, options, done) {\n  api.get('/list', list);\n}, { prefix: '/admin' });"],
  ])('on Fastify: %s', async (lines) => {
    const files = fastify(lines);
    const all = lines.includes('people') ? files : { 'src/app.js': files['src/app.js'] };
    const [open, closed] = await listed('fastify', all);
    expect([paths(open), paths(closed)]).toEqual([['/products'], ['/admin/list']]);
  });

  it.each([
    ["router.use('/admin', auth, people.routes(), people.allowedMethods());", ''],
    ["const admin = new Router({ prefix: '/admin' });\nadmin.use(people.routes());\napp.use(admin.routes());", ''],
    ['app.use(people.routes());', "people.prefix('/admin');\n"],
  ])('on Koa: %s', async (lines, more) => {
    const [open, closed] = await listed('koa', koa(lines, more));
    expect([paths(open), paths(closed)]).toEqual([['/products'], ['/admin/list']]);
  });

  it('and opens those that a first agent may have, by that path', async () => {
    const [open] = await listed('express', express("app.use('/shop/people', people);"));
    expect(open.map((line) => line.replace(/ # .*/, ''))).toEqual([
      'GET /products product.read Product',
      'GET /shop/people people.read People',
      'GET /shop/people/:id people.read People',
    ]);
  });
});

describe('init opens no route of a router that is mounted in a way that it cannot read', () => {
  it.each([
    ["const base = '/admin';\napp.use(base, people);"],
    ['app.use(`/${area}`, people);'],
    ["app.use(['/people', '/admin'], people);"],
    ["app.use('/people', people);\napp.use('/admin', people);"],
    ["app.use('/people', people);\n[['/admin', people]].forEach(([path, router]) => app.use(path, router));"],
    ["app.use('/people', people);\nconst all = { people };\napp.use('/admin', all.people);"],
    ["app.use('/people', people);\nexport { people };"],
    ["app.use('/people', wrapped(people));"],
    ["import staff from './routes/people.js';\napp.use('/people', people);\napp.use('/admin', staff);"],
    ['mountAll(app, people);'],
    ['// app.use(people);'],
    ["const inner = Router();\ninner.use('/people', people);\napp.use(config.base, inner);"],
  ])('on Express: %s', async (lines) => {
    const [open, closed] = await listed('express', express(lines));
    expect([paths(open), paths(closed)]).toEqual([['/products'], ['/people', '/people/:id']]);
    expect(await read('agent-routes.txt')).toContain(
      '# Closed to agents: where their router is mounted could not be read',
    );
  });

  it.each([
    ['app.register(people, options);'],
    ["app.register(people, { ...options, logLevel: 'warn' });"],
    ['app.register(people, { prefix });'],
    [
      "app.register(async (instance) => {\n  scope.register(async (api) => {\n    api.register(people);\n  }, { prefix: '/admin' });\n});",
    ],
    ['app.register(autoload, { dir });'],
    ['app.register(async (instance) => instance.register(people), { prefix: base });'],
  ])('on Fastify: %s', async (lines) => {
    const [open, closed] = await listed('fastify', fastify(lines));
    expect([paths(open), paths(closed)]).toEqual([['/products'], ['/list']]);
  });

  it.each([
    ['router.use(base, people.routes());', ''],
    ['app.use(people.routes());', 'people.prefix(base);\n'],
    ["app.use(mount('/admin', people));", ''],
  ])('on Koa: %s', async (lines, more) => {
    const [open, closed] = await listed('koa', koa(lines, more));
    expect([paths(open), paths(closed)]).toEqual([['/products'], ['/list']]);
  });

  it.each([
    ["import * as people from './people.js';\napp.use('/people', people.router);\napp.use('/admin', people.admin);"],
    ["import api from './people.js';\napi.get('/list', list);"],
    ["import { People } from './other.js';\nnew People(api);"],
  ])('nor what an import hides: %s', async (lines) => {
    const people = "const admin = Router();\nadmin.get('/list', list);\nexport { admin };\nexport default admin;\n";
    const other =
      "export class People {\n  constructor(app) {\n    this.app = app;\n  }\n  add() {\n    this.app.get('/list', list);\n  }\n}\n";
    const app = "const app = express();\nconst api = Router();\napp.get('/products', list);\n";
    const files = { 'app.js': `${lines.includes('import api') ? app.replace(/.*api.*\n/, '') : app}${lines}\n` };
    const [open, closed] = await listed('express', { ...files, 'people.js': people, 'other.js': other });
    expect(paths(open)).toEqual(['/products']);
    expect(paths(closed)).toContain('/list');
  });

  it('nor of one whose own prefix is in a variable', async () => {
    const routes =
      "const people = new Router({ prefix: `/${area}` });\npeople.get('/list', list);\nmodule.exports = people;\n";
    const [open] = await listed('koa', { ...koa('app.use(people.routes());'), 'src/people.js': routes });
    expect(paths(open)).toEqual(['/products']);
  });

  it('until a person lists it, also without the path of the mount', async () => {
    await put({ 'package.json': manifest('express'), ...express("app.use('/v1', people);\napp.get('/v1/x', list);") });
    await put({ 'agent-routes.txt': 'GET /v1/:id person.read Person\n' });
    const { out, err } = await init();
    expect(out).toContain("people.get('/:id', permit('person.read'");
    expect(err).not.toContain('by hand');
  });
});

it.each([
  [
    'express',
    "const shop = Router({ mergeParams: true }).get('/orders/:id', show);\napp.use('/shops/:shop', shop);",
    'GET /orders/:id',
  ],
  [
    'express',
    "const shop = Router({ mergeParams: true });\nshop.get('/info', show);\napp.use('/shops/:shop', shop);",
    'GET /info',
  ],
  [
    'express',
    "app.use('/shops/:shop', Router({ mergeParams: true }).get('/info', show).get('/orders/:id', show));",
    'GET /orders/:id',
  ],
  [
    'express',
    "app.use('/shops', Router().use('/:shop', new Router({ mergeParams: true }).get('/orders/:id', show)));",
    'GET /orders/:id',
  ],
])('init leaves the permit below a parameter of a mount to a person: %s, %s', async (framework, lines, route) => {
  await put({
    'package.json': manifest(framework),
    'app.js': `import express, { Router } from 'express';\nconst app = express();\nconst show = (req, res) => res.json(find(req.params.shop, req.params.id));\n${lines}\n`,
    'list.txt': 'GET /shops/:shop/orders/:id order.read Order\nGET /shops/:shop/info shop.read Shop\n',
  });
  const { out, err } = await init('--routes', path('list.txt'));
  expect(out).not.toContain('permit(');
  expect(err).toMatch(`Put a permit by hand: ${route} in app.js:`);
  expect(err).toContain('(its router is below shop, which may be a part of the key)');
});

it.each([
  ['/files/*', false],
  ['/files/(.*)', false],
  ['/pages/:slug/*', false],
  [String.raw`/files/:id(\\d+)`, true],
  ['/files/:path*', true],
  ['/files/*path', true],
])('init leaves the permit of a path with a part without a name to a person: %s', async (route, isWritten) => {
  await put({
    'package.json': manifest('express'),
    'app.js': `import express from 'express';\nconst app = express();\napp.get('${route}', (req, res) => res.json(find(req.params)));\n`,
    'list.txt': `GET ${route.replaceAll('\\\\', '\\')} file.read File\n`,
  });
  const { err } = await init('--routes', path('list.txt'));
  expect(err.includes('(its path has a part without a name, which may be a part of the key)')).toBe(!isWritten);
});
