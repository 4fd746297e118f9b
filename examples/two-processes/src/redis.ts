import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { listenOnFreePort } from '@countersign/example-stage';

export interface RedisServer {
  readonly url: string;
  stop(): Promise<void>;
}

/** Starts an empty Redis of the story, which saves nothing. Undefined: the program is not installed. */
export async function startRedis(): Promise<RedisServer | undefined> {
  const port = await freePort();
  const server = spawn('redis-server', ['--port', `${port}`, '--bind', '127.0.0.1', '--save', ''], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const exited = once(server, 'exit').catch(() => undefined);
  const isReady = await new Promise<boolean>((resolve) => {
    server.once('error', () => resolve(false));
    server.once('exit', () => resolve(false));
    server.stdout.on('data', (chunk) => {
      if (/ready to accept connections/i.test(String(chunk))) resolve(true);
    });
  });
  if (!isReady) return undefined;
  return {
    url: `redis://127.0.0.1:${port}`,
    async stop() {
      server.kill('SIGKILL');
      await exited;
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  const port = await listenOnFreePort(server);
  server.close();
  await once(server, 'close');
  return port;
}
