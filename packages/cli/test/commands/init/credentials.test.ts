import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read } = inFolder();

/** Whether init opens `GET /handoffs/:id` of Express with this body. */
async function isOpen(body: string): Promise<boolean> {
  const app = `const app = express();\napp.get('/handoffs/:id', async (req, res) => { ${body} });\n`;
  await put({ 'package.json': manifest('express'), 'tsconfig.json': '{}', 'app.ts': app });
  expect((await init()).code).toBe(0);
  const list = await read('agent-routes.txt');
  expect(list).toContain('GET /handoffs/:id ');
  if (list.includes('# GET /handoffs/:id ')) expect(list).toContain('their handlers speak of passwords, tokens');
  return /^GET \/handoffs\/:id /m.test(list);
}

const fastify = (handler: string) => ({
  'package.json': manifest('fastify'),
  'app.js': `const app = Fastify();\napp.get('/handoffs/:id', ${handler});\n`,
});
const koa = (body: string) => ({
  'package.json': manifest('koa', '@koa/router'),
  'app.js': `const app = new Koa();\nconst router = new Router();\nrouter.get('/handoffs/:id', async (ctx) => { ${body} });\napp.use(router.routes());\n`,
});
const nest = (method: string) => ({
  'package.json': manifest('@nestjs/core', '@nestjs/common', '@nestjs/platform-express'),
  'tsconfig.json': '{}',
  'src/main.ts': 'const app = await NestFactory.create(AppModule);\nawait app.listen(3000);\n',
  'src/handoffs.ts': `@Controller('handoffs')\nexport class Handoffs {\n  @Get(':id')\n  ${method}\n}\n`,
});

