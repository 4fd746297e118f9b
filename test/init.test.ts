import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { freePort } from './support/free-port.js';
import { patiently } from './support/patiently.js';
import { run, type Ran } from './support/run.js';
import { link, makeApplication, publishedPackages, root } from './support/workspace.js';

interface Sample {
  readonly manifest: object;
  readonly files: Readonly<Record<string, string>>;
  /** What starts it, once the diff is applied and it is compiled. */
  readonly main: string;
  readonly guard: string;
  /** The first test, and the program that runs it. NestJS gets none. */
  readonly test?: string;
  readonly runner?: readonly string[];
}

const runners = {
  jest: ['node_modules/jest/bin/jest.js', '--runInBand', '--watchman=false'],
  vitest: ['node_modules/vitest/vitest.mjs', 'run'],
  node: ['--test'],
};

const compilerOptions = { module: 'nodenext', target: 'es2023', strict: true, noUncheckedIndexedAccess: true };
const tsconfigWith = (more: object): string =>
  JSON.stringify({
    compilerOptions: {
      ...compilerOptions,
      ...more,
      noPropertyAccessFromIndexSignature: true,
      rootDir: 'src',
      outDir: 'dist',
      types: ['node'],
    },
    include: ['src'],
  });
const tsconfig = tsconfigWith({});

/** The configuration that the guide gives. */
function jestRecipe(): string {
  const guide = readFileSync(join(root, 'docs/guides/commonjs-and-jest.md'), 'utf8');
  return /```js\n(const swc = .*?)```/s.exec(guide)?.[1] ?? '';
}

const samples: Readonly<Record<string, Sample>> = {
  'Express in CommonJS': {
    manifest: { dependencies: { express: '^5' }, devDependencies: { jest: '^30' } },
    main: 'app.js',
    guard: 'guard.js',
    test: 'test/agents.test.js',
    runner: runners.jest,
    files: {
      'jest.config.js': jestRecipe(),
      'app.js': `'use strict';
const express = require('express');
const { notes } = require('./routes/notes');

const app = express();
app.use(express.json());
app.get('/orders/:id', (req, res) => {
  res.json({ id: req.params.id });
});
app.use('/notes', notes);
app.listen(process.env.PORT);
`,
      'routes/notes.js': `const { Router } = require('express');
const notes = Router();
notes.post('/', (req, res) => res.status(201).json(req.body));
exports.notes = notes;
`,
    },
  },
  'Express in TypeScript': {
    manifest: { type: 'module', dependencies: { express: '^5' }, devDependencies: { typescript: '^5', vitest: '^4' } },
    main: 'dist/main.js',
    guard: 'src/guard.ts',
    test: 'test/agents.test.ts',
    runner: runners.vitest,
    files: {
      'tsconfig.json': tsconfig,
      'src/main.ts': `import { createApp } from './app.js';

createApp().listen(process.env['PORT']);
`,
      'src/app.ts': `import express, { type Express } from 'express';
import { router } from './notes.js';

export function createApp(): Express {
  const app = express();
  app.use(express.json());
  app.get('/orders/:id', (req, res) => {
    res.json({ id: req.params.id });
  });
  app.get('/orders/:order/lines/:line', ({ params }, res) => void res.json({ of: params.order, id: params.line }));
  app.use('/notes', router);
  return app;
}`,
      'src/notes.ts': `import { Router } from 'express';

export const router: Router = Router();
// router.get('/commented', () => {});
router.post('/', (req, res) => void res.status(201).json(req.body));
`,
    },
  },
  'Fastify in TypeScript': {
    manifest: { type: 'module', dependencies: { fastify: '^5' } },
    main: 'dist/main.js',
    guard: 'src/guard.ts',
    test: 'test/agents.test.js',
    runner: runners.node,
    files: {
      'tsconfig.json': tsconfig,
      'src/main.ts': `import { fastify } from 'fastify';

const app = fastify({
  logger: false, // (one day)
});
app.get<{ Params: { id: string } }>('/orders/:id', async (request) => ({ id: request.params.id }));
app.post('/notes', { bodyLimit: 1000 }, async (request, reply) => {
  reply.code(201);
  return request.body;
});
await app.listen({ port: Number(process.env['PORT']) });
`,
    },
  },
  'Koa in CommonJS': {
    manifest: { dependencies: { koa: '^3', '@koa/router': '^15', '@koa/bodyparser': '^6' } },
    main: 'app.js',
    guard: 'guard.js',
    test: 'test/agents.test.mjs',
    runner: runners.node,
    files: {
      'app.js': `const Koa = require('koa');
const { bodyParser } = require('@koa/bodyparser');
const { Router } = require('@koa/router');
const app = new Koa();
const router = new Router();
router.get('/orders/:id', (ctx) => {
  ctx.body = { id: ctx.params.id };
});
router.post(
  '/notes',
  (ctx) => {
    ctx.status = 201;
    ctx.body = ctx.request.body;
  },
);
app.use(bodyParser()).use(router.routes());
app.listen(process.env.PORT);
`,
    },
  },
  'NestJS in TypeScript': {
    manifest: { type: 'module', dependencies: { '@nestjs/core': '^12', '@nestjs/platform-express': '^12' } },
    main: 'dist/main.js',
    guard: 'src/guard.ts',
    files: {
      'tsconfig.json': tsconfigWith({ experimentalDecorators: true, emitDecoratorMetadata: true }),
      'src/main.ts': `import { NestFactory } from '@nestjs/core';
import { AppModule } from './app.module.js';

const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(process.env['PORT'] ?? 3000);
`,
      'src/app.module.ts': `import { Module } from '@nestjs/common';
import { NotesController, OrdersController } from './orders.controller.js';

@Module({
  controllers: [OrdersController, NotesController],
})
export class AppModule {}
`,
      'src/orders.controller.ts': `import { Body, Controller, Get, HttpCode, Param, Post } from '@nestjs/common';

@Controller('orders')
export class OrdersController {
  // @Get('commented')
  @Get(':id')
  read(@Param('id') id: string): object {
    return { id };
  }
}

@Controller({ path: '/notes' })
export class NotesController {
  @Post()
  @HttpCode(201)
  add(@Body() note: object): object {
    return note;
  }
}
`,
    },
  },
};

