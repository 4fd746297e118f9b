import { expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, permitOf } = inFolder();

const text = "req.params['id']";
const number = `Number(${text})`;
const unknown = 'app.ts:2 does with id what is not known here';

it.each([
  'const [id] = req.params.id.match(/\\d+/) ?? []; res.json(rows[id]);',
  'for (const [id] of req.params.id.matchAll(/\\d+/g)) res.json(rows[id]);',
  'const m = /(\\d+)/.exec(req.params.id); res.json(rows[m[1]]);',
  'const { groups } = /^(?<id>\\d+)/.exec(req.params.id); res.json(rows[groups.id]);',
  'res.json(rows[req.params.id.search(/x/)]);',
  "res.json(rows[req.params.id.replace(/^x/, '')]);",
  "res.json(rows['x-17'.replace('x', req.params.id)]);",
  'res.json(rows[req.params.id.charAt(0)]);',
  'res.json(rows.at(req.params.id));',
  "res.json(rows['abc'.charAt(req.params.id)]);",
  'const s = new Set([req.params.id.trim()]); res.json(rows.filter((row) => s.has(row.id)));',
  'res.json(rows.find((row) => row.id.toLowerCase() === req.params.id.toLowerCase()));',
  'res.json(rows.find((row) => row.id.localeCompare(req.params.id) === 0));',
  'res.json(rows.find((row) => row.id.startsWith(req.params.id)));',
  'res.json(rows.find((row) => req.params.id.startsWith(row.id)));',
  'res.json(rows.filter((row) => row.pattern.test(req.params.id)));',
  'res.json(rows.find((row) => matches(row.id, req.params.id)));',
  'res.json(await Item.find({ name: { $regex: req.params.id } }));',
  'res.json(await Item.find({ name: { [Op.iLike]: `${req.params.id}%` } }));',
  'res.json(await prisma.item.findMany({ where: { name: { contains: req.params.id } } }));',
  "res.json(await db('items').whereILike('name', req.params.id));",
  'res.json(await db.select().where(like(items.name, req.params.id)));',
  'res.json(await repo.findBy({ name: ILike(req.params.id) }));',
])('init writes no permit if a handler uses a part of the text, or compares it otherwise: %s', async (body) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe(unknown);
});

it.each([
  "res.json(rows[Buffer.from(req.params.id, 'hex').toString('hex')]);",
  'res.json(rows[path.basename(req.params.id)]);',
  'res.download(path.join(dir, req.params.id));',
  'res.download(`${dir}/${req.params.id}`);',
  'res.send(await fs.readFile(req.params.id));',
  "const file = dir + '/' + req.params.id; fs.createReadStream(file).pipe(res);",
  'res.json(await fetch(`http://items.test/items/${req.params.id}`));',
  'res.json(await axios.get(`http://items.test/items/${encodeURIComponent(req.params.id)}`));',
  'const key = `item-${req.params.id}`; res.json(rows[key.slice(0, 7)]);',
  'const { value } = Joi.number().validate(req.params.id); res.json(rows[value]);',
  'const { value } = schema.validate({ id: req.params.id }); res.json(rows[value.id]);',
  'const value = await schema.validateAsync(req.params.id); res.json(await db.get(value));',
  'const { id } = schema.parse({ id: req.params.id }); res.json(await db.get(id));',
  'res.json(await Item.findById(ObjectId.createFromHexString(req.params.id)));',
  'const id = slug(req.params.id); res.json(await Item.findOne({ slug: id }));',
  'res.json(await Item.findById(getItemId(req.params.id)));',
  'const key = keyOf(req.params.id); db.get("SELECT 1", [key], (error, row) => res.json(row));',
  'transform(req.params.id, (error, key) => res.json(rows[key]));',
  'transform(req.params.id).then((key) => res.json(rows[key]));',
  'let id; id = slug(req.params.id); res.json(rows[id]);',
  'const load = () => slug(req.params.id); res.json(rows[load()]);',
  'client.send(slug(req.params.id));',
])('init writes no permit if a handler uses what a function made of the parameter: %s', async (body) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe(unknown);
});

it.each([
  'const id = req.user.itemId ?? req.params.id; res.json(rows[id]);',
  'const id = req.query.other || req.params.id; res.json(rows[id]);',
  'const id = aliases.get(req.params.id) ?? req.params.id; res.json(rows[id]);',
  'const id = Number(req.params.id) || 1; res.json(rows[id]);',
  "const id = req.params.id.length > 5 ? '17' : req.params.id; res.json(rows[id]);",
  "const id = req.params.id === 'latest' ? '17' : req.params.id; res.json(rows[id]);",
  "const id = req.params.id === 'me' ? req.user.id : req.params.id; res.json(rows[id]);",
  "const idOf = () => { if (req.user) return '17'; return req.params.id; }; res.json(rows[idOf()]);",
  'res.json(await items.update({ id: req.params.id, ...req.body }));',
  "const where = req.query.all ? { id: '17' } : { id: req.params.id }; res.json(await Item.find(where));",
  "const { id } = req.params; const own = { id }; res.json(await Item.find(req.user ? { id: '17' } : own));",
  "const key = req.query.all ? 'item:17' : `item:${req.params.id}`; res.json(cache.get(key));",
])('init writes no permit if a handler may use another value: %s', async (body) => {
  expect(await permitOf(`async (req, res) => { ${body} }`)).toBe(unknown);
});

