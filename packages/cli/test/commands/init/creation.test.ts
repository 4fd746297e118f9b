import { describe, expect, it } from 'vitest';
import { inFolder, manifest } from './in-folder.js';

const { put, init } = inFolder();

const imports = {
  express: "import express from 'express';\n",
  fastify: "import Fastify from 'fastify';\n",
  koa: "import Koa from 'koa';\n",
};
const route = "app.get('/items/:id', (req, res) => { find(req.params.id); });\n";

/** The lines of the application after the diff. */
const after = (diff: string): string =>
  diff
    .split('\n')
    .flatMap((line) => (/^[+ ]/.test(line) ? [line.slice(1)] : []))
    .join('\n');

describe('init prints no diff and says where the guard goes by hand', () => {
  it.each<[string, keyof typeof imports, string]>([
    [
      'of a default of a parameter',
      'fastify',
      `export function build(app = Fastify()) {\n  ${route}  return app;\n}\n`,
    ],
    ['of a typed default', 'fastify', `export function build(app = Fastify().withTypeProvider<X>()) {\n  ${route}}\n`],
    ['of a default on Express', 'express', `export function build(app = express(), port = 3) {\n  ${route}}\n`],
    ['of a default on Koa', 'koa', `export function build(app = new Koa()) {\n  ${route}}\n`],
    [
      'of a field of a class',
      'express',
      `class App {\n  public app = express();\n  constructor() {\n    this.${route}  }\n}\n`,
    ],
    [
      'of a chain with a parser',
      'express',
      `const app = express().use(express.json()).disable('x-powered-by');\n${route}`,
    ],
    ['of a chain on the next line', 'express', `const app = express()\n  .use(express.json());\n${route}`],
    ['of a chain with routes', 'koa', 'export default new Koa().use(router.routes()).listen(3000);\n'],
    ['of a line that goes on', 'express', `const app = express(); app.use(express.json());\n${route}`],
    ['of a function on one line', 'express', 'function build() { const app = express(); return app; }\n'],
    ['of a condition', 'express', `let app;\nif (!app) app = express();\n${route}`],
    ['of a result', 'fastify', `export const build = (options) => {\n  return Fastify(options);\n};\n`],
    ['of an argument', 'express', `http.createServer(express());\n`],
  ])('%s', async (_shape, framework, text) => {
    await put({ 'package.json': manifest(framework), 'tsconfig.json': '{}', 'src/app.ts': imports[framework] + text });
    const { out, err } = await init();
    expect(out).toBe('');
    expect(err).toMatch(/src\/app\.ts:[2-4] creates the application where init places no guard/);
    const use = framework === 'fastify' ? 'app.register(agentAuth, { guard });' : 'app.use(agentAuth(guard));';
    expect(err).toContain(`    import { guard } from './guard';\n    ${use}`);
    expect(err).toContain('put the guard where this says above, and run init again');
    expect(err).not.toContain('git apply .countersign');
  });

  it('of several applications, with the line of each, and no permit that would refuse people', async () => {
    const text = `${imports.express}const app = express();\nconst admin = express();\n${route}`;
    await put({ 'package.json': manifest('express'), 'app.js': text });
    const { out, err } = await init();
    expect(out).toBe('');
    expect(err).toContain('app.js:2, app.js:3 create several applications: put the guard by hand into each');
  });

  it('of a file whose names would clash', async () => {
    const text = `${imports.express}const guard = check();\nconst app = express();\n${route}`;
    await put({ 'package.json': manifest('express'), 'app.js': text });
    const { out, err } = await init();
    expect(out).toBe('');
    expect(err).toContain('app.js:3 creates the application where init places no guard');
  });
});

it('init prints the permits once a person has put the guard there', async () => {
  const guarded = `import { agentAuth } from '@countersign/express';\nimport { guard } from './guard.js';\n`;
  const text = `${imports.express}${guarded}export function build(app = express()) {\n  app.use(agentAuth(guard));\n  ${route}}\n`;
  await put({ 'package.json': manifest('express'), 'app.js': text });
  const { out, err } = await init();
  expect(out).toContain("app.get('/items/:id', permit('item.read'");
  expect(err).not.toContain('by hand');
});

