import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init, read } = inFolder();

const imports = { express: "import express from 'express';\n" };
const text = "const app = express();\napp.get('/notes', list);\n";

/** The line of the diff before that with the guard. */
const beforeGuard = (diff: string): string | undefined => /^(.*)\n\+.*\(agentAuth\(guard\)\)/m.exec(diff)?.[1];

/** An application with a parser and a route of its own. */
const main = (lines: string): string => `const main = express();
main.use(express.json());
${lines}
main.get('/x', (req, res) => res.json(1));
`;

describe('init puts the guard into the application that mounts the others', () => {
  const sub = `${imports.express}const app = express();
app.use(express.json());
app.get('/a', (req, res) => res.json(1));
`;
  it.each([
    ['a default export', 'export default app;\n', "import sub from './sub.js';", "main.use('/sub', sub);"],
    [
      'a renamed export',
      'export { app as handlers };\n',
      "import * as sub from './sub.js';",
      "main.use('/sub', sub.handlers);",
    ],
    ['a named export', 'export { app };\n', "import { app as sub } from './sub.js';", "main.use('/sub', login, sub);"],
    ['a CommonJS export', 'module.exports = app;\n', '', "main.use('/sub', require('./sub'));"],
    [
      'one below a router',
      'export default app;\n',
      "import sub from './sub.js';",
      "const router = Router();\nrouter.use('/sub', sub);\nmain.use(router);",
    ],
    [
      'one with two mounts',
      'export default app;\n',
      "import sub from './sub.js';",
      "main.use('/sub', sub);\nmain.use('/v1/sub', sub);",
    ],
  ])('%s', async (_what, exported, imported, lines) => {
    await put({
      'package.json': manifest('express'),
      'sub.js': sub + exported,
      'app.js': `${imported}\n${main(lines)}`,
    });
    const { out, err } = await init();
    expect(beforeGuard(out)).toBe(' const main = express();');
    expect(out.match(/agentAuth\(guard\)/g)).toHaveLength(1);
    expect(out).toContain("permit('x.read'");
    expect(err).toMatch(
      /^Mounted by another application, whose guard covers its routes, too: sub\.js:2 \(in app\.js:[4-7]/m,
    );
    expect(err).not.toContain('by hand into each');
  });

  it('one of the same file, and one without a name', async () => {
    const lines =
      "const sub = express();\nsub.use(express.json());\nmain.use('/sub', sub);\nmain.use('/other', express());";
    await put({ 'package.json': manifest('express'), 'app.js': main(lines) });
    const { out, err } = await init();
    expect(beforeGuard(out)).toBe(' const main = express();');
    expect(err).toContain('whose guard covers its routes, too: app.js:3 (in app.js:5), app.js:6 (in app.js:6).\n');
  });

  it('what a function creates', async () => {
    const made = `${imports.express}export function createSub() {\n  const app = express();\n  app.get('/a', list);\n  return app;\n}\n`;
    const files = {
      'sub.js': made,
      'app.js': `import { createSub } from './sub.js';\n${main("main.use('/sub', createSub());")}`,
    };
    await put({ 'package.json': manifest('express'), ...files });
    expect(beforeGuard((await init()).out)).toBe(' const main = express();');
  });

  it('on Koa', async () => {
    const files = { 'sub.js': 'const app = new Koa();\napp.use(list);\nmodule.exports = app;\n' };
    const koa = "const sub = require('./sub');\nconst main = new Koa();\nmain.use(mount('/sub', sub));\n";
    await put({ 'package.json': manifest('koa'), ...files, 'app.js': koa });
    expect(beforeGuard((await init()).out)).toBe(' const main = new Koa();');
  });

  it.each([
    ['listens', 'app.listen(3001);\nexport default app;\n', "main.use('/sub', sub);"],
    ['another server gets', 'http.createServer(app);\nexport default app;\n', "main.use('/sub', sub);"],
    ['is started elsewhere', 'export default app;\n', "main.use('/sub', sub);\nsub.listen(3001);"],
    ['is passed on', 'export default app;\n', "main.use('/sub', sub);\nstart(sub);"],
    [
      'a function starts',
      'function start(app) {\n  app.listen(3001);\n}\nstart(app);\nexport default app;\n',
      "main.use('/sub', sub);",
    ],
    [
      'a function of another file serves',
      "import start from './start.js';\nstart(app, 3001);\nexport default app;\n",
      "main.use('/sub', sub);",
    ],
    ['nothing mounts', 'export default app;\n', ''],
  ])('and into none where one %s', async (_what, exported, lines) => {
    const start = 'export default (app, port) => https.createServer({ key }, app).listen(port);\n';
    const files = {
      'sub.js': sub + exported,
      'app.js': `import sub from './sub.js';\n${main(lines)}`,
      'start.js': start,
    };
    await put({ 'package.json': manifest('express'), ...files });
    const { out, err } = await init();
    expect(out).toBe('');
    expect(err).toContain('app.js:2, sub.js:2 create several applications: put the guard by hand into each');
  });

  it('and names only those that need it where several do', async () => {
    const files = {
      'sub.js': `${sub}export default app;\n`,
      'app.js': `import sub from './sub.js';\n${main("main.use('/sub', sub);")}`,
      'partner.js': text,
    };
    await put({ 'package.json': manifest('express'), ...files });
    const { out, err } = await init();
    expect(out).toBe('');
    expect(err).toContain('app.js:2, partner.js:1 create several applications: put the guard by hand into each');
    expect(err).toContain('whose guard covers its routes, too: sub.js:2 (in app.js:4).\n');
  });

  it('and says where it belongs while only a mounted one has it', async () => {
    const guarded = "import { agentAuth } from '@countersign/express';\nimport { guard } from './guard.js';\n";
    const files = {
      'sub.js': `${guarded}${sub.replace('app.use(', 'app.use(agentAuth(guard));\napp.use(')}export default app;\n`,
      'app.js': `import sub from './sub.js';\n${main("main.use('/sub', sub);")}`,
    };
    await put({ 'package.json': manifest('express'), ...files });
    const { err } = await init();
    expect(err).toContain('app.js:2 create applications: each that agents may call needs the guard.');
    expect(err).toContain('whose guard covers its routes, too: sub.js:4 (in app.js:4).\n');
  });

  it('and says nothing more once the outer one has it', async () => {
    const guarded =
      "import { agentAuth } from '@countersign/express';\nimport { guard } from './guard.js';\nimport sub from './sub.js';\n";
    const outer = main("main.use('/sub', sub);").replace('main.use(', 'main.use(agentAuth(guard));\nmain.use(');
    await put({
      'package.json': manifest('express'),
      'sub.js': `${sub}export default app;\n`,
      'app.js': guarded + outer,
    });
    const { out, err } = await init();
    expect(out).toContain("permit('x.read'");
    expect(err).not.toMatch(/create applications|Mounted by/);
  });
});

it('init writes no permits into an application without the guard, beside one that has it', async () => {
  const guarded = "import { agentAuth } from '@countersign/express';\nimport { guard } from './guard.js';\n";
  const inner =
    "import { api } from './api.js';\nconst app = express();\napp.use(agentAuth(guard));\napp.use('/api', api);\n";
  await put({
    'package.json': manifest('express'),
    'src/app.js': `${imports.express}${guarded}${inner}app.get('/items/:id', (req, res) => { find(req.params.id); });\n`,
    'src/api.js': `${imports.express}export const api = express();\napi.get('/lines/:id', (req, res) => { find(req.params.id); });\n`,
    'src/partner.js': `${imports.express}const app = express();\napp.get('/parcels/:id', (req, res) => { find(req.params.id); });\n`,
  });
  const { out, err } = await init();
  expect(err).toContain('The routes of one without it do not stay closed.\n');
  expect(out.match(/permit\('[a-z.]+'/g)).toEqual(["permit('line.read'", "permit('item.read'"]);
  expect(err).toContain(
    'Put a permit by hand: GET /parcels/:id in src/partner.js:3 (that file creates an application without the guard)\n',
  );
});

describe('init writes the guard and its test in the language of the file that gets it', () => {
  const jest = { jest: '*', typescript: '*' };
  const manifestOf = (type: string): string =>
    JSON.stringify({ type, dependencies: { express: '*' }, devDependencies: jest });

  it.each([
    ['module', 'src/app.js', 'src/guard.js', 'test/agents.test.js', 'export const guard = create();'],
    ['commonjs', 'src/app.js', 'src/guard.js', 'test/agents.test.js', 'exports.guard = create();'],
    ['commonjs', 'src/app.mjs', 'src/guard.js', 'test/agents.test.js', 'exports.guard = create();'],
    ['commonjs', 'src/app.ts', 'src/guard.ts', 'test/agents.test.ts', 'export const guard: Promise<Guard>'],
    ['module', 'src/app.mts', 'src/guard.ts', 'test/agents.test.ts', 'export const guard: Promise<Guard>'],
  ])('in a %s: %s', async (type, file, guard, test, line) => {
    // Also JavaScript may be checked by TypeScript, and may have files in TypeScript beside it.
    const files = { 'tsconfig.json': '{ "compilerOptions": { "allowJs": true } }', 'src/types.ts': 'type A = 1;\n' };
    await put({ 'package.json': manifestOf(type), ...files, [file]: text });
    const { err } = await init();
    expect(err).toContain(`written ${guard}\n`);
    expect(err).toContain(`written ${test}\n`);
    expect(await read(guard)).toContain(line);
    expect((await read(test)).startsWith(`${type === 'module' || guard.endsWith('ts') ? 'import' : 'const'} {`)).toBe(
      true,
    );
  });

  it('in NestJS that of the root module', async () => {
    const main = 'const app = await NestFactory.create(AppModule);\n';
    const module = '@Module({ imports: [] })\nexport class AppModule {}\n';
    await put({ 'package.json': manifest('@nestjs/core'), 'src/main.js': main, 'src/app.module.js': module });
    expect((await init()).err).toContain('written src/guard.js\n');
  });

  it.each(['guard.js', 'guard.mjs', 'src/guard.cjs', 'src/lib/guard.js'])(
    'and writes none beside %s, which a person has made or moved',
    async (guard) => {
      const made = "const { createGuard } = require('@countersign/core');\nexports.guard = createGuard({});\n";
      await put({ 'package.json': manifestOf('commonjs'), 'src/app.ts': imports.express + text, [guard]: made });
      const { out, err } = await init();
      expect(err).toContain(`kept    ${guard}\n`);
      expect(err).not.toMatch(/written .*guard\./);
      const name = guard.startsWith('src/') ? `./${guard.slice('src/'.length)}` : `../${guard}`;
      expect(out).toContain(`+import { guard } from '${name.replace(/(?<=guard)\.js$/, '')}';\n`);
    },
  );

  it('and takes no guard of another kind for one', async () => {
    const other = 'export const guard = (req, res, next) => next();\n';
    await put({ 'package.json': manifestOf('module'), 'src/app.js': text, 'src/lib/guard.js': other });
    expect((await init()).err).toContain('written src/guard.js\n');
  });
});
