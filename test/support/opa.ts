import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Started, startProgram } from './program.js';
import { root } from './workspace.js';

/** What `pnpm test:opa` builds. */
const built = join(root, 'node_modules/.cache/opa-1.22.2/opa');

/** The OPA program, if it is here. If not, that is said aloud: the tests that need it are skipped. */
export function findOpa(): string | undefined {
  if (existsSync(built)) return built;
  process.stderr.write('OPA is not here: what needs it is NOT TESTED. `pnpm test:opa` builds it (needs Go).\n');
  return undefined;
}

/** An OPA server with policies from a file. */
export function startOpa(program: string, file: string): Promise<Started> {
  return startProgram(program, (port) => ['run', '--server', '--addr', `127.0.0.1:${port}`, file], '/health');
}
