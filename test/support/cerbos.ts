import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Started, startProgram } from './program.js';
import { reportMissing } from './required.js';

/** The Cerbos program, which npm has for Linux on x64; undefined if it is missing, and its tests are skipped. */
export function findCerbos(): string | undefined {
  try {
    const program = createRequire(import.meta.url).resolve('@cerbos/cerbos-linux-x64/cerbos-linux-x64');
    if (existsSync(program)) return program;
  } catch {
    // Reported below.
  }
  return reportMissing('cerbos', 'Cerbos is missing (npm has it for Linux on x64): its tests are skipped.');
}

/** A Cerbos server with the policies of a folder. */
export async function startCerbos(program: string, policies: string): Promise<Started> {
  const folder = await mkdtemp(join(tmpdir(), 'countersign-cerbos-'));
  const file = join(folder, 'cerbos.json');
  const started = await startProgram(
    program,
    async (port) => {
      const config = {
        server: { httpListenAddr: `127.0.0.1:${port}`, grpcListenAddr: `unix:${join(folder, 'grpc.sock')}` },
        telemetry: { disabled: true },
        storage: { driver: 'disk', disk: { directory: policies, watchForChanges: false } },
      };
      await writeFile(file, JSON.stringify(config));
      return ['server', `--config=${file}`, '--log-level=error'];
    },
    '/_cerbos/health',
  );
  return {
    ...started,
    async stop() {
      await started.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