describe('init closes a route whose handler gives out a credential', () => {
  it.each([
    'const token = await make(req.params.id); res.json({ token });',
    'const jwt = await make(req.params.id); res.json({ jwt });',
    'res.json({ userToken, refresh2 });',
    'res.json({ bearer });',
    'res.json({ sessionId });',
    'res.json({ sid });',
    'res.json({ pin: await pins.of(req.params.id) });',
    "res.json({ 'authorization': await basic(req.params.id) });",
    'res.json({ get token() { return made; } });',
    'res.json({ hash: (await rows.get(req.params.id)).hash });',
    'res.json({ value: row.token });',
    'res.json({ a: [row.name, ...row.tokens] });',
    'const out = {}; out.token = made; res.json(out);',
    'const { token } = await handoff(req.params.id); res.send(token);',
    'res.send(`${row.jwt}`);',
    'res.json(String(row.token));',
    'res.json(rows.map((row) => row.token));',
    "res.set('X-Auth-Token', made).end();",
    'res.redirect(`https://a.example/?token=${made}`);',
    "res.redirect('https://a.example/?access=' + (await mint(req.params.id)));",
    'res.send(sign({ sub: req.params.id }, key));',
    'res.send(await signJWT(req.params.id));',
    'const t = await createJWTFor(req.params.id); res.json({ t });',
    'res.send(await this.jwt.signAsync({ sub: req.params.id }));',
    'const t = await jwtFor(req.params.id); res.json({ t });',
    'const t = await tokens.issue(req.params.id); res.json({ t });',
    'const t = await getToken(req.params.id); res.json({ t });',
    'const t = await createSession(req.params.id); res.json({ t });',
    'await login(req, row); res.end();',
    "setCookie(res, 'a', made); res.end();",
    'const link = await magicLink(req.params.id); res.json({ link });',
    'res.json({ url: await getSignedUrl(s3, command) });',
    'res.json({ url: await client.presignedGetObject(bucket, req.params.id) });',
    'res.json(process.env);',
    "// the caller's own\n const token = await make(req.params.id); res.json({ token });",
  ])('%s', async (body) => {
    expect(await isOpen(body)).toBe(false);
  });

  it.each([
    "req.session['userId'] = req.params.id;",
    'req.session = { userId: req.params.id };',
    '(req.session as any).userId = req.params.id;',
    'req.session!.user.id = req.params.id;',
    'const s = req.session; s.userId = req.params.id;',
    'const { session } = req; session.userId = req.params.id;',
    'const { session: s } = req; s.userId = req.params.id;',
    '({ id: req.session.userId } = req.params);',
    '[req.session.userId] = [req.params.id];',
    'req.session.views++;',
    'delete req.session.guest;',
    'Object.assign(req.session, { userId: req.params.id });',
    "req.session.set('userId', req.params.id);",
    'req.session.regenerate(next);',
  ])('or that writes to a session: %s', async (body) => {
    expect(await isOpen(`${body} res.end();`)).toBe(false);
  });

  it.each([
    'res.json(await find(req.params.id));',
    'const token = getToken(req); res.json(await find(req.params.id, await verify(token)));',
    'const { token } = req.query; res.json(await find(token, req.params.id));',
    'const claims = await verifyToken(req.headers.authorization); res.json(await find(req.params.id, claims));',
    "if (req.header('Authorization') === undefined) return res.status(401).end(); res.json(await find(req.params.id));",
    'res.json({ items, nextPageToken });',
    'res.json({ tokenType: row.kind, maxTokens: 8, totalTokens });',
    'res.json({ contentHash: row.contentHash, pinned: row.pinned, design, assigned: assign(row) });',
    'const session = driver.session(); res.json(await session.run(text, { id: req.params.id }));',
    'res.json(await find(req.params.id, req.session.userId));',
    'res.json({ isSigned: row.signed, code: row.code, key: row.key });',
  ])('but not one that only reads: %s', async (body) => {
    expect(await isOpen(body)).toBe(true);
  });

  const schema = "{ type: 'object', properties: { authorization: { type: 'string' } } }";

  it.each([
    ['Fastify', fastify('async (req) => { const token = await make(req.params.id); return { token }; }'), false],
    ['Fastify', fastify('async (req) => (await make(req.params.id)).token'), false],
    ['Fastify', fastify('async (req, reply) => { const jwt = await reply.jwtSign({}); return { jwt }; }'), false],
    ['Fastify', fastify(`{ schema: { headers: ${schema} } }, async (req) => find(req.params.id)`), true],
    ['Fastify', fastify(`{ schema: { response: { 200: ${schema} } } }, async (req) => find(req.params.id)`), false],
    ['Koa', koa('const token = await make(ctx.params.id); ctx.body = { token };'), false],
    ['Koa', koa('const { jwt } = await make(ctx.params.id); ctx.body = jwt;'), false],
    ['Koa', koa('Object.assign(ctx.session, { user: ctx.params.id });'), false],
    ['Koa', koa('ctx.body = await find(ctx.params.id);'), true],
    [
      'NestJS',
      nest("async give(@Param('id') id: string) { const token = await this.s.make(id); return { token }; }"),
      false,
    ],
    ['NestJS', nest("give(@Session() s: Visit, @Param('id') id: string) { s.userId = id; }"), false],
    [
      'NestJS',
      nest("show(@Headers('authorization') auth: string, @Param('id') id: string) { return this.s.find(id); }"),
      true,
    ],
  ])('on %s: %o', async (_framework, files, isOpened) => {
    await put(files);
    expect((await init()).code).toBe(0);
    expect(/^GET \/handoffs\/:id /m.test(await read('agent-routes.txt'))).toBe(isOpened);
  });

  it('also where an apostrophe in a comment precedes the change that the handler makes', async () => {
    const app =
      "app.get('/prints/:id', async (req) => {\n  // don't wait\n  await prints.destroy(req.params.id);\n});\n";
    await put({ 'package.json': manifest('express'), 'app.js': `const app = express();\n${app}` });
    await init();
    expect(await read('agent-routes.txt')).toContain('# GET /prints/:id ');
  });
});
