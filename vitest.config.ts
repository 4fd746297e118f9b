import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';
import { frameworks } from './test/hosts/registry.js';

// Tests read src; COUNTERSIGN_DIST=1 runs those that import packages by name on what is published (`pnpm test:dist`).
// Tests of one package import its files, and programs that tests start are built: for them nothing would differ.
const conditions = process.env['COUNTERSIGN_DIST'] === '1' ? ['node'] : ['@countersign/source', 'node'];

// COUNTERSIGN_FRAMEWORKS names a folder with other versions of the frameworks: see scripts/test-frameworks.mjs.
const otherVersions = process.env['COUNTERSIGN_FRAMEWORKS'];
const aliases = frameworks.map(({ alias }) => ({
  find: new RegExp(`^${alias}$`),
  replacement: join(otherVersions ?? '', 'node_modules', alias),
}));

// COUNTERSIGN_NESTJS names a folder with another version of NestJS: see scripts/test-nestjs.mjs.
const otherNest = process.env['COUNTERSIGN_NESTJS'];
const aliasesOfNest = ['@nestjs/$1', 'reflect-metadata'].map((name) => ({
  find: new RegExp(`^${name.replace('$1', '([a-z-]+)')}$`),
  replacement: join(otherNest ?? '', 'node_modules', name),
}));

// COUNTERSIGN_UNCACHED=1 runs the same tests without caches (`pnpm test:uncached`).
const setup = [
  'first-second.ts',
  'clean-up.ts',
  ...(process.env['COUNTERSIGN_UNCACHED'] === '1' ? ['uncached.ts'] : []),
];

export default defineConfig({
  ssr: { resolve: { conditions } },
  resolve: {
    alias: [...(otherVersions === undefined ? [] : aliases), ...(otherNest === undefined ? [] : aliasesOfNest)],
  },
  test: {
    pool: 'forks',
    isolate: false,
    maxWorkers: availableParallelism(),
    setupFiles: setup.map((name) => join(import.meta.dirname, 'test/support', name)),
    unstubEnvs: true,
    restoreMocks: true,
    // For what hangs, not for what is slow on a busy machine.
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // In CI a busy machine must not refuse a change; the verdict names each test that passed only the second time.
    retry: process.env['CI'] === 'true' ? 1 : 0,
    reporters: ['default', './scripts/matrix-reporter.ts', './scripts/verdict-reporter.ts'],
    projects: [
      { extends: true, test: { name: 'unit', include: ['packages/*/test/**/*.test.ts'] } },
      {
        extends: true,
        test: {
          name: 'scenarios',
          include: ['test/**/*.test.ts'],
          exclude: ['**/node_modules/**', 'test/packaging/**'],
        },
      },
      {
        extends: true,
        test: {
          name: 'packaging',
          include: ['test/packaging/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
