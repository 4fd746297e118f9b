import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, putNest, init, path, permitOf, permitOfPut } = inFolder();

const text = "req.params['id']";
const beside = (input: string, line = 2): string =>
  `app.ts:${line} uses id together with ${input}, which may be a part of the same key`;

it.each([
  ['res.json(await items.get(req.query.shop, req.params.id));', 'query.shop'],
  ['res.json(await items.get(req.params.id, { version: req.query.version }));', 'query.version'],
  ['res.json(await db.items.findOne({ tenant: req.query.tenant, id: req.params.id }));', 'query.tenant'],
  ["res.json(await db.items.findOne({ tenant: req.headers['x-tenant'], id: req.params.id }));", 'headers.x-tenant'],
  ['res.json(await items.findOne({ where: { tenant: req.body.kind, id: req.params.id } }));', 'body.kind'],
  ['res.json(await db.collection(req.query.tenant).findOne({ id: req.params.id }));', 'query.tenant'],
  ["res.json(await stores[req.headers['x-tenant']].get(req.params.id));", 'headers.x-tenant'],
  ['res.json(await stores[req.hostname].get(req.params.id));', 'hostname'],
  ['res.json(await stores[req.query.lang].get(req.params.id));', 'query.lang'],
  ['res.json(stores[req.hostname][req.params.id]);', 'hostname'],
  ["res.json(await items.find(req.get('x-tenant'), req.params.id));", 'header.x-tenant'],
  ['res.json(await items.find(req.cookies.tenant, req.params.id));', 'cookies.tenant'],
  ["res.json(await db.query('… where tenant = ? and id = ?', [req.query.tenant, req.params.id]));", 'query.tenant'],
  ["res.json(await db.query('select * from ' + req.query.table + ' where id = ?', [req.params.id]));", 'query.table'],
  ["res.json(await items.where('id', req.params.id).where('tenant', req.query.tenant).first());", 'query.tenant'],
  [
    'res.json(await db.select().from(t).where(and(eq(t.id, req.params.id), eq(t.shop, req.query.shop))));',
    'query.shop',
  ],
  ['res.json(rows.find((row) => row.id === req.params.id && row.shop === req.query.shop));', 'query.shop'],
  [
    'res.json(rows.filter((row) => row.shop === req.query.shop).find((row) => row.id === req.params.id));',
    'query.shop',
  ],
  ['for (const row of rows) if (row.id === req.params.id && row.shop === req.query.shop) res.json(row);', 'query.shop'],
  ['res.json(await items.get(req.params.id, req.query));', 'query'],
  ['res.json(await items.find({ ...req.query, id: req.params.id }));', 'query'],
  ['res.json(await items.get(tenantOf(req), req.params.id));', 'req'],
  ['res.json(await items.get({ req, id: req.params.id }));', 'req'],
  ['res.json(await items.get(req.query.tenant.concat(req.params.id)));', 'query.tenant'],
  ['res.json(await items.findOne({ ...req.body, id: req.params.id }));', 'body'],
])('init leaves a permit to a person if what gets the id gets another input: %s', async (body, input) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe(beside(input));
});

