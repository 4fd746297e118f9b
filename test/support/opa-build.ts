import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { run } from './run.js';

/** The `policy.wasm` that OPA makes of a file. `folder` is where the file is: its name goes into the module. */
export async function buildWasm(
  program: string,
  folder: string,
  file: string,
  entrypoints: readonly string[],
): Promise<Buffer> {
  const place = await mkdtemp(join(tmpdir(), 'countersign-opa-'));
  try {
    const bundle = join(place, 'bundle.tar.gz');
    const chosen = entrypoints.flatMap((entrypoint) => ['-e', entrypoint]);
    const built = await run(program, ['build', '-t', 'wasm', ...chosen, file, '-o', bundle], { cwd: folder });
    const unpacked = await run('tar', ['-xzf', bundle, '-C', place, '/policy.wasm']);
    if (built.exitCode !== 0 || unpacked.exitCode !== 0) throw new Error(built.stderr + unpacked.stderr);
    return await readFile(join(place, 'policy.wasm'));
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}
