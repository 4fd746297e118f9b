import type { IncomingMessage, ServerResponse } from 'node:http';
import { integerOption } from '@countersign/common';
import { checkOptionNames, ConfigError, type Guard, refusal, RefusalError } from '@countersign/core';
import { admissionOf, admitEveryAgent, markHandler, type Respond, sendRefusal } from '@countersign/core/adapter';
import { decisionsOf, type McpDecisions } from '../decide/decisions.js';
import { type McpRules, readRules } from '../decide/rules.js';
import type { HttpParts } from './exchange.js';
import { createSeal, readSealKey } from '../decide/seal.js';
import { serve } from './serve.js';
import { type FetchHandler, upstreamOf } from './upstream.js';

export interface McpHttpOptions extends McpRules {
  /** Fields that every request to the server carries, such as its own credentials. Default: none. */
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * The secret that binds sessions to their callers, at least 32 bytes. Give the same one to all processes that serve an
   * endpoint. Default: a random one for this process.
   */
  readonly sealKey?: Uint8Array;
  /** Most bytes of one message of a client. More is refused with 413. Default 4 MiB. */
  readonly maxMessageBytes?: number;
}

/**
 * Serves the endpoint. Where the application wants refusals thrown, `next` gets them; without it they are sent. Never rejects.
 */
export type McpHttpHandler = (
  request: IncomingMessage,
  response: ServerResponse,
  next?: (error?: unknown) => void,
) => Promise<void>;

const optionNames: readonly string[] = [
  'tools',
  'methods',
  'headers',
  'sealKey',
  'maxMessageBytes',
] satisfies readonly (keyof McpHttpOptions)[];

/**
 * Guards an MCP server over HTTP by what stands on the wire, so that the server may be in any language, or have its SDK
 * bundled. Mount it behind `agentAuth`, before any body parser, for all methods of the endpoint. Every call is one
 * decision; lists show what the caller may use; the credentials of the caller do not reach the server.
 *
 * @param server the URL of the server's endpoint, or its fetch handler in this process
 * @throws ConfigError which says what to do.
 * @example
 * ```ts
 * app.use(agentAuth(guard));
 * app.all('/mcp', guardMcpHttp('http://127.0.0.1:4831/mcp'));
 * ```
 */
export function guardMcpHttp(server: string | URL | FetchHandler, options: McpHttpOptions = {}): McpHttpHandler {
  checkOptionNames('guardMcpHttp', options, optionNames);
  const parts = readParts(server, options);
  const known = new WeakMap<Guard, McpDecisions>();

  function decisionsFor(guard: Guard): McpDecisions {
    const decisions = known.get(guard) ?? decisionsOf(guard, parts.rules, parts.seal);
    known.set(guard, decisions);
    return decisions;
  }

  async function serveAdmitted(request: IncomingMessage, response: ServerResponse): Promise<void> {
    // Each call is decided on its own, so the request needs no decision.
    const respond: Respond = (refused) => sendRefusal(response, refused);
    if (!(await admitEveryAgent(request, request, respond))) return;
    const admission = admissionOf(request);
    if (admission === undefined) return;
    const { guard, caller, refuse, refuseUnmarked } = admission;
    // Also of a guard that observes: the server would take an unverified request for ours, with our own credentials.
    if (caller === undefined) refuse((await refuseUnmarked()) ?? refusal('signature_required'), respond);
    else await serve({ request, response, guard, caller, decisions: decisionsFor(guard) }, parts);
  }

  const guardMcp: McpHttpHandler = async (request, response, next) => {
    try {
      await serveAdmitted(request, response);
    } catch (error) {
      // Hosts without a `next` leave the answer to us, and most of them hear of no rejection.
      if (next !== undefined) next(error);
      else if (error instanceof RefusalError) sendRefusal(response, error);
      else {
        admissionOf(request)?.guard.report('serving an MCP request failed', String(error));
        response.destroy();
      }
    }
  };

  return markHandler(guardMcp, { role: 'permit' });
}

function readParts(server: string | URL | FetchHandler, options: McpHttpOptions): HttpParts {
  const { headers = {}, sealKey, maxMessageBytes = 4 * 1024 * 1024 } = options;
  const rules = readRules('guardMcpHttp', options);
  return {
    upstream: upstreamOf(server),
    rules,
    seal: createSeal(readSealKey('guardMcpHttp', sealKey)),
    ownHeaders: readHeaders(headers),
    maxMessageBytes: integerOption('guardMcpHttp', 'maxMessageBytes', maxMessageBytes, 1024),
  };
}

function readHeaders(headers: Readonly<Record<string, string>>): Headers {
  try {
    return new Headers(headers);
  } catch {
    throw new ConfigError("guardMcpHttp: 'headers' must be fields of HTTP, like { authorization: 'Bearer …' }.");
  }
}
