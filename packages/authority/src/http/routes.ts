import type { IncomingMessage } from 'node:http';
import { registration, type RegistrationServices } from './registration.js';
import { type AdminServices, admin } from './admin.js';
import { approval, type ApprovalServices } from './approval.js';
import { type Answer, readJson } from './answer.js';
import type { Published } from './published.js';
import type { Challenges } from '../tokens/challenge.js';

export type RouteServices = AdminServices &
  RegistrationServices & {
    readonly challenges: Challenges;
    readonly published: Published;
    /** Undefined: there are no approvals. */
    readonly approvals: ApprovalServices | undefined;
  };

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
    case 'approval':
      return services.approvals && (await approval(request, path, services.approvals));
    case 'challenge':
      return request.method === 'POST' ? await challenge(request, second, services.challenges) : undefined;
    case 'agents.jwt':
      return reads && second === undefined ? await services.published.directory(request) : undefined;
    case '.well-known':
      return reads && second === 'http-message-signatures-directory'
        ? await services.published.signatureKeys(request)
        : undefined;
    case 'status':
      return reads && /^\/status\/(?:0|[1-9]\d{0,8})$/.test(path)
        ? await services.published.statusList(Number(second))
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
