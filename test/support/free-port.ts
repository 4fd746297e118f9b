import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * For programs that cannot listen on any free port and say which. Below the ephemeral ports (RFC 6335 §6), so that no
 * other server gets the port before this program binds it.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}
