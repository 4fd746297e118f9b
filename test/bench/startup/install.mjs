// Installs `@countersign/express` as it is published, with its dependencies: the workspace has a file for each module,
// a published package has bundles.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '../../..');

export function install(folder) {
  const nodeModules = join(folder, 'node_modules');
  const todo = [join(root, 'packages/express')];
  for (const source of todo) {
    const manifest = JSON.parse(readFileSync(join(source, 'package.json'), 'utf8'));
    if (!existsSync(join(nodeModules, manifest.name))) {
      copyPublished(source, manifest, join(nodeModules, manifest.name));
      for (const name of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
        const installed = realpathSync(join(source, 'node_modules', name));
        if (name.startsWith('@countersign/')) todo.push(installed);
        else link(installed, join(nodeModules, name));
      }
    }
  }
}

function copyPublished(source, manifest, target) {
  const { publishConfig = {}, ...rest } = manifest;
  mkdirSync(target, { recursive: true });
  writeFileSync(join(target, 'package.json'), JSON.stringify({ ...rest, ...publishConfig }));
  if (manifest.scripts?.prepack !== undefined) {
    execFileSync(process.execPath, [join(root, 'scripts/bundle.mjs')], { cwd: source, stdio: 'inherit' });
  }
  const code = manifest.scripts?.prepack === undefined ? 'dist' : 'bundle';
  cpSync(join(source, code), join(target, code), { recursive: true });
}

function link(target, path) {
  mkdirSync(dirname(path), { recursive: true });
  if (!existsSync(path)) symlinkSync(target, path, 'junction');
}
