import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { Guard } from '@countersign/core';
import { admitter } from '@countersign/core/adapter';
import { guardMcpHttp, type McpRules } from '@countersign/mcp';
import { CliError, exitCodes, messageOf } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { readHeaders } from '../headers.js';
import { answerLater, listenOn } from '../listen-on.js';
import { withCliErrors } from '../policy/load.js';
import { readTools } from './guard-folder.js';
import { type GuardFolderOptions, openGuard } from './open-guard.js';

export interface ProxyOptions extends GuardFolderOptions {
  readonly url: string;
  readonly listen: string;
  readonly origin?: string;
  readonly issuer: readonly string[];
  readonly bearer?: boolean;
  readonly header: readonly string[];
}

/** Stands in front of a server over HTTP, until this process is told to stop. */
export async function proxy(options: ProxyOptions, io: Io): Promise<void> {
  const { url, listen, issuer, bearer } = options;
  if (bearer === true && issuer.length === 0) throw new CliError('--bearer needs an --issuer', exitCodes.usage);
  const rules = await readTools(options.guard);
  const headers = Object.fromEntries(readHeaders(options.header));
  const mcp = await withCliErrors(async () => guardMcpHttp(url, { ...rules, headers }));
  const { pathname } = new URL(url);
  const server = createServer();
  const serve = answerLater(server);
  const address = await listenOn(server, listen);
  const { origin = address } = options;
  try {
    const guard = await openGuard(options, tokenOptions(options, origin, pathname, rules), io);
    try {
      serve(listenerOf(guard, mcp, pathname));
      io.out(`${JSON.stringify({ url: `${address}${pathname}` })}\n`);
      io.err(`In front of ${printable(url)}. Agents address ${printable(`${origin.replace(/\/$/, '')}${pathname}`)}\n`);
      await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
    } finally {
      server.closeAllConnections();
      await guard.close();
    }
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

/** Tokens may name the origin or the endpoint. With issuers, clients are told where they get one. */
function tokenOptions(
  { issuer, bearer }: ProxyOptions,
  origin: string,
  pathname: string,
  { tools }: Required<Pick<McpRules, 'tools'>>,
): Parameters<typeof openGuard>[1] {
  const issuers = issuer.map((one) => ({ issuer: one }));
  if (issuers.length === 0 || !URL.canParse(origin)) return { origin, issuers };
  const resource = new URL(pathname, origin).href;
  const scopes = [...new Set(Object.values(tools).flatMap(({ requires }) => requires?.split(' ') ?? []))];
  return {
    origin,
    issuers,
    audience: [origin, resource],
    protectedResource: { resource, scopes },
    ...(bearer === true && { bearer }),
  };
}

function listenerOf(guard: Guard, mcp: ReturnType<typeof guardMcpHttp>, endpoint: string): RequestListener {
  const admit = admitter(guard);
  const { metadataPath, document } = guard.protectedResource ?? {};
  return (request, response) => {
    const { url: target = '' } = request;
    if (target === metadataPath && request.method === 'GET') {
      // For everybody, and for clients in browsers.
      response.writeHead(200, { 'content-type': 'application/json', 'access-control-allow-origin': '*' });
      response.end(JSON.stringify(document));
      return;
    }
    void admit({ request, response, target })
      .then(async (admitted) => {
        if (!admitted) return;
        const [path] = target.split('?', 1);
        if (path === endpoint) await mcp(request, response);
        else response.writeHead(404).end();
      })
      .catch((error: unknown) => {
        guard.report('serving a request failed', messageOf(error));
        response.destroy();
      });
  };
}
