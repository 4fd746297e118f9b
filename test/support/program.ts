import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { vi } from 'vitest';
import { freePort } from './free-port.js';

export interface Started {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts a server on a given port, and waits until `healthy` answers 200. */
export async function startProgram(
  program: string,
  args: (port: number) => readonly string[] | Promise<readonly string[]>,
  healthy: string,
): Promise<Started> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(program, await args(port), { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => void (output += String(chunk)));
  const ended = once(child, 'exit');
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  try {
    await vi.waitFor(
      async () => {
        const { status } = await fetch(url + healthy);
        if (status !== 200) throw new Error(`${program} answers ${status}: ${output}`);
      },
      { timeout: 30_000, interval: 50 },
    );
  } catch (error) {
    await stop();
    throw new Error(`${program} did not start: ${output}`, { cause: error });
  }
  return { url, stop };
}
