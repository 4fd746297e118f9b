import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, putNest, init, permitOf } = inFolder();

const text = "req.params['id']";
const number = `Number(${text})`;
const byHand: unknown = expect.stringMatching(
  /^app\.ts:\d+ (?:does with id what is not known here|passes on all parameters)$/,
);
const decimal = `parseInt(String(${text}), 10)`;
const differ: unknown = expect.stringMatching(
  /^its handler uses (?:Number\(id\) and id as text|id as text and Number\(id\))$/,
);

it.each([
  ['find(Number(getId(req)));', 'function getId(req) { return req.params.id; }', number],
  ['find(getId(req));', 'function getId(req) { return +req.params.id; }', number],
  ['find(getId(req));', 'function getId(req) { return req.params.id; }', text],
  ['return { id: getId(req) };', 'const getId = (req) => req.params.id;', text],
  ['const id = getId(req); find(parseInt(id, 10));', 'function getId(req) { return req.params.id; }', decimal],
  ['find(+idOf(req));', 'const idOf = ({ params }) => params.id;', number],
  ['find(+idOf(req));', 'const idOf = ({ params: { id } }) => id;', number],
  ['find(+idOf(req));', 'const idOf = (req) => `${req.params.id}`;', number],
  ['find(+idOf(req));', "const idOf = (req) => '' + req.params.id;", number],
  ['find(+idOf(req));', "const idOf = (req) => req.params.id || 'none';", number],
  ['find(+outer(req));', 'const outer = (req) => { const inner = () => req.params.id; return inner(); };', number],
  ['find(+outer(req));', 'const outer = (req) => inner(req);\nfunction inner(req) { return req.params.id; }', number],
  ['const id = () => req.params.id; find(+id());', '', number],
  ['find(whereOf(req));', 'const whereOf = (req) => ({ where: { id: req.params.id } });', text],
  ['find(+idOf(req)); show(idOf(req));', 'const idOf = (req) => req.params.id;', differ],
  ['find(+idOf(req.params.id, req)); show(idOf(1, req));', 'const idOf = (id, req) => req.params.id;', differ],
  ['const { id } = req.params; const get = (other) => other && id; show(get(id)); find(+get());', '', differ],
])('init goes on at the calls of a function that returns the parameter: %s, %s', async (body, code, id) => {
  expect(await permitOf(`(req, res) => { ${body} }`, `${code}\n`)).toEqual(id);
});

