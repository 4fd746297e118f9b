import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { publishedPackages, root } from './support/workspace.js';

const repository = 'https://github.com/countersign/countersign';

describe.each(publishedPackages())('the manifest of $name', ({ folder, manifest }) => {
  it('says where the package comes from, and where to report bugs', () => {
    expect(manifest).toMatchObject({
      license: 'Apache-2.0',
      homepage: `${repository}#readme`,
      bugs: { url: `${repository}/issues` },
      repository: { type: 'git', url: `git+${repository}.git`, directory: `packages/${basename(folder)}` },
      type: 'module',
      // Importing the matchers of the test kit adds them.
      sideEffects: manifest.name === '@countersign/testing' ? ['./dist/jest.js', './dist/vitest.js'] : false,
    });
  });

  it('publishes its modules, or bundles of all its entry points', () => {
    if (manifest.publishConfig === undefined) {
      expect(manifest).toMatchObject({ files: ['dist', 'src', '!dist/.tsbuildinfo'] });
      return;
    }
    expect(manifest).toMatchObject({
      files: ['bundle', 'dist/**/*.d.ts', 'dist/**/*.d.ts.map', 'src'],
      scripts: { prepack: 'node ../../scripts/bundle.mjs' },
    });
    expect(Object.keys(manifest.publishConfig.exports)).toEqual(Object.keys(manifest.exports));
  });

  it('has a description, and keywords without duplicates', () => {
    const { description, keywords } = manifest as unknown as { description: string; keywords: readonly string[] };
    expect(description.length).toBeGreaterThan(20);
    expect(keywords).toEqual(expect.arrayContaining(['countersign', 'ai-agents']));
    expect(new Set(keywords).size).toBe(keywords.length);
  });

  it('has the version of all others, which changesets keep equal', () => {
    expect(manifest.version).toBe(publishedPackages()[0]?.manifest.version);
    const { fixed } = JSON.parse(readFileSync(join(root, '.changeset/config.json'), 'utf8')) as { fixed: string[][] };
    expect(fixed).toEqual([['@countersign/*']]);
  });
});