it('init writes no permit if a handler does something else for one id', async () => {
  const body = "if (req.params.id === 'latest') return res.json(latest()); res.json(rows[req.params.id]);";
  expect(await permitOf(`(req, res) => { ${body} }`)).toBe('its handler does something else for the id "latest"');
});

it.each([
  ['res.json(await repository.findById(req.params.id));', text],
  ['res.json(rows.find((row) => row.id === req.params.id));', text],
  ['db.get("SELECT 1", [req.params.id], (error, row) => res.json({ data: row }));', text],
  [
    'const item = await Item.findOne({ id: req.params.id }); if (!item) throw new HttpError(404); res.json(item);',
    text,
  ],
  ['const item = await orders.get(req.params.id); res.json(toDto(item));', text],
  ['const order = await orders.cancel(req.params.id, req.user); res.json({ order: order.toJSON() });', text],
  ['await posts.like(req.params.id); await posts.unlike(req.params.id); res.end();', text],
  ['await orders.approve(req.params.id); res.sendStatus(204);', text],
  ['orders.publish(req.params.id).then((order) => res.json(order)).catch(next);', text],
  ['const r = await orders.archive(req.params.id); if (r.count === 0) return none(); ok(res, r);', text],
  [
    'const r = await orders.history(req.params.id); res.json(r.filter((each) => each.open).map((each) => each.at));',
    text,
  ],
  ['const r = await orders.restore(req.params.id); for (const line of r.lines) delete line.note; res.json(r);', text],
  [
    'const r = await orders.sums(req.params.id); res.json({ ...r, average: r.sum / r.count, at: new Date(r.at) });',
    text,
  ],
  ['await Promise.all([orders.restore(req.params.id), log.write("x")]); res.end();', text],
  ['const { id } = req.params; await Item.find(req.user ? { id, own: true } : { id }); res.end();', text],
  ['const item = await items.get(req.params.id); res.json(item ? { id: req.params.id, item } : { item: [] });', text],
  ['let item; try { item = await items.lock(req.params.id); } catch { return busy(res); } res.json(item);', text],
  ['if (!ObjectId.isValid(req.params.id)) return bad(); res.json(await Item.findById(req.params.id));', text],
  ['const { error } = schema.validate({ id: req.params.id }); if (error) return bad(); get(req.params.id);', text],
  ['if (!req.params.id.startsWith("x") || req.params.id.trim() === "") return bad(); get(req.params.id);', text],
  ['if (req.params.id.match(/^\\d+$/) === null) return bad(); get(Number(req.params.id));', number],
  ['const id = req.params.id || "none"; get(id);', text],
  ['const id = req.params.id ? Number(req.params.id) : undefined; get(id);', number],
  ['const idOf = () => { if (!req.params.id) return null; return req.params.id; }; get(idOf());', text],
  ['const message = `no ${req.params.id}`; if (bad) throw new NotFound(message); get(req.params.id);', text],
  ['return next(new ErrorResponse(`no ${req.params.id}`, 404));', text],
  ['res.json(await bus.execute(new ReadItemQuery({ id: req.params.id })));', text],
  ['res.json({ id: req.params.id, ...(await items.get(req.params.id)) });', text],
])('init writes the permit of an ordinary handler: %s', async (body, id) => {
  expect(await permitOf(`async (req, res, next) => { ${body} }`)).toBe(id);
});

it.each([
  ["@UsePipes(SlugPipe)\n  read(@Param('id') id: string)", undefined],
  ["@UsePipes(new ParseIntPipe())\n  read(@Param('id') id: number)", number],
  ["@UsePipes(new ValidationPipe({ transform: true }))\n  read(@Param('id') id: string)", text],
  ["read(@Param('id', ParseIntPipe, DoublePipe) id: number)", undefined],
  ["read(@Param('id', ParseFloatPipe) id: number)", `parseFloat(String(${text}))`],
  ["read(@Param('id', new ValidationPipe({ transform: true })) id: Id)", undefined],
  ["read(@Param('id', new DefaultValuePipe('1'), ParseIntPipe) id: number)", number],
])('init reads the pipes of a method of NestJS: %s', async (method, id) => {
  expect(await permitOnNest('', method)).toBe(id ?? 'does with id what is not known here');
});

it('init reads the pipes of a controller of NestJS', async () => {
  expect(await permitOnNest('@UsePipes(SlugPipe)\n', "read(@Param('id') id: string)")).toBe(
    'does with id what is not known here',
  );
});

async function permitOnNest(decorator: string, method: string): Promise<string | undefined> {
  await put({
    'package.json': manifest('@nestjs/core', '@nestjs/platform-express'),
    'tsconfig.json': '{}',
    'src/app.module.ts': '@Module({})\nexport class AppModule {}\n',
    'src/items.ts': `@Controller('items')\n${decorator}class Items {\n  @Get(':id')\n  ${method} {\n    return this.items.find(id);\n  }\n}\n`,
  });
  const { out, err } = await init();
  const [, id] = /type: 'Item', id: (.*?) \}\)/.exec(out) ?? [];
  const [, problem] = /^Put a permit by hand: .*\(src\/items\.ts:\d+ (.*)\)$/m.exec(err) ?? [];
  return id?.replace('request', 'req') ?? problem;
}
