import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, putNest, init, path, permitOf, permitOfPut } = inFolder();

const text = "req.params['id']";
const notRead = 'its handler does not read id';
const whole = (input: string): string => `app.ts:2 passes on the whole ${input}, which may name another Item`;

it.each([
  ['(req, res) => { res.json(docs.get(req.query.report)); }', ''],
  ["(req, res) => { res.json(docs.get(req.get('x-post'))); }", ''],
  ['(req, res) => { res.json(docs.list()); }', ''],
  ['({ query }, res) => res.json(docs.get(query.report))', ''],
  ['show', 'function show(req, res) { res.json(docs.get(req.query.report)); }'],
  ['check, (req, res) => { res.json(docs.get(req.query.report)); }', "import { check } from './check.js';"],
  ['wrap(async (req, res) => { res.json(docs.get(req.query.report)); })', "import { wrap } from './wrap.js';"],
  ['(req, res) => { console.log(req.params.id); res.json(docs.get(req.query.report)); }', ''],
])('init leaves a permit to a person if the handler reads no parameter of the path: %s', async (handler, more) => {
  expect(await permitOf(handler, more)).toBe(notRead);
});

it.each([
  ['show', "import { show } from './show.js';"],
  ['check((req) => req.query), show', "import { check, show } from './show.js';"],
  ['(req, res) => { res.json(load(req)); }', "import { load } from './load.js';"],
  ['(req, res) => { res.json(req.item); }', ''],
  ['(req, res) => { res.json(res.locals.item); }', ''],
])('init writes a permit if a function of another file may read the parameter: %s', async (handler, more) => {
  expect(await permitOf(handler, more)).toBe(text);
});

it.each([
  ["@Query('docId') other: string", 'this.items.find(other)', notRead],
  ["@Param('id') id: string, @Query('docId') other: string", 'this.items.find(other)', notRead],
  ['@Item() item: Item', 'item', undefined],
])('init does so on NestJS: %s, %s', async (parameters, used, problem) => {
  await putNest(`@Get(':id')\n  read(${parameters}) {\n    return ${used};\n  }`);
  const { out, err } = await init();
  expect(out.includes("type: 'Item', id: request.params['id'] })")).toBe(problem === undefined);
  expect(err.includes(`(${String(problem)})\n`)).toBe(problem !== undefined);
});

it.each([
  ["(ctx) => { ctx.body = items.get(ctx.cookies.get('doc')); }", 'koa'],
  ['async (request) => items.get(request.query.report)', 'fastify'],
])('init does so for %s on %s', async (handler, framework) => {
  const created = framework === 'koa' ? 'new Koa();\nconst router = new Router()' : 'fastify();\nconst router = app';
  const app = `const app = ${created};\nrouter.get('/items/:id', ${handler});\n`;
  const list = 'GET /items/:id item.read Item\n';
  await put({ 'package.json': manifest(framework), 'app.js': app, 'list.txt': list });
  expect((await init('--routes', path('list.txt'))).err).toContain(`(${notRead})\n`);
});

it.each([
  ['res.json(save(req.body));', 'body'],
  ['res.json(await repo.save(req.body));', 'body'],
  ['const row = await repo.preload(req.body); res.json(row);', 'body'],
  ['await repo.save({ ...req.body });', 'body'],
  ['await repo.save({ id: req.params.id, ...req.body });', 'body'],
  ['const { body } = req; await repo.save(body);', 'body'],
  ['const data = schema.parse(req.body); await repo.save(data);', 'body'],
  ['const { id } = req.params; log(id); await repo.save(req.body);', 'body'],
  ['const row = await repo.find(req.params.id); Object.assign(row, req.body); await repo.save(row);', 'body'],
  ['const row = await repo.find(req.params.id); await repo.save(Object.assign(row, req.body));', 'body'],
  ['const row = await repo.find(req.params.id); repo.merge(row, req.body); await repo.save(row);', 'body'],
  ['const row = await repo.find(req.params.id); await repo.save({ ...row, ...req.body });', 'body'],
  ['const row = await repo.find(req.params.id); const next = { ...row, ...req.body }; await repo.save(next);', 'body'],
  ['const entity = new Item(req.body); await entity.save();', 'body'],
  ['await commands.execute(new ReplaceItem({ data: req.body }));', 'body'],
  ['await repo.save(req.body).then(() => log(req.params.id));', 'body'],
  ['if (req.body.type !== req.params.id) return bad(); await repo.save(req.body);', 'body'],
  ['req.body.id = req.body.key; await repo.save(req.body);', 'body'],
  ['await repo.link(req.params.id, await repo.save(req.body));', 'body'],
  ['await repo.removeAll(req.query);', 'query'],
])('init leaves a permit to a person if a route that writes passes on a whole input: %s', async (body, input) => {
  expect(await permitOfPut(body, "import { repo } from './repo.js';")).toBe(whole(input));
});