it.each([
  ['const { shop } = req.query; const { id } = req.params; res.json(await items.get(shop, id));', 'query.shop'],
  ['const shop = req.query.shop ?? "main"; res.json(await items.get(shop, req.params.id));', 'query.shop'],
  ['const { query, params } = req; res.json(await items.get(query.shop, params.id));', 'query.shop'],
  ['const more = schema.parse(req.query); res.json(await items.get(more.shop, req.params.id));', 'query.shop'],
  ['const key = { shop: req.query.shop, id: req.params.id }; res.json(await items.get(key));', 'query.shop'],
  ['const key = { id: req.params.id }; key.shop = req.query.shop; res.json(await items.get(key));', 'query.shop'],
  ['const values = [req.query.shop, req.params.id]; res.json(await db.query(sql, values));', 'query.shop'],
  ['const shop = await shops.find(req.query.shop); res.json(await shop.items.get(req.params.id));', 'query.shop'],
  ['const store = storeFor(req.hostname); res.json(await store.get(req.params.id));', 'hostname'],
  ["const q = items.where('id', req.params.id); q.where('shop', req.query.shop); res.json(await q);", 'query.shop'],
  ['for (const shop of req.query.shops) await items.get(shop, req.params.id);', 'query.shops'],
  [
    "const key = new Map(); key.set('shop', req.query.shop); res.json(await items.get(key, req.params.id));",
    'query.shop',
  ],
  ['res.json(await connect(req.query.shop).then((c) => c.get(req.params.id)));', 'query.shop'],
  ['let shop; ({ shop } = req.query); res.json(await items.get(shop, req.params.id));', 'shop'],
])('init follows the variables of such an input: %s', async (body, input) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe(beside(input));
});

it.each([
  ['load(req.query.shop, req.params.id);', 'async function load(shop, id) { return db.get(shop, id); }', 3],
  ['items.get(req.query.shop, req.params.id);', 'const items = { get: (shop, id) => db.get(shop, id) };', 3],
  ['finders[req.query.shop](req.params.id);', 'const finders = { main: (id) => db[+id] };', 2],
  ['load(req);', 'const load = (r) => db.get(r.query.shop, r.params.id);', 3],
  ['db.get(shopOf(req), req.params.id);', 'const shopOf = (r) => r.query.shop;', 2],
])('init follows such an input into the functions of the file: %s', async (body, more, line) => {
  expect(await permitOf(`async (req, res) => { ${body} }`, more)).toBe(beside('query.shop', line));
});

it.each([
  'res.json(await items.get(req.params.id, { limit: Number(req.query.limit), include: req.query.include }));',
  'const { sort, page_size: size } = req.query; res.json(await items.get(req.params.id, sort, size));',
  'res.json(await items.findById(req.params.id).populate(req.query.include).limit(+req.query.limit));',
  'const item = await items.get(req.params.id); if (req.query.with) item.other = await other(req.query.with); res.json(item);',
  'res.json({ item: await items.get(req.params.id), shop: req.query.shop });',
  'const [item, all] = await Promise.all([items.get(req.params.id), items.list(req.query.shop)]); res.json(item);',
  'const item = await items.get(req.params.id); res.json(present(item, req.query.shape));',
  'res.json(await items.get(req.user.tenant, req.params.id));',
  'if (!req.query.shop) return bad(); res.json(await items.get(req.params.id));',
  'items.get(req.params.id, (err, item) => { res.json(item ?? req.query.shop); });',
  'items.get(req.params.id).then((item) => res.json({ item, shop: req.query.shop }));',
  'try { res.json(await items.get(req.params.id)); } catch (error) { log(error, req.query.shop); }',
  'res.json(await db.query.items.findFirst({ where: eq(items.id, req.params.id) }));',
  "logger.info('read', { id: req.params.id, shop: req.query.shop }); res.json(await items.get(req.params.id));",
])('init writes a permit if only options stand beside the id: %s', async (body) => {
  expect(await permitOf(`async (req, res, next) => { ${body} }`)).toBe(text);
});

it('init writes a permit of a route in a function that gets its services', async () => {
  const routes = 'export const routes = (app, { db }) => { const items = createItems(db);\n';
  const route = "app.get('/items/:id', async (req, res, next) => res.json(await items.get(db, req.params.id)));\n};\n";
  await put({
    'package.json': manifest('express'),
    'app.js': `const app = express();\n${routes}${route}`,
    'list.txt': 'GET /items/:id item.read Item\n',
  });
  expect((await init('--routes', path('list.txt'))).out).toContain("type: 'Item', id: req.params['id'] })");
});