it.each([
  ['find(+idOf(req));', 'async function idOf(req) { return req.params.id; }'],
  ['find(+(function idOf(req) { return req.params.id; })(req));', ''],
  ['find(+idOf(req));', 'const idOf = function own(req) { return req.params.id; };'],
  ['find(+idOf(req));', 'function idOf(req) { return 1; }\nfunction idOf(req) { return req.params.id; }'],
  ['find(+idOf(req));', 'function idOf(req: Request): string;\nfunction idOf(req) { return req.params.id; }'],
  ['find(+idOf(req));', 'var idOf = (req) => 1;\nvar idOf = (req) => req.params.id;'],
  ['find(+req.getId());', 'app.request.getId = function () { return this.params.id; };'],
  ['find(+req.getId());', "app.decorateRequest('getId', function () { return this.params.id; });"],
  ['find(+req.parts().id);', 'app.request.parts = function () { return this.params; };'],
  ['find(+all.idOf(req));', 'const all = {};\nObject.assign(all, { idOf: (req) => req.params.id });'],
  ["find(+all.get('id')(req));", "const all = new Map();\nall.set('id', (req) => req.params.id);"],
  ['find(+app.locals.idOf(req));', 'app.locals.idOf = (req) => req.params.id;'],
  ['find(+idOf(req));', 'let idOf;\n({ idOf } = { idOf: (req) => req.params.id });'],
  ['try { load(req); } catch (id) { find(+id); }', 'function load(req) { throw req.params.id; }'],
  ['load(req).catch(({ id }) => find(+id));', 'async function load(req) { throw { id: req.params.id }; }'],
  ['load(req); find(+req.body.key);', 'function load(req) { req.body = { key: req.params.id }; }'],
  ['const [id] = await Promise.all([idOf(req)]); find(+id);', 'const idOf = (req) => req.params.id;'],
  ['find(+idOf?.(req));', 'const idOf = (req) => req.params.id;'],
  ['find(+idOf.call(null, req));', 'const idOf = (req) => req.params.id;'],
  ['find(...[req].map(idOf).map(Number));', 'const idOf = (req) => req.params.id;'],
  ['const { id } = whereOf(req); find(+id);', 'const whereOf = (req) => ({ id: req.params.id });'],
  [
    'find(+self.id(req));',
    'class Own { run() { const self = this; return (req) => self.id(req); } id(req) { return req.params.id; } }\nconst self = new Own();',
  ],
  ['find(+idOf(req));', 'const idOf = ((req) => req.params.id) as (req: Request) => string;'],
  ['find(+idOf(req));', 'const idOf = memoize((req) => req.params.id);'],
  ['find(+get.id(req));', 'const get = { id: (req) => req.params.id };'],
  ['find(+get.id(req));', 'const get = { id(req) { return this.raw(req); }, raw(req) { return req.params.id; } };'],
  ['find(+get.id(req));', 'const get = { get id() { return (req) => req.params.id; } };'],
  ['find(+get.id(req));', 'const get = {};\nget.id = (req) => req.params.id;'],
  ['find(+exports.id(req));', 'exports.id = (req) => req.params.id;'],
  ['find(+module.exports.id(req));', 'module.exports = { id: (req) => req.params.id };'],
  ['find(+get[0](req));', 'const get = [(req) => req.params.id];'],
  ['find(+base.id(req));', 'class Base { id(req) { return req.params.id; } }\nconst base = new Base();'],
  ['find(+base.id(req));', 'class Base {}\nBase.prototype.id = (req) => req.params.id;\nconst base = new Base();'],
  ['find(+Base.id(req));', 'class Base { static id(req) { const { id } = req.params; return id; } }'],
  [
    'find(+new Base(req).id);',
    'class Base { constructor(req) { this.req = req; } get id() { return this.req.params.id; } }',
  ],
  ['find(+new Base(req).id);', 'class Base { constructor(req) { this.id = req.params.id; } }'],
  [
    'find(+new Own().number(req));',
    'class Base { id(req) { return req.params.id; } }\nclass Own extends Base { number(req) { return super.id(req); } }',
  ],
  [
    'find(+new Own().number(req));',
    'class Base { id(req) { return req.params.id; } }\nclass Own extends Base { number(req) { return this.id(req); } }',
  ],
  [
    'const { id } = await load(req); find(+id);',
    'async function load(req) { const { id } = req.params; return { id, more: 1 }; }',
  ],
  ['find(+(await load(req)));', 'const load = async (req) => await req.params.id;'],
  ['find(await load(req).then(Number));', 'async function load(req) { return req.params.id; }'],
  ['const [id] = idsOf(req); find(+id);', 'const idsOf = (req) => [req.params.id];'],
  ['for (const id of idsOf(req)) find(+id);', 'function* idsOf(req) { yield req.params.id; }'],
  ['find(+idsOf(req).next().value);', 'function* idsOf(req) { return req.params.id; }'],
  ['find(+getter()(req));', 'function getter() { return (req) => req.params.id; }'],
  ['find(+getter(req)());', 'const getter = (req) => () => req.params.id;'],
  ['find(+getter(req.params.id)());', 'const getter = (id) => () => id;'],
  ['const get = idOf; find(+get(req));', 'const idOf = (req) => req.params.id;'],
  ['const { idOf } = all; find(+idOf(req));', 'const all = { idOf: (req) => req.params.id };'],
  ['find(+idOf(req));', 'let idOf;\nidOf = (req) => req.params.id;'],
  ['find(+idOf(req));', 'let idOf = (req) => 1;\nif (old) idOf = (req) => req.params.id;'],
  ['load(req); find(+current);', 'let current;\nfunction load(req) { current = req.params.id; }'],
  ['load(req); find(+current.id);', 'const current = {};\nfunction load(req) { current.id = req.params.id; }'],
  ['load(req); find(+state.now.id);', 'const state = {};\nfunction load(req) { state.now = { id: req.params.id }; }'],
  ['load(req); find(+ids[0]);', 'const ids = [];\nfunction load(req) { ids.push(req.params.id); }'],
  [
    'load(req); find(+state.id);',
    'const state = {};\nfunction load(req) { Object.assign(state, { id: req.params.id }); }',
  ],
  ['withId(req, (id) => find(+id));', 'function withId(req, then) { then(req.params.id); }'],
  ['find(+(await new Promise((resolve) => resolve(req.params.id))));', ''],
  ['find(+byId(req.params.id).id);', 'const byId = (id) => ({ id });'],
  ['find(+label(req.params.id));', 'const label = (id) => `1${id}`;'],
])('init leaves a permit to a person if a function returns the parameter that it reads: %s, %s', async (body, code) => {
  expect(await permitOf(`async (req, res) => { ${body} }`, `${code}\n`)).toEqual(byHand);
});

it.each([
  'withId((req) => req.params.id, (id) => find(+id))',
  'withId(idOf, (id) => find(+id))',
  'idOf, (req) => find(+idOf(req))',
])('init takes no function for a handler whose result the file uses: %s', async (handlers) => {
  const code = 'const withId = (get, then) => (req) => then(get(req));\nconst idOf = (req) => req.params.id;\n';
  expect(await permitOf(handlers, code)).toEqual(byHand);
});

