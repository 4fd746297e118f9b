import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, putNest, init, permitOf } = inFolder();

const text = "req.params['id']";

it.each([
  ['rows[req.query.id ?? req.params.id]', 'query.id'],
  ['rows[req.body.id]', 'body.id'],
  ["rows[req.query['item_id']]", 'query.item_id'],
  ['rows[(req.body as Body).itemId]', 'body.itemId'],
  ["rows[req.headers['x-item-id']]", 'headers.x-item-id'],
  ["rows[req.get('X-Item-Id')]", 'header X-Item-Id'],
  ["rows[new URL(req.url, base).searchParams.get('id')]", 'query id'],
  ["rows[req.path.split('/')[2]]", 'path'],
  ['rows[req.originalUrl.slice(7)]', 'originalUrl'],
  ['items.archive(req.query.id)', 'query.id'],
])('init writes no permit if a handler also reads the id elsewhere: %s', async (used, input) => {
  expect(await permitOf(`(req, res) => { res.json(${used}); }`)).toBe(
    `app.ts:2 reads ${input}, which may name another Item`,
  );
});

it.each([
  ['const { id } = req.query; res.json(rows[id]);', 'query.id'],
  ['const { query: { itemId } } = req; res.json(rows[itemId]);', 'query.itemId'],
  ['const { body } = req; res.json(rows[body.id]);', 'body.id'],
  ['const input = req.body; res.json(rows[input.id]);', 'body.id'],
  ['const { id: key = 1 } = req.body ?? {}; res.json(rows[key]);', 'body.id'],
  ['const { id } = schema.parse(req.query); res.json(rows[id]);', 'query.id'],
  ['const { id } = { ...req.query, ...req.body }; res.json(rows[id]);', 'query.id'],
  ['const more = await schema.validateAsync(req.body); res.json(rows[more.id]);', 'body.id'],
  ['const checked = schema.safeParse(req.body); res.json(rows[checked.data.id]);', 'body.id'],
  ['const { url } = req; res.json(rows[url.slice(7)]);', 'url'],
])('init follows the variables of such an input: %s', async (body, input) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe(
    `app.ts:2 reads ${input}, which may name another Item`,
  );
});

it.each([
  'if (req.body.id !== req.params.id) return bad(); items.update(req.params.id, req.body);',
  'delete req.body.id; items.update(req.params.id, req.body);',
  'const { id, ...data } = req.body; items.update(req.params.id, data);',
  'const { sort, limit } = req.query; items.get(req.params.id, sort, limit, req.headers.authorization);',
  'const { id } = await items.create(req.body); items.link(req.params.id, id);',
  'const { id } = req.user; items.get(req.params.id, id);',
  'const found = await got(url); items.get(req.params.id, found.body, response.body.id);',
  'if (failed) return next(new NotFoundError(req.originalUrl)); items.get(req.params.id);',
  'console.log(req.method, req.url, req.query.id); items.get(req.params.id);',
  'if (!req.query.id) return bad(); items.get(req.params.id);',
  'res.json({ path: req.path, item: items.get(req.params.id) });',
])('init writes a permit if other inputs name no resource: %s', async (body) => {
  expect(await permitOf(`async (req, res, next) => { ${body} }`)).toBe(text);
});

it.each([
  [
    'app.get("/items", (req, res) => { res.json(rows[req.query.id]); });',
    'app.js:2 reads query.id, which may name the Item',
  ],
  [
    'app.get("/items", (req, res) => { const { ids } = req.query; res.json(find(ids)); });',
    'app.js:2 reads query.ids, which may name the Item',
  ],
  ['app.get("/items", (req, res) => { res.json(list(req.query.limit, req.url)); });', undefined],
  ['app.get("/items", (req, res) => { res.json(list({ user: req.query.userId })); });', undefined],
])('init leaves the permit of a list to a person if its handler reads an id: %s', async (route, problem) => {
  await put({ 'package.json': manifest('express'), 'app.js': `const app = express();\n${route}\n` });
  const { out, err } = await init();
  expect(out.includes("permit('item.read', { type: 'Item', id: '*' })")).toBe(problem === undefined);
  const shown = `Put a permit by hand: GET /items in app.js:2 (${problem})\n`;
  expect(err.includes(shown)).toBe(problem !== undefined);
});

it.each([
  ["@Param('id') id: string, @Query('id') other: string", 'this.items.find(other ?? id)', 'query.id'],
  ["@Param('id') id: string, @Body('id') other: string", 'this.items.find(other)', 'body.id'],
  ["@Param('id') id: string, @Headers('x-item-id') other: string", 'this.items.find(other)', 'headers.x-item-id'],
  ["@Param('id') id: string, @Query() more: Query", 'this.items.find(more.id ?? id)', 'query.id'],
  ["@Param('id') id: string, @Query() { itemId }: Query", 'this.items.find(itemId)', 'query.itemId'],
  ['@Req() req: Request', 'this.items.find(req.query.id ?? req.params.id)', 'query.id'],
  ["@Param('id') id: string, @Query('sort') sort: string", 'this.items.find(id, sort)', undefined],
  ["@Param('id') id: string, @Body() body: Change", 'this.items.find(id, body)', undefined],
])('init does so on NestJS: %s, %s', async (parameters, used, input) => {
  await putNest(`@Get(':id')\n  read(${parameters}) {\n    return ${used};\n  }`);
  const { out, err } = await init();
  expect(out.includes("type: 'Item', id: request.params['id'] })")).toBe(input === undefined);
  expect(err.includes(` reads ${input}, which may name another Item)\n`)).toBe(input !== undefined);
});