const made: string[] = [];
afterEach(async () => {
  for (const folder of made.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function place(sample: Sample): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-init-'));
  made.push(folder);
  const ours = publishedPackages().map(({ name, folder: path }) => [name, path] as const);
  await makeApplication(folder, new Map(ours));
  const names = ['express', 'fastify', 'koa', '@koa/router', '@koa/bodyparser', '@types/express', '@types/koa'];
  const ofNest = ['@nestjs/common', '@nestjs/core', '@nestjs/platform-express'];
  for (const name of [...names, ...ofNest, 'jest', '@swc/core', '@swc/jest']) {
    await link(join(root, 'test/node_modules', name), join(folder, 'node_modules'), name);
  }
  await link(join(root, 'node_modules/vitest'), join(folder, 'node_modules'), 'vitest');
  const files = { 'package.json': JSON.stringify(sample.manifest), ...sample.files };
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true });
    await writeFile(join(folder, path), text);
  }
  return folder;
}

const cli = join(root, 'packages/cli/bin/countersign.js');
const countersign = (folder: string, ...args: string[]): Promise<Ran> =>
  run(process.execPath, [cli, ...args], { cwd: folder });

const call = (folder: string, ...args: string[]): Promise<Ran> =>
  countersign(folder, 'curl', ...args, '--key', 'agent.pem');

async function sourcesOf(folder: string, { files }: Sample): Promise<Record<string, string>> {
  const texts = Object.keys(files).map(async (path) => [path, await readFile(join(folder, path), 'utf8')] as const);
  return Object.fromEntries(await Promise.all(texts));
}

