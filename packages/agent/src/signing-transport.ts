import { ConfigError } from '@countersign/common';
import type { Signer } from './agent.js';

/** What `StreamableHTTPClientTransport` of the MCP SDK takes, in version 1 and 2. */
export interface SigningTransportOptions {
  readonly fetch: (url: string | URL, init?: RequestInit) => Promise<Response>;
}

/**
 * Options by which the client transport of the MCP SDK signs each request to one server: every attempt anew, also of a
 * stream that is resumed. What goes to another origin or path, like the search for an authorization server, is sent
 * unsigned and without the token of the signer.
 *
 * @throws ConfigError if the URL is not absolute.
 * @example
 * const url = new URL('https://tools.acme.dev/mcp');
 * const transport = new StreamableHTTPClientTransport(url, signingTransport(agent, url));
 */
export function signingTransport(signer: Pick<Signer, 'fetch'>, url: string | URL): SigningTransportOptions {
  if (!URL.canParse(String(url))) throw new ConfigError("signingTransport: 'url' must be the URL of the MCP server.");
  const server = new URL(url);
  return {
    fetch: async (target, init) => {
      const { origin, pathname } = new URL(target);
      const isServer = origin === server.origin && pathname === server.pathname;
      return await (isServer ? signer.fetch(target, init) : fetch(target, init));
    },
  };
}
