// What a reader needs to know of the machine and the versions behind the numbers.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';

const libraries = [
  'express',
  'fastify',
  'koa',
  'http-message-signatures',
  'jose',
  '@cedar-policy/cedar-wasm',
  '@countersign/core',
];

export function machine() {
  return {
    date: new Date().toISOString(),
    commit: productCommit(),
    cpu: cpus()[0].model,
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()}`,
    node: process.version,
    load: loadavg()[0],
    versions: Object.fromEntries(libraries.map((name) => [name, versionOf(name)])),
  };
}

/** The last commit that changed what is measured. */
function productCommit() {
  const packages = join(import.meta.dirname, '../../../packages');
  const git = (...args) => execFileSync('git', [...args, '.'], { cwd: packages, encoding: 'utf8' }).trim();
  const changed = git('status', '--porcelain') !== '';
  return `${git('log', '-1', '--format=%h')}${changed ? ', changed' : ''}`;
}

function versionOf(name) {
  const manifest = join(import.meta.dirname, '../../node_modules', name, 'package.json');
  return JSON.parse(readFileSync(manifest, 'utf8')).version;
}
