import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, putNest, init, permitOf } = inFolder();

const text = "req.params['id']";
const number = "Number(req.params['id'])";
const decimal = "parseInt(String(req.params['id']), 10)";

it.each([
  ["app.get('/items/:id', (req, res) => { res.json(find(Number(req.params.id))); });", "Number(req.params['id'])"],
  ["app.get('/items/:id', (req, res) => { res.json(find(+req.params.id || 0)); });", "Number(req.params['id'])"],
  [
    "app.get('/items/:id', (req, res) => { const { id } = req.params; res.json(find(+id)); });",
    "Number(req.params['id'])",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(parseInt(req.params['id'], 10))); });",
    "parseInt(String(req.params['id']), 10)",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(Number.parseInt(req.params.id as string))); });",
    "Number.parseInt(String(req.params['id']))",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(BigInt(req.params.id))); });",
    "BigInt(String(req.params['id']))",
  ],
  [
    "app.get('/items/:id', (req, res) => { res.json(find(req.params.id, Number(req.query.limit))); });",
    "req.params['id']",
  ],
  ["app.get('/items/:id', show);\napp.post('/x', (req) => Number(req.params.id));", "req.params['id']"],
])('init names the resource by the value that the handler uses: %s', async (route, id) => {
  await put({
    'package.json': manifest('express'),
    'tsconfig.json': '{}',
    'app.ts': `const app = express();\n${route}\n`,
  });
  expect((await init()).out).toContain(`permit('item.read', (req) => ({ type: 'Item', id: ${id} }))`);
});

it.each([
  ["read(@Param('id', ParseIntPipe) id: number) {}", true],
  ["read(@Param('id', new ParseIntPipe({})) id) {}", true],
  ["read(@Param('id') id: number) {}", true],
  ["read(@Param('id') id: string) { return this.items.find(+id); }", true],
  ["read(@Param('id') id: string) { return this.items.find(id); }", false],
])('init does so on NestJS: %s', async (method, isNumber) => {
  await putNest(`@Get(':id')\n  ${method}`);
  const value = "request.params['id']";
  expect((await init()).out).toContain(`type: 'Item', id: ${isNumber ? `Number(${value})` : value} })`);
});

it.each([
  [
    'if (isNaN(Number(req.params.id))) return bad(); const id = parseInt(req.params.id, 10); res.json({ id });',
    decimal,
  ],
  ['if (Number.isNaN(+req.params.id)) return bad(); res.json({ id: req.params.id });', text],
  ['if (!Number.isSafeInteger(+req.params.id)) return bad(); res.json(find(Number(req.params.id)));', number],
  ['if (+req.params.id < 1 || !/^[0-9]+$/.test(req.params.id)) return bad(); res.json(find(req.params.id));', text],
  ["if (req.params.id === 'last' || typeof req.params.id !== 'string') return last(); find(+req.params.id);", number],
  [
    'if (!req.params.id || req.params.id.length > 9) return bad(); find(BigInt(req.params.id));',
    `BigInt(String(${text}))`,
  ],
  ['const n = Number(req.params.id); if (isNaN(n)) return bad(); res.json({ id: req.params.id, a: 1 });', text],
  ['const n = Number(req.params.id); if (n > 0 && Number.isInteger(n)) res.json(find(n, `Order ${n}`));', number],
  ['req.log.info(req.params); console.log(`item ${req.params.id}`); find(Number(req.params.id));', number],
])('init names a resource by what the handler uses, not by what it checks: %s', async (body, id) => {
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe(id);
});

it.each([
  ['find(Number(req.params.id)); find(parseInt(req.params.id, 10));', 'uses Number(id) and parseInt(id, 10)'],
  ['find(parseInt(req.params.id)); find(parseInt(req.params.id, 10));', 'uses parseInt(id) and parseInt(id, 10)'],
  ['find(+req.params.id); log(`item ${req.params.id}`);', 'uses Number(id) and id as text'],
  ['const { id } = req.params; find(+id); show(id);', 'uses Number(id) and id as text'],
  ['items.find((item) => item.id === Number(req.params.id)); show(req.params.id);', 'uses Number(id) and id as text'],
  ['const id = /x/.test(req.params.id) ? req.params.id : +req.params.id; find(id);', 'uses id as text and Number(id)'],
  ['if (isNaN(req.params.id)) return bad(); show(req);', 'checks Number(id), and what it uses is not known here'],
])('init leaves a permit to a person if uses differ: %s', async (body, problem) => {
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe(`its handler ${problem}`);
});

it.each([
  'find(req.params.id | 0);',
  "res.json(req.params.id.split(',').map(order));",
  "const ids = req.params.id.split(','); res.json(ids.map(order));",
  "res.json(Array.from(req.params.id.split(','), order));",
  'find(~~req.params.id);',
  'find(req.params.id * 1);',
  'find(Number(req.params.id) | 0);',
  'find(Math.abs(+req.params.id));',
  'find(parseInt(req.params.id, radix));',
  'find(new ObjectId(req.params.id));',
  'find(idSchema.parse(req.params.id));',
  'find(req.params.id.toUpperCase());',
  'find(Number("1" + req.params.id));',
  'items.find((item) => item.id == req.params.id);',
  'let id = req.params.id; id = Number(id); find(id);',
  'let id; id = req.params.id; find(id);',
  'var id = req.params.id; var id = Number(id); find(id);',
  'req.params.id = Number(req.params.id); find(req.params.id);',
  'req.itemId = req.params.id; next();',
])('init leaves a permit to a person if a use is not known: %s', async (body) => {
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe('app.ts:2 does with id what is not known here');
});

