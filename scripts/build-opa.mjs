// Builds the OPA program that test/policy-engines runs, once: it takes some minutes. Needs Go.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const version = '1.22.2';
const folder = fileURLToPath(new URL(`../node_modules/.cache/opa-${version}`, import.meta.url));

if (!existsSync(join(folder, 'opa'))) {
  console.log(`Building OPA ${version} with Go: this takes some minutes, once.`);
  const { error, status } = spawnSync('go', ['install', `github.com/open-policy-agent/opa@v${version}`], {
    env: { ...process.env, GOBIN: folder, GOFLAGS: '-mod=mod' },
    stdio: 'inherit',
  });
  if (error !== undefined || status !== 0) {
    console.error(`OPA could not be built: ${error === undefined ? `go ended with ${status}` : error.message}.`);
    process.exit(1);
  }
}