it.each([
  '// later: app.use(agentAuth(guard))',
  "// import { agentAuth } from '@countersign/express';",
  "console.log('app.use(agentAuth(guard))');",
  "import { agentAuth } from '@countersign/express';",
])('init guards an application that only names the guard: %s', async (line) => {
  const app = `${line}\n${imports.express}const app = express();\napp.get('/items', list);\n`;
  await put({ 'package.json': manifest('express'), 'app.ts': app });
  const { out } = await init();
  expect(out).toMatch(/^[+ ]import \{.*agentAuth.*\} from '@countersign\/express';$/m);
  expect(out).toContain('+app.use(agentAuth(guard)); // before any body parser\n');
  expect(out).toContain("permit('item.read'");
});

it('init --undo goes on where only a comment names the guard', async () => {
  const app = `${imports.express}// app.use(agentAuth(guard))\nconst app = express();\n`;
  await put({ 'package.json': manifest('express'), 'app.ts': app });
  await init();
  expect((await init('--undo')).err).toContain('removed guard.ts\n');
});

it('init leaves a permit to a person in a file that would not parse with it', async () => {
  const files = {
    'app.js': `${imports.express}const app = express();\napp.use(require('./items'));\n`,
    'items.js': `const permit = 1;\nconst router = Router();\nrouter.get('/items/:id', show);\n`,
  };
  await put({ 'package.json': manifest('express'), ...files });
  const { out, err } = await init();
  expect(out).toContain('app.use(agentAuth(guard));');
  expect(out).not.toContain('permit(');
  expect(err).toContain('Put a permit by hand: GET /items/:id in items.js:3');
});

describe('init puts the guard directly behind the application', () => {
  it.each<[string, keyof typeof imports, string, string]>([
    ['that is required and called', 'fastify', `const app = require('fastify')({ logger: true });\n`, 'app'],
    ['with a type provider', 'fastify', 'const app = Fastify()\n  .withTypeProvider<X>();\n', 'app'],
    ['that is exported, too', 'express', 'const app = module.exports = express();\n', 'app'],
    [
      'of a class, before what its methods may add',
      'express',
      'class A {\n  constructor() {\n    this.app = express();\n    this.parsers();\n    this.app.use(cors());\n  }\n}\n',
      'this.app',
    ],
    [
      'before a function that may know it',
      'express',
      'const app = express();\naddParsers();\napp.use(cors());\n',
      'app',
    ],
    [
      'before a parser on the line of CORS',
      'express',
      'const app = express();\napp.use(cors()); app.use(express.json());\n',
      'app',
    ],
  ])('%s', async (_shape, framework, text, name) => {
    await put({ 'package.json': manifest(framework), 'app.ts': text });
    const { out } = await init();
    const lines = after(out)
      .split('\n')
      .map((line) => line.trim());
    const at = lines.findIndex((line) =>
      line.includes(`${name}.${framework === 'fastify' ? 'register' : 'use'}(agentAuth`),
    );
    expect(lines[at - 1]).toMatch(/(?:express\(\)|\}\)|withTypeProvider<X>\(\));$/);
  });
});

it.each([
  ['module', 'app.ts', 'await app.register'],
  ['commonjs', 'app.mts', 'await app.register'],
  ['commonjs', 'app.ts', 'app.register'],
])('init awaits at the top of a file only in ES modules: %s, %s', async (type, file, line) => {
  const files = { 'tsconfig.json': '{}', [file]: `${imports.fastify}const app = Fastify();\n` };
  await put({ 'package.json': JSON.stringify({ type, dependencies: { fastify: '^5' } }), ...files });
  expect((await init()).out).toContain(`\n+${line}(agentAuth, { guard });\n`);
});