it.each([
  ['await items.updateOne({ id: req.params.id, kind: req.body.kind }, { $set: { a: 1 } });', 'body.kind'],
  ['await items.update({ where: { id: req.params.id, kind: req.body.kind }, data: req.body });', 'body.kind'],
  ['await items.update(req.body.tenant, req.params.id, req.body.title);', 'body.tenant'],
  ['await items.update(req.query.shop, req.params.id, req.body);', 'query.shop'],
])('init does so for a member of a body that says which row it is: %s', async (body, input) => {
  expect(await permitOfPut(body)).toBe(beside(input));
});

it.each([
  'await items.update(req.params.id, req.body);',
  'await items.update(req.params.id, { title: req.body.title, kind: req.body.kind });',
  "await db.query('update items set title = $1 where id = $2', [req.body.title, req.params.id]);",
  'await items.findByIdAndUpdate(req.params.id, { $set: { title: req.body.title } }, { new: true });',
  'await items.updateOne({ id: req.params.id }, { $set: { title: req.body.title } });',
  'await db.update(items).set({ title: req.body.title }).where(eq(items.id, req.params.id));',
  'await items.save({ id: req.params.id, title: req.body.title });',
])('init writes a permit if a body is the data of the row: %s', async (body) => {
  expect(await permitOfPut(body)).toBe(text);
});

it.each([
  ["@Param('id') id: string, @Query('tenant') tenant: string", 'this.items.get(tenant, id)', 'query.tenant'],
  ["@Param('id') id: string, @Headers('x-tenant') tenant: string", 'this.items.get(tenant, id)', 'headers.x-tenant'],
  ["@Param('id') id: string, @HostParam('tenant') tenant: string", 'this.items.get(tenant, id)', 'hostparam.tenant'],
  ["@Param('id') id: string, @Query() query: Find", 'this.items.get(id, query)', 'query'],
  ["@Param('id') id: string, @Query() { tenant }: Find", 'this.items.get(tenant, id)', 'query.tenant'],
  ["@Param('id') id: string, @Query('limit') limit: string", 'this.items.get(id, limit)', undefined],
  ["@Param('id') id: string, @Query() { page }: Find", 'this.items.get(id, page)', undefined],
  ["@Param('id') id: string, @User() user: User", 'this.items.get(user.tenant, id)', undefined],
])('init does so on NestJS: %s, %s', async (parameters, used, input) => {
  await putNest(`@Get(':id')\n  read(${parameters}) {\n    return ${used};\n  }`);
  const { out, err } = await init();
  expect(out.includes("type: 'Item', id: request.params['id'] })")).toBe(input === undefined);
  expect(err.includes(`uses id together with ${input}, which may be a part of the same key`)).toBe(input !== undefined);
});

it.each([
  ["switch (req.params.id) { case 'all': return res.json(rows); default: res.json(get(req.params.id)); }", 'all'],
  ["if (['all', '*'].includes(req.params.id)) return res.json(rows); res.json(get(req.params.id));", 'all'],
  ["if (new Set(['all']).has(req.params.id)) return res.json(rows); res.json(get(req.params.id));", 'all'],
  ['const special = { all: rows }; res.json(special[req.params.id] ?? get(req.params.id));', 'all'],
])('init leaves a permit to a person if the handler does something else for an id: %s', async (body, id) => {
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe(`its handler does something else for the id "${id}"`);
});

it('init ends on a constant that names itself', async () => {
  const body =
    'var special = new Set(special); if (special.has(req.params.id)) return res.end(); res.json(get(req.params.id));';
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe("req.params['id']");
});

it.each([
  "res.json(await db.query('select * from items where id like ?', [req.params.id]));",
  "res.json(await db.query(`select * from items where id ILIKE '${req.params.id}%'`));",
  "const sql = 'select * from items where id like ?'; res.json(await db.query(sql, [req.params.id]));",
  "const sql = `select * from items where id like '${req.params.id}%'`; res.json(await db.query(sql));",
])('init leaves a permit to a person if SQL looks for a pattern: %s', async (body) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe('app.ts:2 does with id what is not known here');
});
