import type { IncomingMessage, ServerResponse } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { agentAuth, getCaller, permit } from '@countersign/node-http';
import type { Host, HostParts } from './host.js';
import { billing, bucket, failure, pullCreated, received, recordOf, repoOf, whoami } from './routes.js';

export const hostNodeHttp: Host = {
  name: 'node-http',
  http2: true,
  listener(parts) {
    const { unmapped: _noRouter, ...admission } = parts.admission;
    const auth = agentAuth(parts.guard, admission);
    const routes = guardedRoutes(parts);
    return async (request, response) => {
      try {
        const { path } = targetOf(request);
        if (parts.mount !== '' && !path.startsWith(`${parts.mount}/`))
          return answer(response, 404, { error: 'not found' });
        const below = path.slice(parts.mount.length);
        if (below === '/public') return answer(response, 200, { public: true });
        await auth(request, response, () => serve(routes, below, request, response));
      } catch (error) {
        const { status, body } = failure(error);
        if (!response.headersSent) answer(response, status, body);
      }
    };
  },
};

export const hosts: readonly Host[] = [hostNodeHttp];

type RoutedRequest = IncomingMessage & { readonly params: Readonly<Record<'owner' | 'repo' | 'id', string>> };
type Handler = (request: RoutedRequest, response: ServerResponse) => Promise<void>;
type Route = readonly [method: string, path: RegExp, may: ReturnType<typeof permit<RoutedRequest>> | null, Handler];

async function serve(
  routes: readonly Route[],
  path: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const method = request.method === 'HEAD' ? 'GET' : request.method;
  for (const [wanted, pattern, may, handler] of routes) {
    const match = method === wanted ? pattern.exec(path) : null;
    if (match === null) continue;
    const routed = Object.assign(request, { params: decoded(match.groups) }) as RoutedRequest;
    if (may === null || (await may(routed, response))) await handler(routed, response);
    return;
  }
  answer(response, 404, { error: 'not found' });
}

function guardedRoutes({ bodyParser, handled }: HostParts): readonly Route[] {
  const whoAmI: Handler = async (request, response) => {
    await handled('whoami', getCaller(request));
    answer(response, 200, whoami(getCaller(request)));
  };
  const upload: Handler = async (request, response) => {
    await handled('file.put');
    answer(response, 200, await received(request));
  };
  const createPull: Handler = async (request, response) => {
    const body = bodyParser === 'after' ? await parsed(request) : undefined;
    await handled('pr.create', getCaller(request));
    answer(response, 201, pullCreated(getCaller(request), body));
  };
  const merge: Handler = async (_request, response) => {
    await handled('pr.merge');
    answer(response, 200, { merged: true });
  };
  const invoices: Handler = async (request, response) => {
    await handled('invoice.read');
    answer(response, 200, { query: Object.fromEntries(new URLSearchParams(targetOf(request).query)) });
  };
  const remove: Handler = async (_request, response) => {
    await handled('record.delete');
    response.writeHead(204).end();
  };
  const forgotten: Handler = async (_request, response) => {
    await handled('forgotten');
    response.writeHead(204).end();
  };
  return [
    ['GET', /^\/whoami$/, permit(false), whoAmI],
    ['PUT', /^\/upload$/, permit('file.put', bucket), upload],
    ['POST', /^\/repos\/(?<owner>[^/]+)\/(?<repo>[^/]+)\/pulls$/, permit('pr.create', repoOf), createPull],
    ['POST', /^\/repos\/(?<owner>[^/]+)\/(?<repo>[^/]+)\/merge$/, permit('pr.merge', repoOf), merge],
    ['GET', /^\/invoices$/, permit('invoice.read', billing), invoices],
    ['DELETE', /^\/records\/(?<id>[^/]+)$/, permit('record.delete', recordOf), remove],
    ['DELETE', /^\/forgotten$/, null, forgotten],
  ];
}

/** Without `URL`, which would resolve `/x/../invoices`. */
function targetOf({ url = '' }: IncomingMessage): { readonly path: string; readonly query: string } {
  const [, path = '', query = ''] = /^(?:https?:\/\/[^/?]*)?([^?]*)\??(.*)$/i.exec(url) ?? [];
  return { path, query };
}

function decoded(groups: Record<string, string> = {}): Record<string, string> {
  try {
    return Object.fromEntries(Object.entries(groups).map(([name, value]) => [name, decodeURIComponent(value)]));
  } catch {
    throw Object.assign(new Error('the path cannot be decoded'), { status: 400 });
  }
}

async function parsed(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  try {
    return JSON.parse((request.headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes).toString());
  } catch {
    throw Object.assign(new Error('the body is no JSON'), { status: 400 });
  }
}

function answer(response: ServerResponse, status: number, body: object): void {
  const json = JSON.stringify(body);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) });
  response.end(json);
}
