import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { applications } from './fuzz/applications.js';
import { hosts } from './hosts/hosts.js';
import { adapters, frameworks } from './hosts/registry.js';
import { publishedPackages, readManifest, root } from './support/workspace.js';

const hostNames = adapters.flatMap(({ name, majors }) =>
  majors.length === 0 ? [name] : majors.map((major) => `${name}${major}`),
);

it('the registry of adapters has a host for each major version of each framework', () => {
  expect(hosts.map(({ name }) => name)).toEqual(hostNames);
});

it('the fuzz has an application for each host', () => {
  expect(Object.keys(applications)).toEqual(hostNames);
});

it('every package with a framework as its peer is in the registry', () => {
  const withPeer = publishedPackages().filter(({ manifest }) =>
    Object.keys(manifest.peerDependencies ?? {}).some((peer) => frameworks.some(({ name }) => name === peer)),
  );
  expect(adapters.map(({ name }) => name)).toEqual(
    expect.arrayContaining(withPeer.map(({ folder }) => basename(folder))),
  );
});

describe.each(adapters)('the adapter $name', ({ name, framework, majors }) => {
  const manifest = readManifest(join(root, 'packages', name));
  const range = framework === undefined ? '' : manifest.peerDependencies?.[framework];
  const floors = range?.match(/(?<=\^)\d+\.\d+\.\d+/g) ?? [];

  it('supports the major versions that its peerDependencies name', () => {
    expect(floors.map((floor) => Number.parseInt(floor, 10))).toEqual(majors);
  });

  it('is at most 200 lines, without comments and blank lines', () => {
    const folder = join(root, 'packages', name, 'src');
    const texts = readdirSync(folder).map((file) => readFileSync(join(folder, file), 'utf8'));
    const lines = texts.flatMap((text) => text.split('\n'));
    expect(lines.filter((line) => !/^\s*(?:\/\/|\/?\*|$)/.test(line)).length).toBeLessThanOrEqual(200);
  });

  it('is imported by the tests under the name of each major version', () => {
    const { devDependencies = {} } = readManifest(join(root, 'test'));
    const aliases = frameworks.filter(({ adapter }) => adapter === name).map(({ alias }) => alias);
    expect(Object.keys(devDependencies)).toEqual(expect.arrayContaining([manifest.name, ...aliases]));
  });

  it('is named with its framework in the README, and with its oldest version in docs/guides/install.md', () => {
    const readme = readFileSync(join(root, 'README.md'), 'utf8');
    const row = readme.split('\n').find((line) => line.startsWith(`| [\`${manifest.name}\`](packages/${name}) |`));
    for (const major of majors) expect(row).toMatch(new RegExp(String.raw`\b${major}\b`));
    const install = readFileSync(join(root, 'docs/guides/install.md'), 'utf8');
    for (const floor of floors) expect(install, 'the oldest versions that are tested').toContain(floor);
  });
});

it('the lint rules keep each framework out of the packages below the adapters', () => {
  const { overrides } = JSON.parse(readFileSync(join(root, '.oxlintrc.json'), 'utf8')) as { overrides: object[] };
  for (const name of ['{signature,delegation}', 'core', 'agent']) {
    const rules = JSON.stringify(overrides.find((each) => JSON.stringify(each).includes(`packages/${name}/src/**`)));
    expect(frameworks.filter((each) => !rules.includes(`"${each.name}"`)).map((each) => each.name)).toEqual([]);
  }
});

describe('the references of', () => {
  const every = publishedPackages().map(({ folder }) => basename(folder));
  it.each([
    ['tsconfig.json', 'packages/', every],
    ['test/tsconfig.json', '../packages/', every],
    ['test/hosts/tsconfig.json', '../../packages/', ['core', ...adapters.map(({ name }) => name)]],
    ['test/fuzz/tsconfig.json', '../../packages/', ['core', ...adapters.map(({ name }) => name)]],
  ])('%s are complete', (file, prefix, packages) => {
    const { references } = JSON.parse(readFileSync(join(root, file), 'utf8')) as { references: { path: string }[] };
    expect(references.map(({ path }) => path)).toEqual(
      expect.arrayContaining(packages.map((name) => `${prefix}${name}`)),
    );
  });
});
