import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { describe, expect, it } from 'vitest';
import { adapters } from './hosts/registry.js';

const packages = new URL('../packages/', import.meta.url);

/** Which of our packages each package may import: those listed before it in ARCHITECTURE.md, and no others. */
const below: Readonly<Record<string, readonly string[]>> = {
  signature: [],
  delegation: [],
  'audit-verifier': [],
  common: ['delegation'],
  approval: ['delegation', 'common'],
  policy: ['delegation', 'common', 'approval'],
  audit: ['audit-verifier', 'common'],
  core: ['signature', 'delegation', 'audit-verifier', 'common', 'approval', 'policy', 'audit'],
  ...Object.fromEntries(adapters.map(({ name }) => [name, ['core']])),
  nestjs: ['core', 'express', 'fastify'],
  mcp: ['common', 'core'],
  opentelemetry: ['core'],
  pdp: ['common', 'policy'],
  opa: ['common', 'policy', 'pdp'],
  authzen: ['common', 'policy', 'pdp'],
  stores: ['common', 'core'],
  redis: ['common', 'core', 'stores'],
  postgres: ['common', 'core', 'stores'],
  spiffe: ['common'],
  authority: ['signature', 'delegation', 'common', 'approval', 'core', 'spiffe'],
  agent: ['signature', 'delegation', 'common', 'approval', 'spiffe'],
  testing: ['signature', 'delegation', 'common', 'core', 'agent'],
  cli: [
    'signature',
    'delegation',
    'audit-verifier',
    'common',
    'approval',
    'core',
    'mcp',
    'authority',
    'agent',
    'redis',
    'postgres',
    'stores',
  ],
};

const names = readdirSync(packages).filter((name) => existsSync(new URL(`${name}/package.json`, packages)));

interface Manifest {
  readonly name: string;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

function manifestOf(name: string): Manifest {
  return JSON.parse(readFileSync(new URL(`${name}/package.json`, packages), 'utf8')) as Manifest;
}

function sourcesOf(name: string): { readonly file: string; readonly text: string }[] {
  const folder = new URL(`${name}/src/`, packages);
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ file, text: readFileSync(new URL(file, folder), 'utf8') }));
}

