import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/run.js';
import { makeApplication, publishedPackages, root } from '../support/workspace.js';
import { entryPoints, type Packed, packAll } from './packed.js';
import { makeTestProjects } from './test-projects.js';

const names = publishedPackages().map(({ name }) => name);

let place: string;
let packed: readonly Packed[];
let application: string;

beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'countersign-pack-'));
  packed = await packAll(place);
  application = join(place, 'application');
  await makeApplication(application, new Map(packed.map(({ name, folder }) => [name, folder])));
});
afterAll(() => rm(place, { recursive: true, force: true }));

function packageNamed(name: string): Packed {
  const found = packed.find((one) => one.name === name);
  if (found === undefined) throw new Error(`${name} was not packed`);
  return found;
}

const node = (...args: string[]) => run(process.execPath, args, { cwd: application, env: {}, deadlineSeconds: 60 });
const tool = (name: string, ...args: string[]) => run(join(root, 'test/node_modules/.bin', name), args, { cwd: place });

/** Imports everything. The line that must not compile proves that types were found, for `any` would let it pass. */
const consumer = (specifiers: readonly string[]): string =>
  specifiers
    .map((specifier, index) => [
      `import * as m${index} from '${specifier}';`,
      `export const object${index}: object = m${index};`,
      '// @ts-expect-error A module is not a string.',
      `export const string${index}: string = m${index};\n`,
    ])
    .flat()
    .join('\n');

