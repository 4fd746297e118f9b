import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/workspace.js';

/** Fixed, so that the suite is deterministic; `pnpm fuzz` takes others. */
const SEED = 11;

it.each(['express5', 'fastify5'])(
  '%s serves no mutated request otherwise than it was signed, and answers and records each [H6, A16, F7]',
  async (host) => {
    const { code, output } = await run(['--host', host, '--seed', String(SEED), '--cases', '3000']);
    expect(output).toContain('no problem found');
    expect(code).toBe(0);
  },
  180_000,
);

async function run(args: readonly string[]): Promise<{ code: number; output: string }> {
  const program = join(root, 'test/fuzz/dist/fuzz/main.js');
  const child = spawn(process.execPath, ['--enable-source-maps', program, ...args]);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => void (output += String(data)));
  const [code] = (await once(child, 'close')) as [number];
  return { code, output };
}
