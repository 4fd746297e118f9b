import { expect, it } from 'vitest';
import { inFolder } from './in-folder.js';

const { permitOf } = inFolder();

const text = "req.params['id']";
const number = `Number(${text})`;
const decimal = `parseInt(String(${text}), 10)`;
const unknown = (line: number): string => `app.ts:${line} does with id what is not known here`;

it.each([
  ['find(req.params.id);', 'function find(id) { return orders.find((order) => order.id === Number(id)); }', number],
  ['const { id } = req.params; find(id);', 'const find = (id: string) => orders[parseInt(id, 10)];', decimal],
  ['find!(req.params.id);', 'const find = (id: string) => orders[+id];', number],
  ['((id) => orders.get(+id))(req.params.id);', '', number],
  ['new Store().find(req.params.id);', 'class Store { find(id) { return db.get(+id); } }', number],
  ['orders.get(int(req.params.id));', 'const int = (text: string) => parseInt(text, 10);', decimal],
  ['find(db, req.params.id);', 'async function find(db, id = "1") { return await db.one(id); }', text],
  ['find(req.params.id);', 'let find; find = (id) => orders[+id] ?? find(id - 1);', undefined],
  ['find(+req.params.id);', 'function find(id) { return orders[id] ?? find(id); }', number],
  [
    'store.find(req.params.id);',
    'class Store { find(id) { return db[+id] || null; } }\nconst store = new Store();',
    number,
  ],
  ['store.find(req.params.id);', 'class Store { find = (id) => db.get(+id); }\nconst store = new Store();', number],
  [
    'store.find(req.params.id);',
    'class Store { find(id) { return this.#one(id); } #one(id) { return db.get(+id); } }\nconst store = new Store();',
    number,
  ],
  ['store.orders.find(req.params.id);', 'const store = { orders: { find: (id) => db.get(Number(id)) } };', number],
  ['store.find(req.params.id);', 'const find = (id) => db.get(Number(id));\nconst store = { find };', number],
  ['orders.get(Number(clean(req.params.id)));', 'const clean = (id) => { const text = id; return text; };', number],
  ['orders.get(outer(req.params.id));', 'const outer = (id) => inner(id);\nconst inner = (id) => Number(id);', number],
  [
    'if (!isNumber(req.params.id)) return bad(); orders.get(req.params.id);',
    'const isNumber = (id) => !isNaN(Number(id));',
    text,
  ],
  [
    'find(req.params.id); orders.get(req.params.id);',
    'const find = (id) => orders.get(Number(id));',
    'its handler uses Number(id) and id as text',
  ],
  ['find(req.params.other, req.params.id);', 'const find = (other, id) => orders.get(Number(other), id);', text],
])('init follows a parameter into the functions of the same file: %s, %s', async (body, declared, id) => {
  expect(await permitOf(`(req, res) => { ${body} }`, `${declared}\n`)).toBe(id ?? unknown(3));
});

it.each([
  ['orders.find(req.params.id);', "import { orders } from './orders.js';"],
  ['orders.find({ where: { id: req.params.id } });', "const { orders } = require('./orders');"],
  ['orders.find(req.params.id);', "import { Orders } from './orders.js';\nconst orders = new Orders();"],
  ['find(req.params.id);', "import { db } from './db.js';\nconst find = promisify(db.find);"],
  ['const where = { id: req.params.id }; where.open = true; db.find(where);', 'const where = (id) => +id;'],
  ['db.query("SELECT 1", [req.params.id], (error, row) => row);', ''],
])('init takes what functions of other files get as text: %s, %s', async (body, declared) => {
  const more = 'const handlers = { find: (req, res) => res.json(+req.query.id) };';
  expect(await permitOf(`(req, res) => { ${body} }`, `${declared}\n${more}\n`)).toBe(text);
});

it.each([
  ['find({ id: req.params.id });', 'function find({ id }) { return orders.get(Number(id)); }'],
  ['const query = { id: req.params.id }; find(query);', 'function find({ id }) { return orders.get(Number(id)); }'],
  ['const query = { id: req.params.id }; orders.get(+query.id);', ''],
  ['find([req.params.id]);', 'function find([id]) { return orders.get(Number(id)); }'],
  ['find(...keys, req.params.id);', 'function find(...ids) { return orders.get(Number(ids[0])); }'],
  ['find.call(orders, req.params.id);', 'function find(id) { return this.get(Number(id)); }'],
  ['find(req.params.id);', 'const find = memoize((id) => orders.get(Number(id)));'],
  ['find(req.params.id);', 'const one = (id) => orders.get(Number(id));\nconst find = memoize(one);'],
  ['exports.find(req.params.id);', 'exports.find = function (id) { return db.get(Number(id)); };'],
  ['store.find(req.params.id);', 'class Store { find(id) { return db[+id]; } }\nconst store = create(Store);'],
  ['store.find(req.params.id);', 'let store;\nstore = { find: (id) => db[+id] };'],
  ['finder(db)(req.params.id);', 'const finder = (db) => (id) => db[+id];'],
  ['const [id] = [req.params.id].map(Number); orders.get(id);', ''],
  ['orders.get(Array.from([req.params.id], Number)[0]);', ''],
  ['orders.get(Reflect.apply(Number, null, [req.params.id]));', ''],
  ['orders.get(await Promise.resolve(req.params.id).then(Number));', ''],
  ['orders.get(Number(req.param("id")));', ''],
  ['orders.get(Number(req.param(name)));', ''],
])('init leaves a permit to a person if a parameter is handed over in another way: %s, %s', async (body, declared) => {
  expect(await permitOf(`async (req, res) => { ${body} }`, `${declared}\n`)).toBe(unknown(2));
});

it.each([
  ['find(req.params.id);', 'function find({ length }) { return length; }'],
  ['find(req.params.id);', 'function find(...ids) { return orders.get(Number(ids[0])); }'],
  ['use(req.params.id, (id) => orders.get(Number(id)));', 'function use(id, then) { return then(id); }'],
  ['res.json(req.item);', "app.param('id', (req, res, next, id) => { req.item = items[Number(id)]; next(); });"],
  ['res.json(req.item);', "app.use('/items/:id', load);\nfunction load(req) { req.item = items[+req.params.id]; }"],
  ['res.json(req.item);', "app.route('/items/:id').all((req) => { req.item = items[+req.params.id]; });"],
])('init leaves a permit to a person if such a function is not simple: %s, %s', async (body, declared) => {
  expect(await permitOf(`(req, res) => { ${body} }`, `${declared}\n`)).toBe(unknown(3));
});

it.each([
  "app.param('id', load);\nimport { load } from './load.js';",
  "app.use('/items/:id', allow('reader'));\nconst { allow } = require('./allow');",
  "app.param('key', (req, res, next, key) => { req.item = items[Number(key)]; next(); });",
  "app.use('/items', (req, res, next) => next());",
])('init writes a permit beside %s', async (declared) => {
  expect(await permitOf('(req, res) => res.json(req.item)', `${declared}\n`)).toBe(text);
});