describe.each(names)('%s as it would be published', (name) => {
  it('depends on published versions', async () => {
    const { folder, manifest } = packageNamed(name);
    expect(await readFile(join(folder, 'package.json'), 'utf8')).not.toMatch(/"(?:workspace|catalog|link|file):/);
    for (const [dependency, range] of Object.entries(manifest.dependencies ?? {})) {
      if (names.includes(dependency)) expect(range).toBe(`^${packageNamed(dependency).manifest.version}`);
    }
  });

  it('runs nothing when it is installed, and says what it needs', () => {
    const { manifest } = packageNamed(name);
    expect(Object.keys(manifest.scripts ?? {})).toEqual([]);
    expect(manifest).toMatchObject({ license: 'Apache-2.0', engines: { node: '>=20.19' } });
    expect(manifest.version).toBe(packed[0]?.manifest.version);
  });

  it('holds code, its source, a licence and a README, and nothing else', async () => {
    const { folder, files } = packageNamed(name);
    const code = files.includes('bundle/index.js') ? 'bundle/index.js' : 'dist/index.js';
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json', code]));
    const allowed =
      /^(?:LICENSE|README\.md|package\.json|src\/.+\.(?:ts|js|css)|dist\/.+\.(?:js|d\.ts)(?:\.map)?|bundle\/[\w-]+\.js(?:\.map)?|bin\/[\w-]+\.js)$/;
    expect(files.filter((file) => !allowed.test(file))).toEqual([]);
    expect(await readFile(join(folder, 'LICENSE'), 'utf8')).toBe(await readFile(join(root, 'LICENSE'), 'utf8'));
    expect(await readFile(join(folder, 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${name}\n`));
  });

  // A deleted source leaves its old output in dist, and a package that nobody builds has none.
  it('was built from the source beside it', () => {
    const { files } = packageNamed(name);
    const outputs = files
      .filter((file) => /^dist\/.*\.d\.ts$/.test(file))
      .map((file) => file.slice('dist/'.length, -'.d.ts'.length));
    const sources = files
      .filter((file) => /^src\/.*(?<!\.d)\.ts$/.test(file))
      .map((file) => file.slice('src/'.length, -3));
    expect(outputs.toSorted(), 'if dist is out of date: remove it and build again').toEqual(sources.toSorted());
  });

  it('has source maps that lead to files in it', async () => {
    const { folder, files } = packageNamed(name);
    const maps = files.filter((file) => file.endsWith('.map'));
    expect(maps).not.toEqual([]);
    for (const map of maps) {
      const { sources } = JSON.parse(await readFile(join(folder, map), 'utf8')) as { sources: string[] };
      const lost = sources.filter((source) => !existsSync(join(folder, dirname(map), source)));
      expect(lost, map).toEqual([]);
    }
  });

  it('satisfies publint', async () => {
    const { stdout, exitCode } = await tool('publint', '--strict', packageNamed(name).tarball);
    expect(stdout).toContain('All good!');
    expect(exitCode).toBe(0);
  });

  it.concurrent('has types where an importer looks for them', async () => {
    const { stdout, exitCode } = await tool(
      'attw',
      // The packages are ES modules only: `require` of them gives an ES module, which is no fault.
      '--ignore-rules',
      'cjs-resolves-to-esm',
      '--format',
      'ascii',
      packageNamed(name).tarball,
    );
    expect(exitCode, stdout).toBe(0);
    expect(stdout).toContain(name);
  });

  it('starts each of its commands', async () => {
    const { folder, manifest } = packageNamed(name);
    for (const [command, path] of Object.entries(manifest.bin ?? {})) {
      const { stdout, stderr, exitCode } = await node(join(folder, path), '--help');
      expect(stderr).toBe('');
      expect(stdout).toMatch(new RegExp(`^Usage: ${command} `));
      expect(exitCode).toBe(0);
    }
  });
});

describe('an application that installed all of them', () => {
  it.concurrent.each([
    ['an ES module', 'esm', 'module', { module: 'nodenext' }],
    ['CommonJS', 'cjs', 'commonjs', { module: 'nodenext' }],
    ['input of a bundler', 'bundler', 'module', { module: 'preserve', moduleResolution: 'bundler' }],
  ])('compiles as %s', async (_title, folder, type, options) => {
    const project = join(application, folder);
    await mkdir(project);
    const strict = { strict: true, skipLibCheck: false, noEmit: true, target: 'es2023', types: ['node'] };
    await writeFile(join(project, 'package.json'), JSON.stringify({ type }));
    await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...strict, ...options } }));
    await writeFile(join(project, 'consumer.ts'), consumer(packed.flatMap(entryPoints)));
    const { stdout, stderr, exitCode } = await node(join(root, 'node_modules/typescript/bin/tsc'), '-p', project);
    expect(stdout + stderr).toBe('');
    expect(exitCode).toBe(0);
  });

  // Declarations of other packages may be too new for it; those of ours are not.
  it.concurrent.each([
    ['older CommonJS', 'old-cjs', { module: 'commonjs', moduleResolution: 'node10', esModuleInterop: true }],
    ['input of a bundler', 'old-bundler', { module: 'esnext', moduleResolution: 'bundler' }],
  ])(
    'compiles as %s with the oldest TypeScript of the guide, its declarations checked',
    async (_title, folder, options) => {
      const guide = await readFile(join(root, 'docs/guides/commonjs-and-jest.md'), 'utf8');
      expect(guide.includes('TypeScript 5.2 is the oldest')).toBe(true);
      const project = join(application, folder);
      await mkdir(project);
      const strict = {
        strict: true,
        skipLibCheck: false,
        noEmit: true,
        target: 'es2022',
        lib: ['es2022'],
        types: ['node'],
      };
      await writeFile(join(project, 'package.json'), '{}');
      await writeFile(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: { ...strict, ...options } }));
      await writeFile(join(project, 'consumer.ts'), consumer(packed.flatMap(entryPoints)));
      const { stdout } = await node(join(root, 'test/node_modules/typescript52/bin/tsc'), '-p', project);
      expect(stdout.split('\n').filter((line) => /@countersign|^consumer/.test(line))).toEqual([]);
    },
  );

  it('loads each once, by import() and by require(), quietly, and ends', async () => {
    const specifiers = packed.flatMap(entryPoints);
    const script = `
      import { createRequire } from 'node:module';
      const require = createRequire(import.meta.url);
      const counts = {};
      for (const name of ${JSON.stringify(specifiers)}) {
        const imported = await import(name);
        const required = require(name);
        const same = Object.keys(imported).filter((key) => key !== 'default' && imported[key] === required[key]);
        counts[name] = same.length === Object.keys(imported).length ? same.length : 'two copies';
      }
      console.log(JSON.stringify(counts));`;
    await writeFile(join(application, 'load.mjs'), script);
    const { stdout, stderr, exitCode } = await node('load.mjs');
    expect(stderr).toBe('');
    const counts = JSON.parse(stdout) as Record<string, number | string>;
    expect(Object.keys(counts)).toEqual(specifiers);
    for (const [specifier, count] of Object.entries(counts)) expect(count, specifier).toBeGreaterThan(0);
    expect(exitCode).toBe(0);
  });

  it('can import nothing that a package keeps to itself', async () => {
    for (const { name } of packed) {
      const { stderr } = await node('--input-type=module', '--eval', `await import('${name}/dist/index.js')`);
      expect(stderr).toContain('ERR_PACKAGE_PATH_NOT_EXPORTED');
    }
  });
});

// scripts/test-nodes.mjs runs these on every line of Node, by this name.
describe('a project of a user', () => {
  beforeAll(() => makeTestProjects(application));

  it('in CommonJS serves a signed request, refuses others, and ends', async () => {
    const { stdout, stderr, exitCode } = await node('commonjs/main.js');
    expect(stdout, stderr).toBe('201 agent-courier\n401 signature_required\n');
    expect(exitCode).toBe(0);
  });

  const fiveOfJest = 'Tests:       5 passed, 5 total';
  it.each([
    ['Jest 30', 'jest', ['../node_modules/jest/bin/jest.js', '--runInBand', '--watchman=false'], fiveOfJest],
    ['Jest 29', 'jest', ['../node_modules/jest29/bin/jest.js', '--runInBand', '--watchman=false'], fiveOfJest],
    ['vitest', 'vitest', ['../node_modules/vitest/vitest.mjs', 'run'], /Tests {2}\d\d passed/],
    ['node:test', 'node', ['--test'], 'pass 1'],
  ] as const)('tests its API with the kit in %s', async (_runner, folder, args, verdict) => {
    const { PATH } = process.env;
    const options = { cwd: join(application, folder), env: { PATH, NO_COLOR: '1' }, deadlineSeconds: 110 };
    const { stdout, stderr, exitCode } = await run(process.execPath, args, options);
    expect(stdout + stderr).toMatch(verdict);
    expect(exitCode).toBe(0);
  });
});

it('the command line asks for the authority, with its database, only when it has to run one', async () => {
  const alone = join(place, 'alone/node_modules');
  await cp(join(packageNamed('@countersign/cli').folder, '../..'), alone, { recursive: true, verbatimSymlinks: true });
  await rm(join(alone, '@countersign/authority'));
  const binary = join(alone, '@countersign/cli/bin/countersign.js');
  for (const command of [['dev'], ['authority', '--config', 'authority.json']]) {
    const { exitCode, stdout, stderr } = await node(binary, ...command);
    expect([exitCode, stdout, stderr]).toEqual([
      1,
      '',
      expect.stringContaining('npm install @countersign/cli @countersign/authority'),
    ]);
  }
  const agents = ['agents', 'list', '--authority', 'http://127.0.0.1:9', '--token-file', 'load.mjs'];
  expect((await node(binary, ...agents)).stderr).not.toContain('npm install');
});
