import type { IncomingMessage } from 'node:http';
import { mcpFields, mcpParameterPrefix } from '@countersign/common';

const toServer = [
  'accept',
  'accept-language',
  'content-type',
  'last-event-id',
  'traceparent',
  'tracestate',
  'user-agent',
];
const toClient = [
  'allow',
  'content-type',
  'mcp-protocol-version',
  'mcp-session-id',
  'retry-after',
  'x-accel-buffering',
];

/**
 * The fields of a request that belong to MCP. Nothing else reaches the server: no token, cookie or signature of the
 * caller, and nothing by which it could claim an identity.
 */
export function fieldsForServer({ rawHeaders }: IncomingMessage): Headers {
  const fields = new Headers();
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const passes = toServer.includes(name) || mcpFields.includes(name) || name.startsWith(mcpParameterPrefix);
    if (passes) fields.append(name, rawHeaders[at + 1] ?? '');
  }
  // An answer in another coding could not be read.
  fields.set('accept-encoding', 'identity');
  return fields;
}

/** The fields of an answer that belong to MCP, for this caller alone. */
export function fieldsForClient(answer: Headers): Headers {
  const fields = new Headers([...answer].filter(([name]) => toClient.includes(name)));
  fields.set('cache-control', 'no-store, no-transform');
  return fields;
}
