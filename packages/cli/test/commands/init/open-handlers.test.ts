import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read } = inFolder();

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

/** What `init` says of an application with this text. */
async function said(text: string, framework = 'express'): Promise<string> {
  await put({ 'package.json': manifest(framework), 'server.js': text });
  return (await init()).err;
}

describe('init names what is open, however the application is called', () => {
  it.each<[string, string]>([
    ...['app', 'api', 'application', 'main', 'web', 'instance', 'a', '$', 'expressApp', 'Server', 'backend'].map(
      (name): [string, string] => [name, `const ${name} = express();\n`],
    ),
    ['this.web', 'this.web = express();\n'],
    ['exports.web', 'exports.web = express();\n'],
    ['web', "const web = require('express')();\n"],
    ['web', 'const web: Express = express();\n'],
    ['pages', 'const pages = express.Router();\n'],
    ['web', "import { web } from './web.js';\n"],
    ['web', 'export function addTo(web) {\n'],
  ])('%s: %s', async (name, line) => {
    const end = line.endsWith('{\n') ? '}\n' : '';
    const uses = `${name}.use('/graphql', createHandler({ schema }));\n${name}.use(express.static('public'));\n`;
    await put({ 'package.json': manifest('express'), 'server.ts': `${line}${uses}${end}` });
    expect((await init()).err).toContain("because these are no routes: server.ts:2 ('/graphql'), server.ts:3.\n");
  });

  it('on Koa', async () => {
    expect(await said("const web = new Koa();\nweb.use(serve('public'));\n", 'koa')).toContain('server.js:2.\n');
  });

  it('in a chain behind its creation', async () => {
    const text = "const web = express()\n  .use(cors())\n  .use('/graphql', createHandler({ schema }));\n";
    expect(await said(text)).toContain("server.js:3 ('/graphql').\n");
  });

  it.each([
    "import i18n from 'i18next';\ni18n.use(swaggerLanguage);\n",
    "const client = require('some-client');\nclient.use('/proxy', createProxy());\n",
    "export default (passport) => passport.use('graphql', new GraphqlStrategy());\n",
  ])('and names nothing that no application uses: %s', async (text) => {
    expect(await said(text)).not.toContain('Open to every verified agent');
  });

  it('and finds its routes, the uploads and the patterns', async () => {
    const text = `const web = express();
web.use(multer({ dest: 'uploads' }).single('file'));
web.get('/p*', check);
web.get('/posts/:id', (req, res) => res.json(req.params.id));
`;
    const err = await said(text);
    expect(err).toContain('2 routes of express found. 1 route is for agents');
    expect(err).toContain('server.js:2 stores uploads before a route is known');
    expect(err).toContain('server.js:3 also matches GET /posts/:id;');
    expect(await read('agent-routes.txt')).toContain('GET /posts/:id post.read Post # server.js:4\n');
  });

  it('and says of no pattern that it matches what it excludes', async () => {
    const text = `const web = express();
web.get(/^\\/(?!api|health)/, page);
web.get('/api/orders', list);
web.get('/items', list);
`;
    const err = await said(text);
    expect(err).toContain('server.js:2 also matches GET /items;');
  });
});

describe('init leaves out what is in another package', () => {
  const main = "const app = express();\napp.get('/orders', list);\n";
  const proxy = "module.exports = (app) => app.use(createProxyMiddleware('/api', { target }));\n";

  it('such as the development server of a client', async () => {
    const files = { 'client/package.json': manifest('react'), 'client/src/setupProxy.js': proxy };
    await put(files);
    expect(await said(main)).not.toContain('setupProxy');
  });

  it.each([
    ['that has no dependencies', JSON.stringify({ type: 'module' })],
    ['that names the framework', manifest('express')],
    ['that cannot be read', '{'],
  ])('and not a folder %s', async (_what, text) => {
    await put({ 'client/package.json': text, 'client/src/setupProxy.js': proxy });
    expect(await said(main)).toContain('client/src/setupProxy.js:1');
  });
});
