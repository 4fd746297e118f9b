import { expect, it } from 'vitest';
import { inFolder } from './in-folder.js';

const { permitOfPut } = inFolder();

const text = "req.params['id']";
const whole = (input: string): string => `app.ts:2 passes on the whole ${input}, which may name another Item`;

it('init names the line of a function that reads a whole input', async () => {
  const body = 'const row = await repo.find(req.params.id); await repo.save(fieldsOf(req));';
  const problem = await permitOfPut(body, 'const fieldsOf = (req) => req.body;\n');
  expect(problem).toBe(whole('body').replace(':2', ':3'));
});

const row = 'const row = await repo.find(req.params.id); if (!row) return res.sendStatus(404); ';

it.each([
  // In a list, or as another name, rest, member or reassigned variable.
  'await repo.upsert([req.body]);',
  'await repo.bulkCreate([req.body], { updateOnDuplicate: ["title"] });',
  'await repo.insertMany([{ ...req.body }]);',
  'await repo.insertMany([...req.body]);',
  'await repo.save([row, ...[req.body]]);',
  'const { note, ...fields } = req.body; await repo.save(fields);',
  'const { body: fields } = req; await repo.save(fields);',
  'let fields; fields = req.body; await repo.save(fields);',
  'let fields; ({ body: fields } = req); await repo.save(fields);',
  'let next = await repo.find(req.params.id); next = { ...next, ...req.body }; await repo.save(next);',
  'await repo.save(req.body.item);',
  'await repo.save(req.body[0]);',
  'for (const each of req.body) await repo.save(each);',
  'await Promise.all(req.body.map((each) => repo.save(each)));',
  'for (const key of Object.keys(req.body)) row[key] = req.body[key]; await repo.save(row);',
  'for (const key in req.body) row[key] = req.body[key]; await repo.save(row);',
  'await repo.save(ok ? req.body : row);',
  'await sql`insert into items ${req.body}`;',
  'req.item = req.body; await saveItem(req);',
  'await repo.save({ ...req.body, id: req.body.key });',
  // Whatever the function is called.
  'await repo.assign(req.body);',
  'await repo.merge(req.body);',
  'await repo.validateAndSave(req.body);',
  'await repo.parse_and_store(req.body);',
  'await repo.checkIn(req.body);',
  'await repo.ensure(req.body);',
  'await repo.saveDto(req.body);',
  'await repo.toDatabase(req.body);',
  'await save(req.body, res);',
  'await scores.set(req.body);',
  'await this.store.write(req.body);',
  'if (!(await repo.persist(req.body))) return bad();',
  'new Item(req.body).save();',
  'repo.parse(req.body).save();',
  'await repo.save(schema.parse(req.body));',
  'await repo.save(_.merge({}, row, req.body));',
  'const next = applyPatch(row, req.body); await repo.save(next);',
  'Object.defineProperties(row, req.body); await repo.save(row);',
  // Into a row that another function then keeps.
  'fill(row, req.body); await repo.save(row);',
  '_.set(row, "title", req.body); await repo.save(row);',
  'const next = Object.create(row, req.body); await repo.save(next);',
  'const next = Object.keys(req.body).reduce((all, key) => with_(all, key), row); await repo.save(next);',
  // Through functions.
  'const { id } = normalize(req.body); await repo.remove(id);',
  'schema.validate(req.body).then((fields) => repo.save(fields));',
  'await store(req.params.id, req.body);',
  'await repo.save(joined(row, req.body));',
  'repo.insert(req.body, () => res.redirect("/items/" + req.params.id));',
  // The id is deleted or compared too late, or without an effect.
  'await repo.save(req.body); delete req.body.id;',
  'if (strict) delete req.body.id; await repo.save(req.body);',
  'if (req.body.id !== req.params.id) metrics.inc(); await repo.save(req.body);',
  'if (strict) { if (req.body.id !== req.params.id) return bad(); } await repo.save(req.body);',
  'const fields = { ...req.body }; delete req.body.id; await repo.save(fields);',
])('init leaves a permit to a person if the id of the path is only checked beside a whole input: %s', async (body) => {
  const more = `function store(id, fields) { check(id); return repo.save(fields); }
const joined = (row, fields) => ({ ...row, ...fields });
`;
  expect(await permitOfPut(row + body, more)).toBe(whole('body'));
});

it.each([
  'row.title = req.body.title; await row.save();',
  'const { title, text } = req.body; row.title = title; row.text = text; await repo.save(row);',
  'if (!req.body) return bad(); await row.update(req.body);',
  'if (Object.keys(req.body).length === 0) return bad(); await repo.update(req.params.id, req.body);',
  'validate(req.body); await repo.update(req.params.id, req.body);',
  'await validateOrReject(req.body); await repo.update(req.params.id, req.body);',
  'const { error, value } = schema.validate(req.body); if (error) return bad(error); await row.update(value);',
  'const found = schema.safeParse(req.body); if (!found.success) return bad(found.error); await row.update(found.data);',
  'try { const data = schema.parse(req.body); await row.update(data); } catch (error) { next(error); }',
  'const data = pick(req.body, ["title"]); await repo.update(req.params.id, data);',
  'await repo.findByIdAndUpdate(req.params.id, { $set: req.body }, { new: true });',
  'res.json(await prisma.item.update({ where: { id: req.params.id }, data: req.body }));',
  'const query = { where: { id: req.params.id }, data: req.body }; await repo.update(query);',
  'await pool.query(text, [JSON.stringify(req.body), req.params.id]);',
  'const item = toItem(req.body); if (!item) return bad(); await repo.update(req.params.id, item);',
  'await repo.replace(row, req.body); res.json(row);',
  'rows[req.params.id] = req.body; res.json(req.body);',
  'const place = rows.findIndex((each) => each.id === req.params.id); rows[place] = { ...rows[place], ...req.body };',
  'const { body: fields } = req; await repo.update(req.params.id, fields);',
  'const { id, ...fields } = req.body; await repo.save({ ...row, ...fields });',
  'delete req.body.id; await repo.save({ ...row, ...req.body });',
  'if (req.body.id !== req.params.id) { return bad(); } await repo.save(req.body);',
  'await store(req.params.id, req.body);',
  'await repo.update(req.params.id, fieldsOf(req.body));',
  'checkItem(req.body); await repo.remove(req.params.id);',
  'logger.info("changed", { body: req.body }); await repo.remove(req.params.id);',
  'console.log(req.query); res.status(201).json({ ...row, ...req.body });',
])('init writes the permit of an ordinary handler that takes a whole input: %s', async (body) => {
  const more = `function fieldsOf({ id, ...fields }) { return { ...fields }; }
function store(id, fields) { return repo.update(id, fields); }
function checkItem(item) { if (!item.title) throw new Error('no title'); }
`;
  expect(await permitOfPut(row + body, more)).toBe(text);
});
