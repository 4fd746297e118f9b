import { once } from 'node:events';
import type { RequestListener, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { CliError, exitCodes } from '../cli-error.js';
import { printable } from '../text.js';

/** Resolves to the URL of the server once it listens. The address is `port`, `host:port` or `[address]:port`. */
export async function listenOn(server: Server, listen: string): Promise<string> {
  const { host, port } = readAddress(listen);
  server.listen(port, host);
  await once(server, 'listening');
  return `http://${host.includes(':') ? `[${host}]` : host}:${(server.address() as AddressInfo).port}`;
}

/**
 * For a server that must listen before it can answer, since its address is in what it answers. Requests that come earlier
 * wait: a request that nobody listens to is never answered.
 */
export function answerLater(server: Server): (listener: RequestListener) => void {
  const waiting: Parameters<RequestListener>[] = [];
  let answer: RequestListener = (...exchange) => void waiting.push(exchange);
  server.on('request', (request, response) => answer(request, response));
  return (listener) => {
    answer = listener;
    for (const exchange of waiting.splice(0)) listener(...exchange);
  };
}

export function readAddress(listen: string): { readonly host: string; readonly port: number } {
  const [, bracketed, named, digits] = /^(?:(?:\[([0-9a-f:]+)\]|([^:\s]+)):)?(\d{1,5})$/i.exec(listen) ?? [];
  const port = Number(digits);
  if (digits === undefined || port > 65_535) {
    throw new CliError(`--listen: '${printable(listen)}' is not like 127.0.0.1:8788`, exitCodes.usage);
  }
  return { host: bracketed ?? named ?? '127.0.0.1', port };
}
