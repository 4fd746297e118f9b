// Bundles the built modules of the package in the working directory: one file for each entry point, and one for what entry
// points share. Node loads a file in about half a millisecond, and a guard has more than 300 (docs/decisions/0032). It runs
// as `prepack`; the workspace itself uses the modules.
import { readFileSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const { name, exports, publishConfig } = JSON.parse(readFileSync('package.json', 'utf8'));
const entries = Object.entries(publishConfig.exports).filter(([, target]) => typeof target === 'object');
const entryPoints = Object.fromEntries(
  entries.map(([path, target]) => [nameOf(target.default), exports[path].default]),
);

function nameOf(file) {
  const [, found] = /^\.\/bundle\/([\w-]+)\.js$/.exec(file) ?? [];
  if (found === undefined) throw new Error(`${name}: ${file} is not a file of the bundle`);
  return found;
}

rmSync('bundle', { recursive: true, force: true });
await build({
  entryPoints,
  outdir: 'bundle',
  bundle: true,
  splitting: true,
  packages: 'external',
  platform: 'node',
  format: 'esm',
  target: 'node20.19',
  // Names of classes and functions stand in messages and stack traces.
  keepNames: true,
  sourcemap: true,
  sourcesContent: false,
  logLevel: 'warning',
});
