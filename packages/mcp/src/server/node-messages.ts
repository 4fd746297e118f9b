import type { IncomingMessage, ServerResponse } from 'node:http';

// By what they can do: those of HTTP/2 are of other classes, which the types of the SDKs do not know.

export function isNodeRequest(value: unknown): value is IncomingMessage {
  return typeof value === 'object' && value !== null && 'rawHeaders' in value && 'socket' in value;
}

export function isNodeResponse(value: unknown): value is ServerResponse {
  return typeof value === 'object' && value !== null && 'writeHead' in value && 'end' in value;
}

/** Ends a response at once, also one that has begun. */
export function cutOff(response: ServerResponse): void {
  const stream: unknown = 'stream' in response ? response.stream : undefined;
  const isHttp2 = typeof stream === 'object' && stream !== null && 'close' in stream;
  if (isHttp2 && typeof stream.close === 'function') stream.close();
  else response.destroy();
}
