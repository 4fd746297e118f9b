// Runs the tests of the adapters and every scenario on the oldest and on the newest frameworks that are supported:
// pnpm test:frameworks [oldest] [newest] [-- vitest arguments]
// The adapters' peerDependencies say what is supported. The frameworks are fetched anew, into node_modules/.cache.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { adapters, frameworks as supported } from '../test/hosts/dist/registry.js';

const root = fileURLToPath(new URL('..', import.meta.url));
/** Not younger than the packages of the workspace may be: its minimumReleaseAge. */
const releasedBefore = new Date(Date.now() - 3 * 24 * 3_600_000).toISOString();
const frameworks = supported.map(withRange);

const [asked, passedOn] = splitAtDashes(process.argv.slice(2));
const rows = (asked.length > 0 ? asked : ['oldest', 'newest']).flatMap(run);
console.table(rows);
process.exitCode = rows.every(({ passed, failed }) => passed > 0 && failed === 0) ? 0 : 1;

/** @param {string[]} args */
function splitAtDashes(args) {
  const at = args.indexOf('--');
  return at === -1 ? [args, []] : [args.slice(0, at), args.slice(at + 1)];
}

/** @param {import('../test/hosts/registry.js').Framework} framework */
function withRange({ adapter, name, major, alias }) {
  const { peerDependencies } = readJson(join(root, 'packages', adapter, 'package.json'));
  const range = peerDependencies[name].split(' || ').find((each) => each.startsWith(`^${major}.`));
  if (range === undefined) throw new Error(`the peerDependencies of packages/${adapter} do not name ${name} ${major}`);
  const inTitles = new RegExp(String.raw`\b${adapter} ?${major}\b`, 'i');
  return { adapter, name, alias, range, inTitles };
}

/** @param {string} age */
function run(age) {
  const folder = fetchFrameworks(age);
  const report = join(folder, 'report.json');
  console.log(`== ${age} frameworks`);
  const ofAdapters = adapters.filter(({ framework }) => framework !== undefined);
  const tests = [...ofAdapters.map(({ name }) => `packages/${name}/test`), 'test/scenarios'];
  const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${report}`];
  const args = ['node_modules/vitest/vitest.mjs', 'run', ...reporters, ...tests, ...passedOn];
  const env = { ...process.env, COUNTERSIGN_FRAMEWORKS: folder };
  spawnSync(process.execPath, args, { stdio: 'inherit', cwd: root, env });
  return tableOf(folder, readJson(report).testResults);
}

/** @param {string} age */
function fetchFrameworks(age) {
  if (age !== 'oldest' && age !== 'newest') throw new Error(`'${age}': say oldest or newest`);
  const folder = join(root, 'node_modules/.cache', `frameworks-${age}`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const dependencies = Object.fromEntries(
    frameworks.map(({ name, alias, range }) => [alias, `npm:${name}@${age === 'oldest' ? range.slice(1) : range}`]),
  );
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, dependencies }));
  const args = ['install', `--before=${releasedBefore}`, '--ignore-scripts', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', args, { stdio: 'inherit', cwd: folder });
  if (status !== 0) throw new Error(`the ${age} frameworks could not be fetched`);
  return folder;
}

/**
 * How many tests passed and failed with each framework. A test says in its title which it runs on, or has it by its
 * folder; the rest runs on several.
 */
function tableOf(folder, files) {
  const counts = new Map([...frameworks, undefined].map((each) => [each, { passed: 0, failed: 0 }]));
  for (const file of files) {
    // A file that cannot be loaded has no tests, and has failed.
    const tests = file.assertionResults.length > 0 ? file.assertionResults : [{ fullName: '', status: 'failed' }];
    for (const { fullName, status } of tests) {
      const count = counts.get(frameworkOf(fullName, file.name));
      if (status === 'passed') count.passed += 1;
      if (status === 'failed') count.failed += 1;
    }
  }
  return [...counts].map(([each, count]) => ({ ...described(each, folder), ...count }));
}

function frameworkOf(title, file) {
  const inTitle = frameworks.find(({ inTitles }) => inTitles.test(title));
  return inTitle ?? frameworks.findLast(({ adapter }) => file.includes(`/packages/${adapter}/`));
}

function described(each, folder) {
  if (each === undefined) return { framework: 'several, or none', version: '' };
  return { framework: each.name, version: readJson(join(folder, 'node_modules', each.alias, 'package.json')).version };
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'));
}
