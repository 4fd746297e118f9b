// Runs the tests of packages/nestjs on the oldest and newest versions of NestJS that its peerDependencies name:
// pnpm test:nestjs [10.4.2] [11] … They are fetched anew, into node_modules/.cache.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Not younger than the packages of the workspace may be: its minimumReleaseAge. */
const releasedBefore = new Date(Date.now() - 3 * 24 * 3_600_000).toISOString();
const packages = ['common', 'core', 'platform-express', 'platform-fastify', 'testing'];

const { peerDependencies } = JSON.parse(readFileSync(join(root, 'packages/nestjs/package.json'), 'utf8'));
const ranges = peerDependencies['@nestjs/core'].split(' || ');
const asked = process.argv.slice(2);
const versions = asked.length > 0 ? asked : ranges.flatMap((range) => [range.slice(1), range]);
const rows = versions.map(run);
console.table(rows);
process.exitCode = rows.every(({ exitCode }) => exitCode === 0) ? 0 : 1;

/** @param {string} version */
function run(version) {
  const folder = fetchNest(version);
  const installed = JSON.parse(readFileSync(join(folder, 'node_modules/@nestjs/core/package.json'), 'utf8')).version;
  console.log(`== NestJS ${installed}`);
  // Nest 10 is built on Fastify 4, which the adapter does not support.
  const only = installed.startsWith('10.') ? ['-t', '^((?!fastify).)*$'] : [];
  const args = ['node_modules/vitest/vitest.mjs', 'run', '--reporter=dot', 'packages/nestjs', ...only];
  const env = { ...process.env, COUNTERSIGN_NESTJS: folder };
  const { status } = spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root, env });
  return { version: installed, exitCode: status };
}

/** @param {string} version */
function fetchNest(version) {
  const folder = join(root, 'node_modules/.cache', `nestjs-${version.replace('^', 'newest-')}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const [major] = version.replace('^', '').split('.');
  // Not every package of Nest has each version.
  const rangeOf = (name) => (['common', 'core'].includes(name) ? version : `^${major}.0.0`);
  const nest = Object.fromEntries(packages.map((name) => [`@nestjs/${name}`, rangeOf(name)]));
  const dependencies = { ...nest, ...graphqlFor(Number(major)), 'reflect-metadata': '^0.2.0', rxjs: '^7.8.0' };
  const manifest = { private: true, dependencies };
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  const args = [
    'install',
    `--before=${releasedBefore}`,
    '--legacy-peer-deps',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
  ];
  const { status } = spawnSync('npm', args, { stdio: 'inherit', cwd: folder });
  if (status !== 0) throw new Error(`NestJS ${version} could not be fetched`);
  return folder;
}

/**
 * GraphQL with its drivers, whose majors are two ahead of those of Nest.
 *
 * @param {number} major
 */
function graphqlFor(major) {
  const drivers = ['graphql', 'apollo', 'mercurius'].map((name) => [`@nestjs/${name}`, `^${major + 2}.0.0`]);
  const servers =
    major === 10
      ? { '@apollo/server': '^4.0.0', mercurius: '^14.0.0' }
      : { '@apollo/server': '^5.0.0', '@as-integrations/express5': '^1.0.0', mercurius: '^16.0.0' };
  return { ...Object.fromEntries(drivers), ...servers, '@apollo/subgraph': '^2.0.0', graphql: '^16.0.0' };
}
