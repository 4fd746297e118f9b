import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Started, startProgram } from './program.js';
import { reportMissing } from './required.js';
import { root } from './workspace.js';

/** `pnpm test:opa` builds it here. */
const built = join(root, 'node_modules/.cache/opa-1.22.2/opa');

/** The OPA program; undefined if it is missing, and the tests that need it are skipped. */
export function findOpa(): string | undefined {
  if (existsSync(built)) return built;
  return reportMissing('opa', 'OPA is missing: its tests are skipped. `pnpm test:opa` builds it (needs Go).');
}

/** An OPA server with policies from a file. */
export function startOpa(program: string, file: string): Promise<Started> {
  return startProgram(program, (port) => ['run', '--server', '--addr', `127.0.0.1:${port}`, file], '/health');
}
