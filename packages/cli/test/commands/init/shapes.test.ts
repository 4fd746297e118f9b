import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, run, read, path } = inFolder();

/** The lines that a diff adds. */
const added = (diff: string): readonly string[] =>
  diff.split('\n').flatMap((line) => (/^\+(?!\+)/.test(line) ? [line.slice(1)] : []));
const permits = (diff: string): readonly string[] => added(diff).filter((line) => line.includes('permit('));

describe('init on Koa', () => {
  const routes = `import Router from 'koa-router';
const router = new Router({ prefix: '/articles' });
router.use(authenticated);
router
  // what people read
  .get(
    '/:slug',
    load,
  )
  .get('/', list)
  .del('/:slug', remove)
  .get(pathOf('x'), list)
  .all('/:slug/any', any);
app.use(router.routes());
export default router;
`;

  it('finds chained routes on several lines, with the prefix of their router, and del', async () => {
    await put({ 'package.json': manifest('koa'), 'app.js': 'const app = new Koa();', 'src/articles.js': routes });
    const { out, err } = await init();
    expect(err).toContain('3 routes of koa found. 2 routes are for agents');
    expect(permits(out)).toEqual([
      "    '/:slug', permit('article.read', (ctx) => ({ type: 'Article', id: ctx.params['slug'] })),",
      "  .get('/', permit('article.read', { type: 'Article', id: '*' }), list)",
    ]);
    expect(await read('agent-routes.txt')).toContain('# DELETE /articles/:slug article.delete Article');
    expect(err).toContain('2 places like a route cannot be read');
    expect(err).toContain('src/articles.js:12, src/articles.js:13. Add such routes to agent-routes.txt.');
  });

  it.each([
    [
      'behind error handler, CORS and limits, in a chain',
      'const app = new Koa();\napp\n  // refusals, too\n  .use(helmet())\n  .use(error)\n  .use(throttleLimit)\n\n  // the user\n  .use(verifyToken)\n  .use(bodyParser());\n',
      '  .use(throttleLimit)\n  .use(agentAuth(guard)) // before any body parser\n',
    ],
    [
      'behind them as statements',
      'const app = new Koa();\napp.use(async (ctx, next) => {\n  try {\n    await next();\n  } catch (error) {\n    ctx.status = 500;\n  }\n});\napp.use(cors());\napp.use(koaBody());\n',
      'app.use(cors());\napp.use(agentAuth(guard)); // before any body parser\n',
    ],
    [
      'before all that is not known',
      'const app = new Koa();\napp.use(mystery());\napp.use(cors());\n',
      'const app = new Koa();\napp.use(agentAuth(guard)); // before any body parser\n',
    ],
    [
      'before an error handler that also serves',
      'const app = new Koa();\napp.use(async (ctx, next) => {\n  try {\n    ctx.body = await serve();\n  } catch {}\n});\n',
      'const app = new Koa();\napp.use(agentAuth(guard)); // before any body parser\n',
    ],
  ])('puts the guard %s', async (_where, app, expected) => {
    await put({ 'package.json': manifest('koa'), 'app.js': app });
    expect(await applied()).toContain(expected);
  });
});

/** What the changed files are after `init`. */
async function applied(): Promise<string> {
  await init();
  const diff = await read('.countersign/init.diff');
  const after = diff.split('\n').flatMap((line) => (/^[+ ]/.test(line) ? [line.slice(1)] : []));
  return `${after.join('\n')}\n`;
}