/** Every specifier that a file imports in any form: static, side effect, dynamic, `require` or type. */
function importsOf(text: string): string[] {
  const forms = /(?:\bfrom\s+|^\s*import\s*|\bimport\s*\(\s*|\brequire(?:\.resolve)?\s*\(\s*)['"]([^'"<>]+)['"]/gm;
  return [...withoutComments(text).matchAll(forms)].map(([, specifier]) => specifier ?? '');
}

function withoutComments(text: string): string {
  return text.replaceAll(/\/\*.*?\*\//gs, '').replaceAll(/^\s*\/\/.*$/gm, '');
}

function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
}

/** The packages of an adapter's framework: the framework itself and its plugins. */
function frameworkOf(adapter: string): string[] {
  const { dependencies, peerDependencies } = manifestOf(adapter);
  return Object.keys({ ...dependencies, ...peerDependencies }).filter((each) => !each.startsWith('@countersign/'));
}

const ours = (name: string) => `@countersign/${name}`;

it('every package has a row in the table of layers', () => {
  expect(Object.keys(below)).toEqual(expect.arrayContaining(names));
});

describe.each(names)('%s', (name) => {
  const manifest = manifestOf(name);
  const needed = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  const sources = sourcesOf(name);
  const imported = sources.flatMap(({ file, text }) => importsOf(text).map((specifier) => ({ file, specifier })));
  const foreign = imported.filter(({ specifier }) => !specifier.startsWith('.') && !isBuiltin(specifier));
  const allowed = (below[name] ?? []).map(ours);

  it('depends only on packages below it', () => {
    expect(manifest.name).toBe(ours(name));
    expect(allowed).toEqual(
      expect.arrayContaining(needed.filter((dependency) => dependency.startsWith('@countersign/'))),
    );
  });

  it('imports only packages below it', () => {
    const wrong = foreign.filter(
      ({ specifier }) => specifier.startsWith('@countersign/') && !allowed.includes(packageOf(specifier)),
    );
    expect(wrong).toEqual([]);
  });

  it('imports nothing that its package.json does not name, and by published names only', () => {
    expect(foreign.filter(({ specifier }) => !needed.includes(packageOf(specifier)))).toEqual([]);
    expect(foreign.filter(({ specifier }) => /^@countersign\/[^/]+\/(?!adapter$)/.test(specifier))).toEqual([]);
  });

  it('imports no framework but its own', () => {
    const strange = adapters.filter((adapter) => adapter.name !== name).flatMap((adapter) => frameworkOf(adapter.name));
    expect(foreign.filter(({ specifier }) => strange.includes(packageOf(specifier)))).toEqual([]);
    expect(needed.filter((dependency) => strange.includes(dependency))).toEqual([]);
  });

  it('reads no environment in its libraries', () => {
    // The test kit refuses to run in production.
    if (name === 'cli' || name === 'testing') return;
    // Passing the whole environment to a child process reads no variable.
    const reads = sources.filter(({ text }) =>
      withoutComments(text).replaceAll('{ ...process.env,', '').includes('process.env'),
    );
    expect(reads.map(({ file }) => file)).toEqual([]);
  });

  // An application may replace the global Promise: `isPromise` of common asks by the method.
  it('tells no promise by its class', () => {
    const told = sources.filter(({ text }) => text.includes('instanceof Promise'));
    expect(told.map(({ file }) => file)).toEqual([]);
  });

  it('keeps files short', () => {
    const long = sources.filter(({ text }) => text.split('\n').length > 251).map(({ file }) => file);
    expect(long).toEqual([]);
  });
});

/** The folders of core, in order: each imports only from itself and from those before it. The root is `compose.ts` and its guard. */
const foldersOfCore = [
  'model',
  'remote',
  'stages/address',
  'stages/traffic',
  'stages/token',
  'keys',
  'stages/possession',
  'stages/replay',
  'stages/body',
  'stages/chain',
  'stages/revocation',
  'stages/authorize',
  'stages/approve',
  'stages/filter',
  'stages',
  'record',
  'guard',
  'options',
  '.',
  'adapter',
];

describe('the folders of core', () => {
  const files = sourcesOf('core').map(({ file, text }) => ({ file, folder: posix.dirname(file), text }));

  it('have their place in the order', () => {
    expect([...new Set(files.map(({ folder }) => folder))].toSorted()).toEqual(foldersOfCore.toSorted());
  });

  it('import only from folders before them', () => {
    const upward = files.flatMap(({ file, folder, text }) =>
      importsOf(text)
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => posix.dirname(posix.join(folder, specifier)))
        .filter((target) => foldersOfCore.indexOf(target) > foldersOfCore.indexOf(folder))
        .map((target) => `${file} imports from ${target}`),
    );
    expect(upward).toEqual([]);
  });

  it('leave at most four files loose, in at most 140 files of at most 250 lines', () => {
    expect(files.filter(({ folder }) => folder === '.').length).toBeLessThanOrEqual(4);
    expect(files.length).toBeLessThanOrEqual(140);
    expect(files.filter(({ text }) => text.split('\n').length > 251).map(({ file }) => file)).toEqual([]);
  });
});

/** The folders of the authority, in order. The root composes them. */
const foldersOfAuthority = [
  'storage',
  'trail',
  'keys',
  'agents',
  'options',
  'delegation',
  'approvals',
  'tokens',
  'http',
  'pages',
  '.',
];

it('the folders of the authority import only from themselves and from those before them', () => {
  const files = sourcesOf('authority').map(({ file, text }) => ({ file, folder: posix.dirname(file), text }));
  expect(foldersOfAuthority).toEqual(expect.arrayContaining([...new Set(files.map(({ folder }) => folder))]));
  const upward = files.flatMap(({ file, folder, text }) =>
    importsOf(text)
      // The errors that callers see stand in the root.
      .filter((specifier) => specifier.startsWith('.') && !specifier.endsWith('/authority-error.js'))
      .map((specifier) => posix.dirname(posix.join(folder, specifier)))
      .filter((target) => foldersOfAuthority.indexOf(target) > foldersOfAuthority.indexOf(folder))
      .map((target) => `${file} imports from ${target}`),
  );
  expect(upward).toEqual([]);
});

describe('the lowest packages', () => {
  it.each(['signature', 'delegation', 'approval'])('%s does no I/O', (name) => {
    const modules = /^(?:node:)?(?:http2?|https|net|tls|dns|dgram|fs|child_process|worker_threads)(?:\/|$)/;
    const found = sourcesOf(name).flatMap(({ text }) => importsOf(text).filter((specifier) => modules.test(specifier)));
    expect(found).toEqual([]);
  });

  it.each(['signature', 'delegation', 'audit-verifier', 'common', 'approval', 'policy', 'audit', 'core'])(
    '%s takes the time from its caller',
    (name) => {
      const reading = sourcesOf(name).filter(({ text }) => /\bDate\.now\(\)|new Date\(\)/.test(withoutComments(text)));
      expect(reading.map(({ file }) => file)).toEqual([]);
    },
  );

  it('an agent installs no Cedar', () => {
    const needs = (name: string): string[] =>
      Object.keys(manifestOf(name).dependencies ?? {}).flatMap((dependency) =>
        dependency.startsWith('@countersign/') ? needs(dependency.slice('@countersign/'.length)) : [dependency],
      );
    expect(needs('agent').filter((dependency) => dependency.includes('cedar'))).toEqual([]);
  });
});

it('the parser of this test finds imports of every form', () => {
  const text = [
    "import a from 'a';",
    "import 'b';",
    "export { c } from 'c';",
    "const d = await import('d');",
    "type E = import('e').E;",
    "require('f');",
    "// import 'no';",
    "/* import 'no' */",
  ].join('\n');
  expect(importsOf(text)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
});
