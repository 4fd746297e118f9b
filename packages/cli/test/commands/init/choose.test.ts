import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, run, read, path } = inFolder();

const express = (lines: string): string => `const express = require('express');
const app = express();
${lines}`;
const permitsIn = (diff: string): readonly (string | undefined)[] =>
  [...diff.matchAll(/^\+.*\.(\w+)\('([^']+)', permit\(/gm)].map(([, method, path]) => `${method} ${path}`);

/** An application with 250 routes, as large ones have. */
function large(): string {
  const names = Array.from({ length: 50 }, (_none, number) => `things${number}`);
  const lines = names.flatMap((name) => [
    `app.get('/${name}', list);`,
    `app.get('/${name}/:id', show);`,
    `app.post('/${name}', create);`,
    `app.patch('/${name}/:id', change);`,
    `app.delete('/${name}/:id', remove);`,
  ]);
  return express(lines.join('\n'));
}

describe('the routes that init opens to agents', () => {
  it('are few and only read, whatever an application has', async () => {
    await put({ 'package.json': manifest('express'), 'app.js': large() });
    const { code, out, err } = await init();
    expect(code).toBe(0);
    expect(err).toContain('250 routes of express found. 10 routes are for agents');
    expect(permitsIn(out)).toHaveLength(10);
    expect(permitsIn(out).every((route) => route?.startsWith('get '))).toBe(true);
    const [agent] = JSON.parse(await read('agents.json')) as [{ capabilities: string[]; roles: string[] }];
    expect(agent.capabilities.every((scope) => scope.endsWith(':read'))).toBe(true);
    expect(agent.roles).toEqual(['reader']);
    expect((await read('agent-routes.txt')).match(/^# [A-Z]+ \//gm)).toHaveLength(240);
  });

  it.each([
    ['/me'],
    ['/whoami'],
    ['/users/:id'],
    ['/api-keys'],
    ['/apiKeys/:id'],
    ['/auth/openid'],
    ['/sessions'],
    ['/account_tokens'],
    ['/api/Cards'],
    ['/addresses/:id'],
    ['/backups'],
    ['/admin/orders'],
    ['/auth-settings'],
    ['/logs'],
    ['/filesystem'],
    ['/init'],
    ['/orders/:id/remove-from-list'],
    ['/orders/:id/refund'],
    ['/orders/:id/pay'],
    ['/orders/:id/resend-invoice'],
    ['/orders/:id/mark-shipped'],
    ['/files/*'],
  ])('never have %s among them unless a person chooses it', async (route) => {
    await put({
      'package.json': manifest('express'),
      'app.js': express(`app.get('/authors', list);\napp.get('${route}', show);\napp.post('/authors', create);\n`),
    });
    expect(permitsIn((await init()).out)).toEqual(['get /authors']);
    expect(await read('agent-routes.txt')).toContain(`# GET ${route} `);
  });

  it('do not have one whose handlers speak of administrators', async () => {
    const app = express(`app.get('/orders', list);
app.get('/reports', requireAdmin, list);
app.get(
  '/statements',
  asyncHandler(auth.admin),
  list,
);
`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /orders']);
  });

  it.each([
    'res.json({ apiKey: row.key })',
    'res.json({ url, password: row.password })',
    'const { passwordHash } = row; res.json({ passwordHash })',
    'res.json({ accessToken: row.token })',
    'res.json({ t: jwt.sign({ sub: req.user.id }, key) })',
    'res.json({ token: newOne(req.user) })',
    'req.session.user = row',
    'req.login(row, next)',
    "res.cookie('sid', newOne(row))",
    "res.setHeader('set-cookie', made)",
    'res.json({ access_token: row.token })',
    'res.json(pick(row, "client_secret"))',
    'res.json({ url: createToken(row) })',
  ])('do not have one whose handler speaks of credentials: %s', async (handler) => {
    const app = express(`app.get('/orders', requireAuth, passport.authenticate('jwt', { session: false }), list);
app.get('/integrations/:id', (req, res) => { ${handler}; });
`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /orders']);
    expect(await read('agent-routes.txt')).toContain('# GET /integrations/:id ');
  });

  it.each([
    'await orders.destroy({ where: { id: req.params.id } }); res.end();',
    'await orders.deleteMany({}); res.end();',
    "await knex('orders').where({ id: req.params.id }).del(); res.end();",
    "await db.query('UPDATE orders AS o SET paid = 1'); res.end();",
    "await db.query('REPLACE INTO orders VALUES (1)'); res.end();",
    'await removeOrder(req.params.id); res.end();',
    'order.seen = true; await order.save(); res.end();',
    'await Order.create({ at: new Date() }); res.end();',
    'await pool.query("DELETE FROM orders WHERE id = $1", [req.params.id]); res.end();',
    'await pool.query(`update orders set seen = now()`); res.end();',
    'delete rows[req.params.id]; res.end();',
    'res.json(await db.query(req.query.q));',
    'res.json(await (await fetch(req.query.url)).json());',
    "res.end(execSync('ping ' + req.params.id));",
  ])('do not change anything in their handlers: %s', async (handler) => {
    const app = express(`app.get('/orders', list);\napp.get('/prints/:id', async (req, res) => { ${handler} });\n`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /orders']);
    expect(await read('agent-routes.txt')).toContain('# GET /prints/:id ');
  });

  it.each([
    ['print', 'async function print(req, res) { await orders.destroy(req.params.id); }', false],
    ['check, print', 'const check = (req, res, next) => next();\nconst print = (req) => remove(req.params.id);', false],
    ['prints.print', 'const prints = { async print(req, res) { await orders.delete(req.params.id); } };', false],
    ['print', "const print = (req, res) => res.json({ token: issue('agent') });", false],
    ['check, print', 'function check(req, res, next) { if (req.headers.token === password) next(); }', true],
    [
      'print',
      'function print(req, res) { res.json(rows.get(req.params.id)); }\nconst other = () => rows.delete(1);',
      true,
    ],
  ])('do not change anything in a function of the same file: %s, %s', async (handlers, code, isOpen) => {
    const app = express(`app.get('/orders', list);\napp.get('/prints/:id', ${handlers});\n${code}\n`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /orders', ...(isOpen ? ['get /prints/:id'] : [])]);
  });

  it.each([
    'if (!canUpdate(req)) return; res.json(await find(req.params.id));',
    'res.json(await pool.query("SELECT updated FROM prints WHERE id = $1", [req.params.id]));',
    'res.json(await fetchPrint(req.params.id, req.query.lang).exec());',
  ])('may have a handler that reads: %s', async (handler) => {
    const app = express(`app.get('/prints/:id', async (req, res) => { ${handler} });\n`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /prints/:id']);
  });

  it('may list things that are named like deeds', async () => {
    const app = express("app.get('/transfers', list);\napp.get('/transfers/:id', show);\n");
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /transfers', 'get /transfers/:id']);
  });

  it.each(['src/admin/invoices.js', 'src/routes/admin-invoices.js', 'src/internal/invoices.js'])(
    'do not have those of %s',
    async (file) => {
      await put({
        'package.json': manifest('express'),
        'app.js': express("app.get('/orders', list);\n"),
        [file]: "const router = require('express').Router();\nrouter.get('/invoices/:id', show);\n",
      });
      expect(permitsIn((await init()).out)).toEqual(['get /orders']);
    },
  );

  it('are data, and no pages', async () => {
    const app = express(`app.get('/orders', list);
app.get('/terms', asyncHandler(renders.terms));
app.get('/about', (req, res) => {
  res.render('about');
});
app.get('/file', (req, res) => res.sendFile('a.html'));
`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect(permitsIn((await init()).out)).toEqual(['get /orders']);
    expect(await read('agent-routes.txt')).toContain('# GET /terms term.read Term');
  });

  it('are those of agent-routes.txt when init runs again, in diff, policies and agent', async () => {
    await put({ 'package.json': manifest('express'), 'app.js': large() });
    await init();
    const key = await read('agent.pem');
    await put({ 'agent-routes.txt': '# mine\nPOST /things7 thing.create Thing\n' });
    const { out, err } = await init();
    expect(permitsIn(out)).toEqual(['post /things7']);
    expect(out).toContain("permit('thing.create', { type: 'Thing', id: '*' })");
    expect(err).toContain('1 route is for agents');
    expect(await read('policies/policies.cedar')).not.toContain('.read');
    expect(JSON.parse(await read('agents.json'))).toMatchObject([
      { capabilities: ['thing:create'], roles: ['writer'] },
    ]);
    expect(await read('agent.pem')).toBe(key);
    expect(await read('agent-routes.txt')).toContain('# mine');
    expect(await run('policy', 'test', path('policies'))).toMatchObject({ code: 0 });
  });

  it('get their permits whatever the order of agent-routes.txt', async () => {
    await put({ 'package.json': manifest('express'), 'app.js': large() });
    await init();
    const chosen = ['PATCH /things9/:id', 'GET /things0', 'POST /things5'];
    await put({ 'agent-routes.txt': chosen.map((route) => `${route} thing.x Thing\n`).join('') });
    const { out, err } = await init();
    expect(permitsIn(out)).toEqual(['get /things0', 'post /things5', 'patch /things9/:id']);
    expect(err).toContain('3 routes are for agents');
    expect(err).not.toContain('by hand');
  });

  it('are those of --routes, with the prefix of a mount or without', async () => {
    const files = {
      'package.json': manifest('express'),
      'app.js': express("app.use('/api/orders', require('./orders'));\napp.get('/orders/export', dump);\n"),
      'orders.js': `const router = express.Router();
router.get('/', list);
router.get('/:id', show);
router.get('/:id/lines/:line', ({ params }) => line(params.id, params.line));
router.get('/drafts/:id', draft);
router.post('/', create);
`,
      'list.txt':
        'GET /api/orders/:order\nGET /gate/api/orders/:id/lines/:line line.read Line\nGET /drafts/:id\nGET /elsewhere\n',
    };
    await put(files);
    const { out, err } = await init('--routes', path('list.txt'));
    expect(permitsIn(out)).toEqual(['get /:id', 'get /:id/lines/:line', 'get /drafts/:id']);
    expect(err).toContain('4 routes are for agents');
    expect(err).toContain('Put a permit by hand: GET /elsewhere (it was not found in the source)\n');
  });

  it('leave a permit to a person when the source declares a route twice', async () => {
    const lines = "app.get('/orders', list);\n";
    await put({
      'package.json': manifest('express'),
      'app.js': express(lines),
      'other.js': express(lines),
      'list.txt': 'GET /orders',
    });
    const { out, err } = await init('--routes', path('list.txt'));
    expect(permitsIn(out)).toEqual([]);
    expect(err).toContain('Put a permit by hand: GET /orders (declared in app.js:3, other.js:3)\n');
  });

  it('are refused before anything is written when one agent cannot have so many scopes', async () => {
    const routes = Array.from({ length: 101 }, (_none, number) => `GET /a${number}x`).join('\n');
    await put({ 'package.json': manifest('express'), 'list.txt': routes });
    const { code, err } = await init('--routes', path('list.txt'));
    expect(code).toBe(2);
    expect(err).toContain('101 routes need 101 scopes; an agent may have 100. Name the routes that this agent needs');
    await expect(read('guard.js')).rejects.toThrow('ENOENT');
    await expect(read('.countersign/init.json')).rejects.toThrow('ENOENT');
  });

  it('are none, and the next step says so, when no route only reads', async () => {
    await put({ 'package.json': manifest('express'), 'app.js': express("app.post('/orders', create);\n") });
    const { err } = await init();
    expect(err).toContain('0 routes are for agents');
    expect(err).toContain('choose routes for agents in agent-routes.txt, then run init again');
    expect(err).not.toContain(' curl ');
    expect((await init()).code).toBe(0);
  });
});

describe('init of an application whose users sign in', () => {
  it('lets agents act for a user only, and says that the login has to skip them', async () => {
    const app = express("app.use(passport.session());\napp.get('/orders', list);\n");
    await put({ 'package.json': manifest('express', 'passport'), 'app.js': app });
    const { err } = await init();
    expect(await read('policies/policies.cedar')).toContain(
      'context.scope.contains("order:read") && context has onBehalfOf',
    );
    expect((await run('policy', 'test', path('policies'))).out).toContain(
      'order.read by a reader that acts for nobody',
    );
    const test = await read('test/agents.test.mjs');
    expect(test).toContain("{ capabilities: ['order:read'], roles }).onBehalfOf('a-user');");
    expect(test).toContain("{ capabilities: ['another:scope'], roles }).onBehalfOf('a-user');");
    expect(err).toContain('let passport skip agents; until then it answers them with its own 401');
    expect(err).toMatch(/https:.*\/guides\/adopt-login-passport\n/);
    expect(err).toContain('/orders --key agent.pem --token @token.jwt\n');
  });
});

describe('init warns', () => {
  it('of what runs before the guard knows a route, or never passes it', async () => {
    const app = express(`
const { Server } = require('socket.io');
app.use(fileUpload({ useTempFiles: true }));
// app.use(fileUpload());
app.get(/^\\/orders/, cached);
app.get(/^\\/orders$/, exact);
app.get('/api*', cached);
app.get('/orders', list);
app.post('/orders/x', create);
app.get('/orders/:id/*', file);
app.get('*', notFound);
`);
    await put({
      'package.json': manifest('express'),
      'app.js': app,
      'types.ts': "import type { Server } from 'socket.io';",
      'static/snippet.js': 'app.use(fileUpload());',
    });
    const lines = (await init()).err.split('\n').filter((line) => /^\S+[.][jt]s:/.test(line));
    expect(lines).toEqual([
      expect.stringContaining('app.js:5 stores uploads before a route is known'),
      expect.stringContaining('app.js:4 opens connections that do not pass the guard'),
      expect.stringContaining('app.js:7 also matches GET /orders; if it is middleware, mount it with use()'),
    ]);
  });
});

it.each([
  ['app.js', 'app.use(express.static(__dirname));', true],
  ['app.js', "app.use(express.static('.', { index: false }));", true],
  ['src/app.js', 'app.use(serve(process.cwd()));', true],
  ['app.js', 'app.register(fastifyStatic, { root: import.meta.dirname });', true],
  ['src/app.js', 'app.use(express.static(__dirname));', false],
  ['app.js', "app.use(express.static('public'));", false],
  ['app.js', "app.use(express.static(join(__dirname, 'public')));", false],
])('init names code that serves the key of the agent to anybody: %s, %s', async (file, line, isNamed) => {
  await put({ 'package.json': manifest('express'), [file]: express(`${line}\napp.get('/orders', list);\n`) });
  expect((await init()).err.includes('so that anybody can read agent.pem')).toBe(isNamed);
});

describe('the diff of init', () => {
  it('puts the guard after CORS, and follows the style of the file', async () => {
    const app = `const express = require('express')
const cors = require('cors')

const app = express()
app.use(cors({
  origin: true
}))
app.use(express.json())
app.get('/orders', list)
app.listen(3000)
`;
    await put({ 'package.json': manifest('express'), 'app.js': app });
    const { out } = await init();
    expect(out).toContain(
      "+const { agentAuth, permit } = require('@countersign/express')\n+const { guard } = require('./guard')\n",
    );
    expect(out).toContain(' }))\n+app.use(agentAuth(guard)) // before any body parser\n app.use(express.json())\n');
  });

  it('puts the guard before a body parser that precedes CORS', async () => {
    const app = express("app.use(express.json());\napp.use(cors());\napp.get('/orders', list);\n");
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect((await init()).out).toContain(
      ' const app = express();\n+app.use(agentAuth(guard)); // before any body parser\n',
    );
  });

  it.each([
    "app.delete('/orders/:id', remove);",
    "app.all('/legacy', legacy);",
    "app.use('/graphql', graphql);",
    "app.route('/orders').put(change);",
    'mountRoutes(app);',
    "app.use(helmet()).delete('/orders/:id', remove);",
    'app.use(mystery());',
    "app.use(cors()).delete('/orders/:id', remove);",
  ])('puts the guard before %s, though CORS comes later', async (first) => {
    const app = express(`${first}\napp.use(cors());\napp.get('/orders', list);\n`);
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect((await init()).out).toContain(
      ' const app = express();\n+app.use(agentAuth(guard)); // before any body parser\n',
    );
  });

  it('puts the guard after CORS that follows settings and security headers', async () => {
    const app = express(
      "app.set('trust proxy', 1);\napp.disable('x-powered-by');\napp.use(helmet());\napp.use(cors());\napp.get('/orders', list);\n",
    );
    await put({ 'package.json': manifest('express'), 'app.js': app });
    expect((await init()).out).toContain(" app.use(cors());\n-app.get('/orders', list);\n+app.use(agentAuth(guard));");
  });
});

describe('the list says of each closed route why it is closed', () => {
  it.each([
    ["app.post('/account/login', h);", 'POST /account/login', 'their paths speak of what people sign in with'],
    ["app.get('/api-keys/:id', h);", 'GET /api-keys/:id', 'their paths speak of what people sign in with'],
    ["app.get('/list-user-files', h);", 'GET /list-user-files', 'their paths speak of people and their accounts'],
    ["app.get('/me', h);", 'GET /me', 'their paths speak of people and their accounts'],
    [
      "app.post('/transactions', (req, res) => res.json(fetchAll(accessToken)));",
      'POST /transactions',
      'their handlers speak of passwords, tokens or other secrets',
    ],
    ["app.post('/orders', h);", 'POST /orders', 'these change something, or their names or handlers say so'],
  ])('%s', async (line, route, reason) => {
    await put({ 'package.json': manifest('express'), 'app.js': express(`app.get('/notes', list);\n${line}\n`) });
    await init();
    expect(await read('agent-routes.txt')).toMatch(new RegExp(`^# Closed to agents: ${reason}\\.\n# ${route} `, 'm'));
  });
});

describe('init says which permit names less than its handler reads', () => {
  it.each([
    ["app.get('/access', (req, res) => res.json(find(req.query.fileId)));", 'req.query.fileId'],
    ["app.get('/access', async (req, res) => { const { limit, fileId = '' } = req.query; });", 'req.query.fileId'],
    ["app.get('/access', (req, res) => res.json(find(req.body['id'])));", 'req.body.id'],
    ["app.get('/access', (req, res) => res.json(find(req.query?.order_id)));", 'req.query.order_id'],
    ["app.get('/access', (req, res) => { const { id: file } = req.body; });", 'req.body.id'],
    ["app.get('/access', (req, res) => res.json(find(req.query.limit, req.valid)));", undefined],
    ["app.get('/access/:id', (req, res) => res.json(find(req.params.id, req.query.parentId)));", undefined],
    ["app.get('/access', permit('access.read', file), (req, res) => find(req.query.fileId));", undefined],
  ])('%s', async (line, name) => {
    await put({ 'package.json': manifest('express'), 'app.js': express(line) });
    const { err } = await init();
    const [, found] =
      /^GET \/access\S* \(app\.js:3\) reads (\S+): name the resource of its permit by it\.$/m.exec(err) ?? [];
    expect(found).toBe(name);
  });
});