describe('init puts the guard before all that may have routes [G3]', () => {
  const files = {
    'src/errors.js': "const router = new Router();\nrouter.get('/errors', list);\nexport default router;\n",
    'src/log/index.js': "import Router from '@koa/router';\nexport const reports = new Router();\n",
  };

  it.each([
    ['errorReports.routes()', ''],
    ['error.routes()', ''],
    ['loggerApi.middleware()', ''],
    ['logger.middleware()', ''],
    ['corsProxy("http://a.test")', ''],
    ['throttledApi', ''],
    ['cors(), errorReports', ''],
    ['cors(), error.routes()', ''],
    ['error', "import error from './errors.js';\n"],
    ['error', "const error = require('./errors');\n"],
    ['log', "import { reports as log } from './log';\n"],
    ['logger', "const logger = Router();\nlogger.get('/entries', list);\n"],
  ])('on Koa and Express: %s', async (used, before) => {
    for (const [framework, creation] of [
      ['koa', 'new Koa()'],
      ['express', 'express()'],
    ] as const) {
      const app = `${before}const app = ${creation};\napp.use(${used});\napp.use(cors());\napp.use(orders.routes());\n`;
      await put({ 'package.json': manifest(framework), ...files, 'src/app.js': app });
      expect(await applied()).toContain(`const app = ${creation};\napp.use(agentAuth(guard));`);
      await init('--undo');
    }
  });

  it('on Koa: what gets the application itself', async () => {
    const app = 'const app = new Koa();\nmountRoutes(app);\napp.use(cors());\n';
    await put({ 'package.json': manifest('koa'), 'app.js': app });
    expect(await applied()).toContain('new Koa();\napp.use(agentAuth(guard));');
  });

  it('on Express: a router that the call of cors has, too', async () => {
    const app = 'const app = express();\napp.use(cors(), reports);\n';
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(await applied()).toContain('express();\napp.use(agentAuth(guard));');
  });
});