it.each([
  'res.json(await repo.update(req.params.id, req.body));',
  'const { id } = req.params; res.json(await repo.update({ where: { id }, data: req.body }));',
  'const { params: { id }, body } = req; await repo.update(id, body);',
  'await repo.update(req.params.id, { ...req.body });',
  'await repo.save({ ...req.body, id: req.params.id });',
  "await db('items').where({ id: req.params.id }).update(req.body);",
  'await db.update(items).set(req.body).where(eq(items.id, req.params.id));',
  'const row = await repo.find(req.params.id); await row.update(req.body);',
  'const row = rows.get(req.params.id); rows.set(req.params.id, { ...row, ...req.body });',
  'const next = { ...rows.get(req.params.id), ...req.body }; rows.set(req.params.id, next);',
  'repo.find(req.params.id).then((row) => row.update(req.body));',
  'await repo.update(req.params.id, toItem(req.body));',
  'const item = toItem(req.body); await repo.update(req.params.id, item);',
  'const checked = schema.safeParse(req.body); await repo.update(req.params.id, checked.data);',
  'if (!isItem(req.body)) return bad(); await repo.update(req.params.id, req.body);',
  'if (req.body.id !== req.params.id) return bad(); await repo.save(req.body);',
  'delete req.body.id; const row = await repo.find(req.params.id); await repo.save({ ...row, ...req.body });',
  'console.log(req.body); await repo.remove(req.params.id); res.json(req.body);',
  'const { title } = req.body; await repo.update(req.params.id, title);',
  'await repo.update(req.params.id, req.body.title);',
  'const { id, ...data } = req.body; await repo.update(req.params.id, data);',
  'await client.put(req.params.id, { text: JSON.stringify(req.body) });',
  'await pool.query(query, [req.params.id]); await pool.query(query);',
])('init writes a permit if what gets the input gets the id of the path, too: %s', async (body) => {
  expect(await permitOfPut(body, "import { query } from './queries.js';")).toBe(text);
});

it('init follows an input into the functions of the file', async () => {
  const save = 'function save(id, body) { rows.set(id, { ...body }); }\n';
  expect(await permitOfPut('save(req.params.id, req.body);', save)).toBe(text);
  expect(await permitOfPut('save(last(req.params.id), 1); save(next, req.body);', save)).toBe(whole('body'));
});

it('init writes a permit if a route that only reads passes on a whole input', async () => {
  expect(await permitOf('(req, res) => { log(req.query); res.json(find(req.params.id, list(req.query))); }')).toBe(
    text,
  );
});

it.each([
  ["@Param('id') id: string, @Body() body: Change", 'this.items.save(body)', 'body'],
  ["@Param('id') id: string, @Body() body: Change", 'this.items.save({ id, ...body })', 'body'],
  ["@Param('id') id: string, @Query() more: Change", 'this.items.save(more)', 'query'],
  ["@Param('id') id: string, @Body() body: Change", 'this.items.update(id, body)', undefined],
  ["@Param('id') id: string, @Body() body: Change", 'this.items.save({ ...body, id })', undefined],
  ["@Param('id') id: string, @Body() body: Change", 'this.items.update({ where: { id }, data: body })', undefined],
])('init does so with @Body() and @Query() of NestJS: %s, %s', async (parameters, used, input) => {
  await putNest(`@Put(':id')\n  update(${parameters}) {\n    return ${used};\n  }`);
  await put({ 'list.txt': 'PUT /items/:id item.update Item\n' });
  const { out, err } = await init('--routes', path('list.txt'));
  expect(out.includes("type: 'Item', id: request.params['id'] })")).toBe(input === undefined);
  expect(err.includes(` passes on the whole ${input}, which may name another Item)\n`)).toBe(input !== undefined);
});
