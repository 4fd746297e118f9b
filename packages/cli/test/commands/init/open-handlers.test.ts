import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init } = inFolder();

async function openPlaces(framework: string, text: string): Promise<readonly string[]> {
  const creation = framework === 'koa' ? 'new Koa()' : 'express()';
  const files = { 'orders.js': "const router = Router();\nrouter.get('/', list);\nexport default router;\n" };
  await put({ 'package.json': manifest(framework), ...files, 'app.js': `const app = ${creation};\n${text}\n` });
  const { err } = await init();
  const [, places = ''] = /^Open to every verified agent, because these are no routes: (.*)\.$/m.exec(err) ?? [];
  return places === '' ? [] : places.split(', ');
}

describe('init names what is open to every verified agent', () => {
  it.each([
    ["app.use('/graphql', createHandler({ schema }));", "app.js:2 ('/graphql')"],
    ["app.use('/graphql', graphqlHTTP({ schema }));", "app.js:2 ('/graphql')"],
    ["app.use('/proxy', createProxyMiddleware({ target }));", "app.js:2 ('/proxy')"],
    ['app.use(createProxyMiddleware({ target }));', 'app.js:2'],
    ["app.use(express.static('public'));", 'app.js:2'],
    ["app.use('/files', requireAuth, express.static('files'));", "app.js:2 ('/files')"],
    ["app.use('/docs', swaggerUi.serve, swaggerUi.setup(docs));", "app.js:2 ('/docs')"],
    ["app.use('/queues', board);", "app.js:2 ('/queues')"],
    ["app.use('/old', (req, res) => res.redirect('/new'));", "app.js:2 ('/old')"],
  ])('on Express: %s', async (line, place) => {
    expect(await openPlaces('express', line)).toEqual([place]);
  });

  it.each([
    ["app.use(mount('/graphql', graphqlHTTP({ schema })));", 'app.js:2'],
    ["app.use(serve('public'));", 'app.js:2'],
    ['app.use(async (ctx) => {\n  ctx.body = await answer(ctx);\n});', 'app.js:2'],
  ])('on Koa: %s', async (line, place) => {
    expect(await openPlaces('koa', line)).toEqual([place]);
  });

  it.each([
    "app.use('/graphql', permit('graphql.use', { type: 'Path', id: '/graphql' }), createHandler({ schema }));",
    "import orders from './orders.js';\napp.use('/orders', orders);",
    "app.use('/orders', require('./orders'));",
    "app.use('/orders', ordersRouter);",
    "app.use('/orders', this.orders.router);",
    "app.use('/orders', createOrderRoutes(database));",
    "app.use('/orders', requireAuth);",
    "app.use('/orders', express.json());",
    "app.use('/orders', (req, res, next) => next());",
    'app.use(helmet());',
    "app.use(helmet({ csp: ['https://swagger.example/static(x)'] }));",
    "app.use('/orders', cors());",
    'app.use((req, res) => res.sendStatus(404));',
  ])('and not: %s', async (line) => {
    expect(await openPlaces('express', line)).toEqual([]);
  });
});
