import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, putNest, init, path, permitOf } = inFolder();

const id = "req.params['id']";
const both = "`${req.params['id']}/${req.params['slug']}`";
const notKnown = 'whether its handler uses slug is not known here';

/** The id in the permit of a route of an application, or why a person has to write it. */
async function idOf(route: string, handlers: string, more = ''): Promise<string | undefined> {
  await put({
    'package.json': manifest('express'),
    'tsconfig.json': '{}',
    'app.ts': `const app = express();\napp.get('${route}', ${handlers});\n${more}`,
    'list.txt': `GET ${route} item.read Item\n`,
  });
  const { out, err } = await init('--routes', path('list.txt'));
  const [, found] = /permit\('item\.read', \(req\) => \(\{ type: 'Item', id: (.*?) \}\)\)/.exec(out) ?? [];
  const [, problem] = /Put a permit by hand: GET \S+ in app\.ts:2 \((.*)\)$/m.exec(err) ?? [];
  expect([found, problem]).toContain(undefined);
  return found ?? problem;
}

it.each([
  ['(req, res) => res.json(items.get(req.params.id))', '', id],
  ['(req, res) => items.get(req.params.id)', "const items = new Map([['7', {}]]);", id],
  ['(req, res) => items.get(req.params.id)', "import { items } from './items.js';", id],
  ['({ params: { id }, query }, res) => res.json(items.get(id, query.sort))', '', id],
  ['({ params }, res) => res.json(items.get(params.id))', '', id],
  ['(req, res) => { const { id, slug } = req.params; res.json(items.get(+id)); }', '', `Number(${id})`],
  ['(req, res) => { console.log(req.params.slug, req.url); res.json(items.get(req.params.id)); }', '', id],
  ['(req, res) => { req.log.info(req.params); res.json(items.get(req.params.id)); }', '', id],
  ['show', 'function show(req, res) { res.json(load(req)); }\nconst load = (r) => items.get(r.params.id);', id],
  [
    'show',
    'function show({ params }, res) { res.json(load(params.id, params.slug)); }\nconst load = (id, slug) => items.get(id);',
    id,
  ],
  ['check, (req, res) => items.get(req.params.id)', 'function check(req, res, next) { if (req.ip) next(); }', id],
  ['(req, res) => items.get(req.params.id, req.params.slug)', '', both],
])('init leaves a parameter that the handler never uses out of the id: %s', async (handlers, more, expected) => {
  expect(await idOf('/items/:id/:slug', handlers, more)).toBe(expected);
});

it.each([
  ['show', "import { show } from './show.js';"],
  ['authenticate, (req, res) => items.get(req.params.id)', "import { authenticate } from './login.js';"],
  ['wrap((req, res, slug) => items.get(req.params.id, slug))', "import { wrap } from './wrap.js';"],
  [
    'check, wrap(load)',
    "import { load } from './load.js';\nconst check = (req, res, next) => items.has(req.params.id) && next();\nconst wrap = (run) => (req, res) => run(req, res);",
  ],
  [
    'check, wrap(show)',
    "import { load } from './load.js';\nconst check = (req, res, next) => items.has(req.params.id) && next();\nconst wrap = (run) => (req, res) => run(req, res);\nconst show = (req) => load(req);",
  ],
  ['(req, res) => items.get(req.params.id, load(req))', "import { load } from './load.js';"],
  ['(req, res) => load({ req, id: req.params.id })', "import { load } from './load.js';"],
  ['(req, res) => items.get(req.params.id, req.item)', ''],
  ['(req, res) => items.get(req.params.id, res.locals.item)', ''],
  ['(req, res) => items.get(req.params.id, load(res.req))', ''],
  ['({ params, ...more }, res) => items.get(params.id, more.item)', ''],
  ['function (req) { return items.get(req.params.id, load(...arguments)); }', ''],
  ['(req, res) => { const key = keyName; items.get(req.params.id, req[key]); }', ''],
  ['(req, res) => items.get(req.params.id)', 'app.use((req) => { current.slug = req.params.slug; });'],
  ['(req, res) => { res.json(req.item); }', ''],
])('init leaves a permit to a person if a parameter may be used elsewhere: %s', async (handlers, more) => {
  expect(await idOf('/items/:id/:slug', handlers, more)).toMatch(/^whether its handler uses (?:id and )?slug is not/);
});

it.each([
  ['/items/:id/:slug', '(req, res) => { if (!req.params.slug) return bad(); items.get(req.params.id); }'],
  ['/items/:id/:slug', "(req, res) => { if (req.params.slug.startsWith('a')) items.get(req.params.id); }"],
])('init joins no parameter that a handler only checks: %s, %s', async (route, handlers) => {
  expect(await idOf(route, handlers)).toBe('its id has 2 parts, and its handler only checks slug');
});

