import type { AddressInfo } from 'node:net';

/** The port to listen on: `PORT`, or any free port. */
export const port: number = Number(process.env['PORT'] ?? 0);

/** Prints where the API listens. */
export function listening(server: { address(): AddressInfo | string | null }): void {
  const address = server.address();
  if (typeof address === 'object' && address !== null) console.log(`listening on port ${address.port}`);
}