describe.each(Object.entries(samples))('init of %s', (_name, sample) => {
  it('guards the application with its files and its diff, and takes all of it back', async () => {
    const folder = await place(sample);
    const origin = `http://localhost:${await freePort()}`;
    const first = await countersign(folder, 'init', '--origin', origin);
    expect(first).toMatchObject({ exitCode: 0 });
    expect(await readFile(join(folder, '.countersign/init.diff'), 'utf8')).toBe(first.stdout);
    expect((await stat(join(folder, 'agent.pem'))).mode & 0o777).toBe(0o600);
    const ignored = '/agent.pem\n/issuer.pem\n/token.jwt\n/dev.json\n/audit/\n/.countersign/\n';
    expect(await readFile(join(folder, '.gitignore'), 'utf8')).toBe(ignored);
    expect(first.stdout).not.toContain('note.create');

    await apply(folder, '.countersign/init.diff');
    const list = join(folder, 'agent-routes.txt');
    await writeFile(list, (await readFile(list, 'utf8')).replace('# POST /notes', 'POST /notes'));
    const second = await countersign(folder, 'init', '--origin', origin);
    expect(second).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('note.create') });
    await apply(folder, '.countersign/init-2.diff');
    if (sample.files['tsconfig.json'] !== undefined) {
      const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.', '--pretty', 'false'];
      expect(await run(process.execPath, tsc, { cwd: folder })).toMatchObject({ stdout: '', exitCode: 0 });
    }
    expect(await countersign(folder, 'policy', 'test', 'policies')).toMatchObject({ exitCode: 0 });
    if (sample.test !== undefined) await passesItsFirstTest(folder, sample, first.stderr);
    await withServer(folder, sample.main, origin, async () => {
      expect(await call(folder, 'GET', `${origin}/orders/7`)).toMatchObject({ stdout: '{"id":"7"}', exitCode: 0 });
      const note = await call(folder, 'POST', `${origin}/notes`, '--json', '{"text":"well"}');
      expect(note).toMatchObject({ stdout: '{"text":"well"}', exitCode: 0 });
      expect((await fetch(`${origin}/orders/7`)).status).toBe(401);
    });

    const third = await countersign(folder, 'init', '--origin', 'http://localhost:1');
    expect(third).toMatchObject({ stdout: '', exitCode: 0 });
    expect(third.stderr).not.toContain('written');
    expect(await countersign(folder, 'init', '--undo')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('still uses the guard'),
    });
    for (const diff of ['init-2', 'init']) await apply(folder, '-R', `.countersign/${diff}.diff`);
    expect(await countersign(folder, 'init', '--undo')).toMatchObject({
      exitCode: 0,
      stderr: expect.stringContaining('kept agent-routes.txt: it was changed since'),
    });
    expect(await sourcesOf(folder, sample)).toEqual(sample.files);
    const left = (await readdir(folder)).filter(
      (name) => !['node_modules', 'dist', 'audit', 'agent-routes.txt'].includes(name),
    );
    const roots = Object.keys(sample.files).map((path) => path.split('/')[0]);
    expect(new Set(left)).toEqual(new Set(['package.json', ...roots]));
    // It runs a compiler and a test runner of each application.
  }, 120_000);
});

async function apply(folder: string, ...args: string[]): Promise<void> {
  expect(await run('git', ['apply', ...args], { cwd: folder })).toMatchObject({ exitCode: 0 });
}

/** Under its types, with the runner that package.json names; and not if somebody opens its policy. */
async function passesItsFirstTest(folder: string, { test = '', runner = [] }: Sample, told: string): Promise<void> {
  expect(told).toContain(`${test}\n`);
  if (test.endsWith('.ts')) {
    const compilerOptions = { rootDir: '..', noEmit: true };
    const tests = JSON.stringify({ extends: '../tsconfig.json', compilerOptions, include: ['../test'] });
    await writeFile(join(folder, 'dist/tsconfig.json'), tests);
    const tsc = [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'dist', '--pretty', 'false'];
    expect(await run(process.execPath, tsc, { cwd: folder })).toMatchObject({ stdout: '', exitCode: 0 });
  }
  const { PATH } = process.env;
  const runTest = () => run(process.execPath, [...runner, test], { cwd: folder, env: { PATH, NO_COLOR: '1' } });
  const passed = await runTest();
  expect(passed.exitCode, passed.stdout + passed.stderr).toBe(0);
  if (runner !== runners.node) return;
  const policies = join(folder, 'policies/policies.cedar');
  const text = await readFile(policies, 'utf8');
  await writeFile(policies, `${text}permit (principal, action, resource);\n`);
  const opened = await runTest();
  expect([opened.exitCode, opened.stdout + opened.stderr]).toEqual([1, expect.stringContaining('policy_denied')]);
  await writeFile(policies, text);
}

async function withServer(folder: string, main: string, origin: string, use: () => Promise<void>): Promise<void> {
  const env = { PATH: process.env['PATH'], PORT: new URL(origin).port };
  const child = spawn(process.execPath, [main], { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => void (output += String(chunk)));
  const ended = once(child, 'exit');
  try {
    await vi.waitFor(async () => {
      if (child.exitCode !== null) throw new Error(`it ended: ${output}`);
      await fetch(origin);
    }, patiently);
    await use();
  } finally {
    child.kill('SIGKILL');
    await ended;
  }
}