it.each([
  '/items/:id{/:slug}',
  '/items/:id{.:slug}',
  '/items/:id/:slug?',
  '/items/:id/:slug([0-9]+)?',
  '/items/:id(/:slug)?',
  '/items/:id/:slug*',
])('init joins no parameter that the path may lack: %s', async (route) => {
  const reads = '(req, res) => res.json(items.get(req.params.id, req.params.slug))';
  expect(await idOf(route, reads)).toBe('its id has 2 parts, and slug may be missing');
  expect(await idOf(route, '(req, res) => res.json(items.get(req.params.id))')).toBe(id);
});

it.each([
  [
    "read(@Param('id') id: string, @Query('sort') sort: string) { return this.items.get(id, sort);",
    "request.params['id']",
  ],
  ["read(@Param('id') id: string, @Param('slug') slug: string) { return this.items.get(id);", "request.params['id']"],
  ['read(@Req() req: Request) { return this.items.get(req.params.id);', "request.params['id']"],
  ["read(@Param('id') id: string, @Item() item: Item) { return this.items.get(id, item);", notKnown],
  ["read(@Param('id') id: string, @Req() req: Request) { return this.items.get(id, req.item);", notKnown],
  ["read(@Param('id') id: string) { return this.items.get(id, this.request);", notKnown],
])('init does so on NestJS: %s', async (method, expected) => {
  await putNest(`@Get(':id/:slug')\n  ${method}\n  }`);
  await put({ 'list.txt': 'GET /items/:id/:slug item.read Item\n' });
  const { out, err } = await init('--routes', path('list.txt'));
  const [, found] = /type: 'Item', id: (.*?) \}\)/.exec(out) ?? [];
  const [, problem] = /Put a permit by hand: GET \S+ in \S+ \((.*)\)$/m.exec(err) ?? [];
  expect([found, problem]).toContain(expected);
});

it.each([
  ["db.get(req.query.tenant + ':' + req.params.id);", ''],
  ["db.get(req.params.id + (req.query.suffix ?? ''));", ''],
  ['db.get(`${req.headers.tenant}:${req.params.id}`);', ''],
  ['const { tenant } = req.body; db.get(`${tenant}:${req.params.id}`);', ''],
  ['const { cookies } = req; const key = cookies.a + req.params.id; db.get(key);', ''],
  ["const { id } = req.params; db.get(String(id) + req.get('tenant'));", ''],
  ["const key = ':' + req.params.id; db.get(req.query.tenant + key);", ''],
  ['const tenant = await tenants.find(req.query.tenant); db.get(`${tenant.id}:${req.params.id}`);', ''],
  ['for (const key of req.query.all.map((each) => each + req.params.id)) db.get(key);', ''],
  ['for (const tenant of req.query.all) db.get(tenant + req.params.id);', ''],
  ['let tenant; ({ tenant } = req.query); db.get(tenant + req.params.id);', ''],
  ["db.get([req.query.tenant, req.params.id].join(':'));", ''],
  ['db.get(req.params.id.concat(req.query.tenant));', ''],
  ['((tenant) => db.get(tenant + req.params.id))(req.query.tenant);', ''],
  ['rows[req.signedCookies.tenant + req.params.id].show();', ''],
  ['items.find((item) => item.key === req.query.tenant + req.params.id);', ''],
  ['db.get(keyOf(req));', 'const keyOf = (req) => req.query.tenant + req.params.id;'],
  ['db.get(keys.of(req.query.tenant, req.params.id));', 'const keys = { of(tenant, id) { return tenant + id; } };'],
  ['db.get(Number(req.params.id) + Number(req.query.offset));', ''],
  ['db.get(tenantOf(req) + req.params.id);', 'const tenantOf = (r) => r.headers.host;'],
  ['db.get(tenantOf(req) + req.params.id);', "import { tenantOf } from './tenants.js';"],
  ['load(req.query.tenant, req.params.id);', 'async function load(tenant, id) { return db.get(tenant + id); }'],
])('init leaves a permit to a person if the id is joined with what the caller sends: %s', async (body, more) => {
  expect(await permitOf(`async (req, res) => { ${body} }`, more)).toMatch(
    /^app\.ts:\d does with id what is not known here$/,
  );
});

