import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { agentJwkSet, signatureDirectory } from '../agents/directory.js';
import { registration, type RegistrationServices } from '../agents/registration.js';
import { statusListToken } from '../delegation/status-list.js';
import { type AdminServices, admin } from './admin.js';
import { type Answer, readJson } from './exchange.js';
import type { Challenges } from '../tokens/challenge.js';

export type RouteServices = AdminServices & RegistrationServices & { readonly challenges: Challenges };

/** Guards ask for the directory again after so many seconds. */
const directorySeconds = 30;
const statusListSeconds = 15;

/** Routes that `oidc-provider` does not have. Undefined: it is one of its own, or none. */
export async function route(
  request: IncomingMessage,
  path: string,
  query: URLSearchParams,
  services: RouteServices,
): Promise<Answer | undefined> {
  const [, first = '', second] = path.split('/');
  const reads = request.method === 'GET' || request.method === 'HEAD';
  switch (first) {
    case 'admin':
      return await admin(request, path, query, services);
    case 'register':
      return await registration(request, path, services);
    case 'challenge':
      return request.method === 'POST' ? await challenge(request, second, services.challenges) : undefined;
    case 'agents.jwks':
      return reads && second === undefined
        ? await directory(request, 'application/jwk-set+json', agentJwkSet, services)
        : undefined;
    case '.well-known':
      return reads && second === 'http-message-signatures-directory'
        ? await directory(request, 'application/http-message-signatures-directory+json', signatureDirectory, services)
        : undefined;
    case 'status':
      return reads && /^\/status\/(?:0|[1-9]\d{0,8})$/.test(path)
        ? await statusList(Number(second), services)
        : undefined;
    default:
      return undefined;
  }
}

async function challenge(
  request: IncomingMessage,
  part: string | undefined,
  challenges: Challenges,
): Promise<Answer | undefined> {
  if (part !== undefined && part !== 'token') return undefined;
  const body = await readJson(request);
  return { status: 200, body: part === 'token' ? await challenges.redeem(body) : challenges.create(body) };
}

async function directory(
  request: IncomingMessage,
  type: string,
  publish: typeof agentJwkSet,
  { agents, now }: RouteServices,
): Promise<Answer> {
  const text = JSON.stringify(publish(await agents.list(), now()));
  const tag = `"${createHash('sha256').update(text).digest('base64url')}"`;
  const headers = { etag: tag, 'cache-control': `public, max-age=${directorySeconds}` };
  if (request.headers['if-none-match'] === tag) return { status: 304, headers };
  return { status: 200, headers: { ...headers, 'content-type': type }, body: text };
}

async function statusList(list: number, services: RouteServices): Promise<Answer> {
  return {
    status: 200,
    headers: { 'content-type': 'application/statuslist+jwt', 'cache-control': `public, max-age=${statusListSeconds}` },
    body: await statusListToken(list, services),
  };
}
