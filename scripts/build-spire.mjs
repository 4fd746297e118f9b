// Builds the SPIRE server and agent that test/spiffe runs, once: it takes some minutes. Needs Go and a C compiler.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '1.13.3';
const folder = fileURLToPath(new URL(`../node_modules/.cache/spire-${version}`, import.meta.url));
const programs = ['spire-server', 'spire-agent'];
const missing = programs.filter((program) => !existsSync(join(folder, program)));

if (missing.length > 0) {
  console.log(`Building SPIRE ${version} with Go: this takes about 12 minutes, once.`);
  const scratch = join(tmpdir(), `spire-${process.pid}`);
  mkdirSync(scratch, { recursive: true });
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(scratch, 'go.mod'), 'module scratch\n\ngo 1.25\n');
  // Its build cache of 2.4 GB is of no use to anything else.
  const env = {
    ...process.env,
    GOCACHE: join(scratch, 'cache'),
    GOFLAGS: `${process.env.GOFLAGS ?? ''} -mod=mod -buildvcs=false`.trim(),
  };
  const go = (...words) => {
    const { error, status } = spawnSync('go', words, { cwd: scratch, env, stdio: 'inherit' });
    if (error === undefined && status === 0) return;
    console.error(`SPIRE could not be built: ${error === undefined ? `go ended with ${status}` : error.message}.`);
    rmSync(scratch, { recursive: true, force: true });
    process.exit(1);
  };
  go('get', `github.com/spiffe/spire@v${version}`);
  for (const program of missing)
    go(
      'build',
      '-trimpath',
      '-ldflags',
      '-s -w',
      '-o',
      join(folder, program),
      `github.com/spiffe/spire/cmd/${program}`,
    );
  rmSync(scratch, { recursive: true, force: true });
}