it.each([
  ["db.get('item:' + req.params.id);", ''],
  ['db.get(`${req.user.tenant}:${req.params.id}`);', ''],
  ['const kind = kinds[1]; db.get(kind + req.params.id);', "const kinds = ['a', 'b'];"],
  ["['a', 'b'].map((kind) => db.get(kind + req.params.id));", ''],
  ['db.get(prefix + req.params.id);', "import { prefix } from './prefix.js';"],
  ['const item = await db.get(1); db.get(`${item.kind}:${req.params.id}`);', ''],
  ['res.json({ next: `/items/${req.params.id}?lang=${req.query.lang}` });', ''],
  ['console.log(`${req.params.id} ${req.query.lang}`); db.get(req.params.id);', ''],
  ['throw new NotFoundError(`no ${req.params.id} ${req.query.lang}`);', ''],
  ["save('item', req.params.id, req.body);", 'async function save(kind, id, data) { db.set(`${kind}:${id}`, data); }'],
])('init writes a permit if the id is joined with other texts: %s', async (body, more) => {
  expect(await permitOf(`async (req, res) => { ${body} }`, more)).toBe(id);
});

it.each([
  ['items.get(`${req.params.id}-${req.params.slug}`);', ''],
  ["items.get(req.params.id + ':' + req.params.slug);", ''],
  ['const { id, slug } = req.params; items.get(id + slug);', ''],
  ['const { id, slug } = req.params; const key = `${id}-`; items.get(key + slug);', ''],
  ['const { id, slug } = req.params; const key = `v1/${id}|${slug}`; items.get(key);', ''],
  ["const { id, slug } = req.params; items.get([id, slug].join('-'));", ''],
  ['items.get(keyOf(req.params.id, req.params.slug));', 'const keyOf = (id, slug) => `${id}_${slug}`;'],
])('init leaves a permit to a person if the parameters are joined by another sign than `/`: %s', async (body, more) => {
  expect(await idOf('/items/:id/:slug', `(req, res) => { ${body} }`, more)).toMatch(
    /^app\.ts:\d does with (?:id|slug) what is not known here$/,
  );
});

it.each([
  ['items.get(`${req.params.id}/${req.params.slug}`);', ''],
  ["items.get('items/' + req.params.id + '/of/' + req.params.slug);", ''],
  ['const { id, slug } = req.params; items.get(`item-${id}`, `of-${slug}`);', ''],
  ['const { id, slug } = req.params; console.log(`${id} ${slug}`); items.get(id, slug);', ''],
  ['const { id, slug } = req.params; res.json({ name: `${id}-${slug}`, item: items.get(id, slug) });', ''],
  ['items.get(keyOf(req.params.id, req.params.slug));', 'const keyOf = (id, slug) => `${id}/${slug}`;'],
])('init writes a permit if they are apart, or joined by a `/`: %s', async (body, more) => {
  expect(await idOf('/items/:id/:slug', `(req, res) => { ${body} }`, more)).toBe(both);
});

it.each([
  ["@Param('id') id: string, @Query('tenant') tenant: string", '`${tenant}:${id}`', true],
  ["@Param('id') id: string, @Body() body: Change", 'body.tenant + id', true],
  ["@Param('id') id: string, @Cookies('tenant') tenant: string", 'tenant + id', true],
  ["@Param('id') id: string, @Req() req: Request", 'req.headers.tenant + id', true],
  ["@Param('id') id: string, @User() user: User", 'user.tenant + id', false],
])('init does so for joined ids on NestJS: %s, %s', async (parameters, key, isJoined) => {
  await putNest(`@Get(':id')\n  read(${parameters}) {\n    return this.items.get(${key});\n  }`);
  const { out, err } = await init();
  expect(out.includes("type: 'Item', id: request.params['id'] })")).toBe(!isJoined);
  expect(err.includes('does with id what is not known here')).toBe(isJoined);
});

it.each([
  ['koa', '(ctx) => { ctx.body = items.get(ctx.params.id, ctx.query.sort); }', true],
  ['koa', '(ctx) => { ctx.body = items.get(ctx.params.id, ctx.state.item); }', false],
  ['koa', '(ctx) => { ctx.body = items.get(ctx.params.id, load(ctx.request)); }', false],
  ['fastify', '{ schema: { tags: [] }, handler: async (request) => items.get(request.params.id) }', true],
  ['fastify', '{ preHandler: [check], handler: async (request) => items.get(request.params.id) }', false],
  ['fastify', '{ schema: {} }, async ({ params }, reply) => items.get(params.id, reply.request.item)', false],
])('init leaves an unused parameter out on %s: %s', async (framework, handler, isLeftOut) => {
  const created = framework === 'koa' ? 'new Koa();\nconst router = new Router()' : 'fastify();\nconst router = app';
  const app = `const app = ${created};\nrouter.get('/items/:id/:slug', ${handler});\n`;
  const list = 'GET /items/:id/:slug item.read Item\n';
  await put({ 'package.json': manifest(framework), 'app.js': app, 'list.txt': list });
  const { out, err } = await init('--routes', path('list.txt'));
  expect(/type: 'Item', id: \w+\.params\['id'\] \}\)/.test(out)).toBe(isLeftOut);
  expect(err.includes(notKnown)).toBe(!isLeftOut);
});