describe('init on Fastify', () => {
  it('finds the config of a route behind text and comments with brackets', async () => {
    const app = `const app = fastify();
app.get('/a', { schema: { summary: '}' }, /* { */ config: { rateLimit: {} } }, list);
app.get('/b', { schema: [{ pattern: "it's (" }], 'config': { rateLimit: {} } }, list);
`;
    await put({ 'package.json': manifest('fastify'), 'app.js': app });
    expect(permits((await init()).out)).toEqual([]);
    expect((await init()).out.match(/config'?: \{ permit: /g)).toHaveLength(2);
  });

  it('writes the permit into the config that a route has, and leaves a config in a variable to a person', async () => {
    const app = `import fastify from 'fastify';
const app = fastify();
app.get('/orders', { schema: { response: {} }, config: { rateLimit: { max: 5 } }, handler: list });
app.get('/orders/:id', { config, handler: show });
app.get('/lines', { schema: { config: {} }, handler: list });
`;
    await put({ 'package.json': manifest('fastify'), 'app.js': app });
    const { out, err } = await init();
    expect(out).toContain(
      "config: { permit: { action: 'order.read', resource: { type: 'Order', id: '*' } }, rateLimit: { max: 5 } }",
    );
    expect(permits(out)).toEqual([
      "app.get('/lines', { ...permit('line.read', { type: 'Line', id: '*' }), schema: { config: {} }, handler: list });",
    ]);
    expect(err).toContain('Put a permit by hand: GET /orders/:id in app.js');
  });

  it('finds routes behind a type provider, and those of route() with a literal method and url', async () => {
    const app = `const app = fastify();
app.withTypeProvider<Zod>().get('/items/:id', { schema: {} }, show);
app.after(() => {
  app.withTypeProvider<Zod>().route({ method: 'GET', url: '/things', handler: list });
});
app.route({ url: '/lines', method: 'POST', config: { rateLimit: {} }, handler: create });
app.route({ method: ['GET'], url: '/lists', handler: list });
app.route({ method: 'GET', url: path, handler: list });
`;
    const list = 'GET /items/:id\nGET /things\nPOST /lines\n';
    await put({ 'package.json': manifest('fastify'), 'tsconfig.json': '{}', 'app.ts': app, 'list.txt': list });
    const { out, err } = await init('--routes', path('list.txt'));
    expect(permits(out)).toEqual([
      "app.withTypeProvider<Zod>().get('/items/:id', { ...permit('item.read', (request) => ({ type: 'Item', id: request.params['id'] })), schema: {} }, show);",
      "  app.withTypeProvider<Zod>().route({ ...permit('thing.read', { type: 'Thing', id: '*' }), method: 'GET', url: '/things', handler: list });",
    ]);
    expect(out).toContain(
      "config: { permit: { action: 'line.create', resource: { type: 'Line', id: '*' } }, rateLimit",
    );
    expect(err).toContain('2 places like a route cannot be read');
    expect(err).toContain('app.ts:7, app.ts:8');
  });

  it('imports the guard as the sources import each other', async () => {
    const app = "import fastify from 'fastify';\nimport { a } from '#a.ts';\nconst app = fastify();\n";
    const tools = "import { x } from './other.js';\n";
    const own = "import { schema } from './schema.ts';\n";
    const base = { 'package.json': manifest('fastify'), 'tsconfig.json': '{}', 'src/http/app.ts': app };
    await put({ ...base, 'plopfile.js': tools, 'src/http/routes.ts': own });
    expect(added((await init()).out)).toContain("import { guard } from '../guard.ts';");
  });
});

describe('init on Express', () => {
  it('finds the methods of route(), with their lines', async () => {
    const app = `const app = express();
app
  .route('/orders/:id')
  .get(show)
  .delete(
    checked,
    remove,
  );
`;
    await put({
      'package.json': manifest('express'),
      'app.js': app,
      'list.txt': 'GET /orders/:id\nDELETE /orders/:id\n',
    });
    const { out, err } = await init('--routes', path('list.txt'));
    expect(permits(out)).toEqual([
      "  .get(permit('order.read', (req) => ({ type: 'Order', id: req.params['id'] })), show)",
      "    permit('order.delete', (req) => ({ type: 'Order', id: req.params['id'] })), checked,",
    ]);
    expect(err).not.toContain('cannot be read');
    expect(await read('agent-routes.txt')).toContain('GET /orders/:id order.read Order # app.js:4\n');
  });
});

describe('init reads the root of a router as route()', () => {
  it.each(['/', ''])("on Express: '%s'", async (root) => {
    const routes = `const router = express.Router();
router
  .route('${root}')
  .post(auth, create)
  .get(auth, list);
router.route('/:id/').get(show).delete(remove);
module.exports = router;
`;
    const app = "const app = express();\napp.use('/api/orders', require('./orders'));\n";
    await put({ 'package.json': manifest('express'), 'app.js': app, 'orders.js': routes });
    const { out, err } = await init();
    expect(permits(out)).toEqual([
      "  .get(permit('order.read', { type: 'Order', id: '*' }), auth, list);",
      "router.route('/:id/').get(permit('order.read', (req) => ({ type: 'Order', id: req.params['id'] })), show).delete(remove);",
    ]);
    expect(err).toContain('4 routes of express found.');
    expect(err).not.toContain('cannot be read');
    expect(await read('agent-routes.txt')).toContain('# POST /api/orders order.create Order # orders.js:4\n');
  });
});

describe('the names that init gives', () => {
  it('are others for routes about other things, and say what is done to which resource', async () => {
    const files = {
      'package.json': manifest('fastify'),
      'bookings.js': "app.post('/', h);\napp.patch('/:id/cancel', h);\napp.patch('/:id/confirm', h);\n",
      'reviews.js': "app.post('/booking/:id', h);\napp.get('/service/:id', h);\n",
      'services.js': "app.get('/', h);\napp.get('/:id', h);\n",
    };
    await put(files);
    await init();
    const lines = (await read('agent-routes.txt'))
      .split('\n')
      .map((line) => line.replace(/^# /, '').replace(/ # .*/, ''));
    expect(lines).toEqual(
      expect.arrayContaining([
        'POST /bookings booking.create Booking',
        'PATCH /bookings/:id/cancel booking.cancel Booking',
        'PATCH /bookings/:id/confirm booking.confirm Booking',
        'POST /booking/:id review-booking.create Booking',
        'GET /service/:id review-service.read Service',
        'GET /services service.read Service',
        'GET /services/:id service.read Service',
      ]),
    );
  });
});

it('init without a route for agents writes policies that can be loaded and permit nothing', async () => {
  await put({ 'package.json': manifest('koa'), 'app.js': 'const app = new Koa();\n' });
  const { err } = await init();
  expect(err).toContain('List your routes there, one METHOD /path a line with the prefixes of routers');
  expect((await run('policy', 'check', path('policies'))).code).toBe(0);
  await put({ 'agent-routes.txt': 'GET /orders\n' });
  expect((await init()).code).toBe(0);
  expect(await read('policies/policies.cedar')).not.toContain('forbid');
});