it.each([
  'find(req.params);',
  'find({ ...req.params });',
  'const { id } = schema.parse(req.params); find(id);',
  'const { id, ...others } = req.params; find(id, others);',
  'const params = req.params; find(params);',
  'find(req.params[name]);',
])('init leaves a permit to a person if all parameters are passed on: %s', async (body) => {
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe('app.ts:2 passes on all parameters');
});

it.each([
  ['async ({ params: { id } }, res) => res.json(await find(+id))', number],
  ['({ params }, res) => res.json(find(params.id, +params.line))', text],
  ['(req, res) => { const { params: { id: key } } = req; find(+key, String(key as string)); }', undefined],
  ['(req, res) => { const { id } = req.params; res.json(items.map(({ id }) => +id), find(id)); }', text],
  ['(req: Request<{ id: string }>, res) => { const { id } = req.params; find({ id: +id }); }', number],
  ['(req, res) => { const n = parseInt(req.params.id, 10); find(Number(n), n.toString(), n - 1); }', decimal],
  ['(req, res) => { const key = `item:${req.params.id}`; res.json(cache.get(key)); }', text],
  ['(req, res) => { throw new NotFoundError(`no ${req.params.id}`); }', text],
])('init follows the variables of a handler: %s', async (handler, id) => {
  expect(await permitOf(handler)).toBe(id ?? 'its handler uses Number(id) and id as text');
});

it.each([
  ['show', 'function show(req, res) { res.json(find(+req.params.id)); }', number],
  [
    'auth, wrap(show)',
    'const show = async (req, res) => { res.json(find(idOf(req))); };\nconst idOf = (req) => +req.params.id;',
    number,
  ],
  ['show', 'const show = wrap((req, res) => find(req.params));', 'app.ts:3 passes on all parameters'],
  [
    'items.show',
    'const items = { show: (req, res) => find(+req.params.id), list: (req) => log(req.params.id) };',
    number,
  ],
  [
    'items.show',
    'class Items { show(req, res) { res.json(find(+req.params.id)); } }\nconst items = new Items();',
    number,
  ],
  ['show', 'function other(req, res) { res.json(find(+req.params.id)); }', text],
])('init reads the functions of the same file that a route names: %s, %s', async (handlers, declared, id) => {
  expect(await permitOf(handlers, `${declared}\n`)).toBe(id);
});

it('init reads the methods of the class that a route names', async () => {
  const app = `class Items {
  constructor(router) {
    router.get('/items/:id', this.show.bind(this));
  }
  show(req, res) {
    res.json(find(+req.params.id));
  }
  list = (req) => find(req.params.id);
}
const app = express();
`;
  const list = 'GET /items/:id item.read Item\n';
  await put({ 'package.json': manifest('express'), 'app.js': app, 'agent-routes.txt': list });
  expect((await init()).out).toContain(`type: 'Item', id: ${number} })`);
});

it('init joins no number to an id of several parts, where what is no integer would not be refused', async () => {
  const lines = ['{ find(req.params.order, req.params.line); }', '{ find(req.params.order, +req.params.line); }'];
  const routes = lines.map((body, at) => `app.get('/items/:order/parts${at}/:line', (req, res) => ${body});\n`);
  await put({ 'package.json': manifest('express'), 'app.js': `const app = express();\n${routes.join('')}` });
  const { out, err } = await init();
  expect(out.match(/id: `[^`]*`/g)).toEqual(["id: `${req.params['order']}/${req.params['line']}`"]);
  expect(err).toContain(
    'Put a permit by hand: GET /items/:order/parts1/:line in app.js:3 (its id has 2 parts, one is Number(line): refuse what is no safe integer)\n',
  );
});

it.each([
  ["@Param('id', ParseIntPipe) id: number) { return this.items.find(id);", number],
  ["@Param('id', ParseIntPipe) id: number) { return this.items.find(Number(id));", number],
  ["@Param('id', ParseUUIDPipe) id: Id) { return this.items.find(id);", text],
  ['@Param() params: { id: string }) { return this.items.find(+params.id);', number],
  ["@Param('id') id: string) { return this.items.find(+id, id);", 'its handler uses Number(id) and id as text'],
  ["@Param('id', ItemPipe) item: Item) { return item;", 'src/items.ts:7 does with id what is not known here'],
  ["@Param('id') id: Item['id']) { return this.items.find(id);", 'src/items.ts:7 does with id what is not known here'],
  ['@Param() { id }: ItemParams) { return this.items.find(id);', 'src/items.ts:7 passes on all parameters'],
])('init does so on NestJS, behind decorators on several lines: %s', async (method, id) => {
  await putNest(`@Get(':id')\n  @ApiParam({\n    name: 'id',\n  })\n  read(${method}\n  }`);
  const { out, err } = await init();
  const [, found] = /type: 'Item', id: (.*?) \}\)/.exec(out) ?? [];
  const [, problem] = /Put a permit by hand: GET \/items\/:id in src\/items\.ts:3 \((.*)\)$/m.exec(err) ?? [];
  expect([found?.replace('request', 'req'), problem]).toContain(id);
});
