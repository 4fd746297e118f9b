// Runs the tests of MCP frameworks that are too large, or need a newer Node, for the dependencies of the workspace:
// node scripts/test-mcp-frameworks.mjs [agents] [inspector] [mastra] [mcp-use] [xmcp]
// They are fetched into node_modules/.cache, with Node 22 from npm. All of them take 700 MB.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const cache = join(root, 'node_modules/.cache/mcp-frameworks');
/** The package carries the binary. */
const runtime = `node-${process.platform}-${process.arch}`;
const binaries = join(cache, 'node', 'node_modules', runtime, 'bin');

const frameworks = {
  agents: ['agents@0.32.0', '@modelcontextprotocol/server@2.4.0'],
  mastra: ['@mastra/mcp@2.0.0', '@mastra/core@1'],
  inspector: ['@modelcontextprotocol/inspector@2.12.0'],
  'mcp-use': ['mcp-use@2.5.2'],
  xmcp: ['xmcp@1.1.3', '@xmcp-dev/compiler@1.1.3'],
};

const asked = process.argv.slice(2);
const unknown = asked.find((name) => !Object.hasOwn(frameworks, name));
if (unknown !== undefined) throw new Error(`'${unknown}': say one of ${Object.keys(frameworks).join(', ')}`);

install('node', [`${runtime}@22`]);
const names = asked.length > 0 ? asked : Object.keys(frameworks);
for (const name of names) install(name, [...frameworks[name], 'zod@4']);
const tests = ['test/mcp/frameworks.test.ts', 'test/mcp/inspector.test.ts'];
const env = { ...process.env, COUNTERSIGN_MCP_FRAMEWORKS: names.map((name) => join(cache, name)).join(delimiter) };
const { status } = spawnSync(process.execPath, ['node_modules/vitest/vitest.mjs', 'run', ...tests], {
  stdio: 'inherit',
  cwd: root,
  env: { ...env, COUNTERSIGN_NODE22: join(binaries, 'node') },
});
process.exitCode = status ?? 1;

function install(name, packages) {
  const folder = join(cache, name);
  if (existsSync(join(folder, 'node_modules'))) return;
  console.log(`== ${packages.join(' ')}`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{ "private": true, "type": "module" }');
  // npm picks packages by the Node that it runs on.
  const PATH = `${binaries}${delimiter}${process.env.PATH}`;
  const args = ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error', ...packages];
  execFileSync('npm', args, { stdio: 'inherit', cwd: folder, env: { ...process.env, PATH } });
}
