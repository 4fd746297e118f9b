// Builds the SPIRE server and agent that test/spiffe runs, once: it takes some minutes. Needs Go and a C compiler.
import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '1.13.3';
const folder = fileURLToPath(new URL(`../node_modules/.cache/spire-${version}`, import.meta.url));
const programs = ['spire-server', 'spire-agent'];
const missing = programs.filter((program) => !existsSync(join(folder, program)));

/**
 * The plugins that the tests configure, by the file of SPIRE that lists the built-in ones. The clients of clouds and of
 * Kubernetes behind the others are three quarters of what would be compiled, and nothing here calls them.
 */
const plugins = {
  'server/catalog/bundlepublisher.go': [],
  'server/catalog/keymanager.go': ['memory', 'disk'],
  'server/catalog/nodeattestor.go': ['jointoken'],
  'server/catalog/notifier.go': [],
  'server/catalog/upstreamauthority.go': ['disk'],
  'agent/catalog/nodeattestor.go': ['jointoken'],
  'agent/catalog/svidstore.go': [],
  'agent/catalog/workloadattestor.go': ['unix'],
};

if (missing.length > 0) {
  const began = performance.now();
  console.log(`Building SPIRE ${version} with Go: this takes 2 to 5 minutes, once.`);
  const scratch = join(tmpdir(), `spire-${process.pid}`);
  const source = join(scratch, 'spire');
  mkdirSync(scratch, { recursive: true });
  mkdirSync(folder, { recursive: true });
  // Its build cache of 600 MB is of no use to anything else.
  const env = {
    ...process.env,
    GOCACHE: join(scratch, 'cache'),
    GOFLAGS: `${process.env.GOFLAGS ?? ''} -buildvcs=false`.trim(),
  };
  const fail = (why) => {
    console.error(`SPIRE could not be built: ${why}.`);
    rmSync(scratch, { recursive: true, force: true });
    process.exit(1);
  };
  const go = (cwd, words, stdout = 'inherit') => {
    const done = spawnSync('go', words, { cwd, env, stdio: ['ignore', stdout, 'inherit'], encoding: 'utf8' });
    if (done.error !== undefined || done.status !== 0) fail(done.error?.message ?? `go ended with ${done.status}`);
    return done.stdout;
  };
  // Go checks what it downloads against its checksum database, and everything below it against SPIRE's own go.sum.
  const module = `github.com/spiffe/spire@v${version}`;
  const { Dir } = JSON.parse(go(scratch, ['mod', 'download', '-json', module], 'pipe'));
  // The files of the module cache are read-only.
  cpSync(Dir, source, { recursive: true });
  chmodSync(source, 0o755);
  for (const [file, names] of Object.entries(plugins)) keepPlugins(join(source, 'pkg', file), names);
  for (const program of missing) {
    go(source, ['build', '-trimpath', '-ldflags', '-s -w', '-o', join(folder, program), `./cmd/${program}`]);
  }
  rmSync(scratch, { recursive: true, force: true });
  console.log(`SPIRE is built: it took ${Math.round((performance.now() - began) / 1000)} s.`);
}

/** Takes all other plugins out of a list of built-in ones, with their imports. */
function keepPlugins(path, names) {
  const lines = readFileSync(path, 'utf8').split('\n');
  const kept = lines.filter((line) => {
    const plugin = pluginIn(line);
    return plugin === undefined || names.includes(plugin);
  });
  rmSync(path, { force: true });
  writeFileSync(path, kept.join('\n'));
}

function pluginIn(line) {
  const imported = /^\t(?:(\w+) )?"[^"]+\/plugin\/\w+\/(\w+)"$/.exec(line);
  return imported === null ? /^\t\t(\w+)\.BuiltIn\(\),$/.exec(line)?.[1] : (imported[1] ?? imported[2]);
}
