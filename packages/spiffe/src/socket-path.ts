import { ConfigError } from '@countersign/common';

/** Linux cuts longer ones, and connects to another path. */
const longestPath = 107;

/** The path of a Unix socket, from a path or from `unix:///PATH`, as SPIFFE_ENDPOINT_SOCKET has it. @throws ConfigError */
export function readSocketPath(owner: string, socket: unknown): string {
  const path = typeof socket === 'string' ? socket.replace(/^unix:(?:\/\/)?/, '') : '';
  if (!path.startsWith('/') || path.includes('\0')) {
    throw new ConfigError(
      `${owner}: 'socket' must be the Unix socket of the Workload API: '/run/spire/agent.sock' or 'unix:///run/spire/agent.sock'.`,
    );
  }
  if (Buffer.byteLength(path) <= longestPath) return path;
  throw new ConfigError(
    `${owner}: the path of 'socket' has more than ${longestPath} bytes, which no Unix socket can have.`,
  );
}
