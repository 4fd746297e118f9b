import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// Tests read src; COUNTERSIGN_DIST=1 runs the same tests on what is published.
const conditions = process.env['COUNTERSIGN_DIST'] === '1' ? ['node'] : ['@countersign/source', 'node'];

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    pool: 'forks',
    isolate: false,
    maxWorkers: availableParallelism(),
    unstubEnvs: true,
    restoreMocks: true,
    testTimeout: 20_000,
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