it.each([
  ['function idOf(req) { return req.params.id; }', 'idOf(req)', `id: ${text} })`],
  ['const idOf = (req) => req.params.id;', '+idOf(req)', `id: ${number} })`],
  ['let idOf;\n  idOf = (req) => req.params.id;', '+idOf(req)', 'does with id what is not known here'],
  ['const load = (req) => find(+req.params.id);', 'load(req)', `id: ${number} })`],
  ['const load = (req) => find(+req.params.id);', '[load(req), req.params.id]', 'its handler uses'],
])('init reads a function that stands beside its routes in a function: %s, %s', async (declared, used, shown) => {
  await put({
    'package.json': manifest('express'),
    'app.js': `const app = express();\napp.use(routes());\nfunction routes() {\n  const router = express.Router();\n  ${declared}\n  router.get('/items/:id', (req, res) => res.json(${used}));\n  return router;\n}\n`,
    'agent-routes.txt': 'GET /items/:id item.read Item\n',
  });
  const { out, err } = await init();
  expect(out + err).toContain(shown);
});

it.each([
  ['(req, res) => req.params.id', ''],
  ['async (req) => ({ id: req.params.id, more: await find(req.params.id) })', ''],
  ['{ handler: async (req) => { return req.params.id; } }', ''],
  ['show', 'async function show(req) { return { id: req.params.id }; }'],
  [
    'items.show',
    'const items = { show: (req) => req.params.id, other: (req) => +req.params.id };\napp.post("/x/:id", items.other);',
  ],
  [
    'items.show',
    'const items = {};\nitems.show = (req) => req.params.id;\nitems.other = (req) => +req.params.id;\napp.post("/x/:id", items.other);',
  ],
  ['wrap(async (req) => req.params.id)', "import { wrap } from './wrap.js';"],
  ['load, (req, res) => res.json(req.item)', 'const load = async (req) => { req.item = await find(req.params.id); };'],
  ['(req, res, next) => next(req.params.id)', ''],
  ['(ctx) => { ctx.body = { id: ctx.params.id }; }', ''],
  ['(req, res) => { res.json(find(whereOf(req.params.id))); }', 'const whereOf = (id) => ({ where: { id } });'],
  ['(req, res) => { res.json(find(keyOf(req.params.id))); }', 'const keyOf = (id) => `item:${id}`;'],
  ['(req, res) => { res.json(load(req)); }', 'const load = (req) => find(req.params.id);'],
  ['(req, res) => { res.json(load(req)); }', 'const load = (req) => cache.set(req.params.id, find(req.params.id));'],
  ['(req, res) => { if (!Object.hasOwn(items, req.params.id)) return none(); find(req.params.id); }', ''],
])('init names the text that a handler returns, or a function hands on: %s, %s', async (handler, code) => {
  expect(await permitOf(handler, `${code}\n`)).toBe(text);
});

it.each([
  ['(req, res) => { res.json(load(req)); }', 'const load = (req) => find(+req.params.id);'],
  ['(req, res) => { res.json(load(req)); }', 'let load;\nload = (req) => find(+req.params.id);'],
  [
    '(req, res) => { res.json(all.load(req)); }',
    'const all = { load(req) { return this.one(req); }, one: (req) => find(+req.params.id) };',
  ],
  ['(req, res) => { const id = `${req.params.id}`; find(+id); }', ''],
  ['(req, res) => { if (Array.isArray(req.params.id)) return none(); find(+req.params.id); }', ''],
  ["(req, res) => { const id = req.params.id + ''; find(+id); }", ''],
])('init names the number that such a function uses: %s, %s', async (handler, code) => {
  expect(await permitOf(handler, `${code}\n`)).toBe(number);
});

it('init takes a decorated method of NestJS for a handler, also with a route that it does not read', async () => {
  await putNest(
    "@Get(':id')\n  read(@Param('id') id: string) {\n    return { id };\n  }\n  @All(':id/x')\n  all(@Param('id') id: string) {\n    return { id };\n  }",
  );
  expect((await init()).out).toContain("type: 'Item', id: request.params['id'] })");
});

it.each([
  ['private id(req) { return req.params.id; }', '+this.id(req)'],
  ['private id = (req) => req.params.id;', '+this.id(req)'],
  ['get id() { return this.req.params.id; }', '+this.id'],
  ['static id(req) { return req.params.id; }', '+Items.id(req)'],
])('init leaves the permit of a method of NestJS to a person beside %s', async (member, used) => {
  await putNest(`@Get(':id')\n  read(@Req() req) {\n    return this.items.find(${used});\n  }\n  ${member}`);
  expect((await init()).err).toContain('src/items.ts:7 does with id what is not known here');
});
