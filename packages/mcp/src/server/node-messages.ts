import type { IncomingMessage, ServerResponse } from 'node:http';

// By what they can do: those of HTTP/2 are of other classes, which the types of the SDKs do not know.

export function isNodeRequest(value: unknown): value is IncomingMessage {
  return typeof value === 'object' && value !== null && 'rawHeaders' in value && 'socket' in value;
}

export function isNodeResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'writeHead' in value && 'end' in value;
}

/** Calls back when a response has ended, also if it has already. */
export function whenClosed(response: ServerResponse, ended: () => void): void {
  if (isGone(response)) ended();
  else response.once('close', ended);
}

/** HTTP/2 responses of Node do not say that they are destroyed, but their streams do. */
export function isGone(response: ServerResponse & { readonly stream?: { readonly destroyed: boolean } }): boolean {
  return response.destroyed || response.stream?.destroyed === true;
}

/** Ends a response at once, also one that has begun. */
export function cutOff(response: ServerResponse): void {
  const stream: unknown = 'stream' in response ? response.stream : undefined;
  const isHttp2 = typeof stream === 'object' && stream !== null && 'close' in stream;
  if (isHttp2 && typeof stream.close === 'function') stream.close();
  else response.destroy();
}
