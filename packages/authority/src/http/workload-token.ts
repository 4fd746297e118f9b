import { IncomingMessage } from 'node:http';
import type { AgentRegistry } from '../agents/registry.js';
import { tokenExchange } from '../tokens/client-agent.js';
import {
  type AuthenticatedWorkload,
  spiffeAssertionType,
  type WorkloadAuthentication,
} from '../tokens/authenticate-workload.js';
import { clientCredentials, credentialsParameters } from '../tokens/client-credentials.js';
import type { GrantRequest, IssueServices } from '../tokens/grants.js';
import { oauthError } from '../tokens/oauth-error.js';
import { exchangeParameters, exchangeToken } from '../tokens/token-exchange.js';
import { type Answer, BadRequest } from './answer.js';
import { dpopOf, isAnyRepeated, readForm } from './form.js';

export interface WorkloadTokenServices extends IssueServices {
  readonly agents: AgentRegistry;
  readonly workloads: WorkloadAuthentication;
  readonly issuer: string;
}

const maxFormBytes = 57_344;

/**
 * The token endpoint for workloads. By hand, because the library knows no JWT-SVIDs. Another request is handed back as it
 * came, for the library to answer.
 */
export async function workloadToken(
  request: IncomingMessage & { readonly body?: unknown },
  services: WorkloadTokenServices,
): Promise<{ readonly answer: Answer } | { readonly notOurs: IncomingMessage }> {
  if (!isForm(request)) return { notOurs: request };
  const { parameters, bytes } = await readForm(request, maxFormBytes);
  if (!parameters.getAll('client_assertion_type').includes(spiffeAssertionType)) {
    return { notOurs: bytes === undefined ? request : withBody(request, bytes) };
  }
  if (isAnyRepeated(parameters)) throw new BadRequest(400, 'invalid_request', 'a parameter is repeated');
  const proved = await services.workloads.authenticate(parameters.get('client_assertion') ?? '', {
    dpop: dpopOf(request),
    clientId: parameters.get('client_id') ?? undefined,
    url: `${services.issuer}/token`,
  });
  return { answer: { status: 200, headers: { pragma: 'no-cache' }, body: await grant(parameters, proved, services) } };
}

async function grant(
  parameters: URLSearchParams,
  { agent, binding, expiresAt }: AuthenticatedWorkload,
  services: WorkloadTokenServices,
): Promise<object> {
  const request = (names: readonly string[]): GrantRequest => ({
    agent,
    parameters: Object.fromEntries([...parameters].filter(([name]) => names.includes(name))),
    thumbprint: binding.confirmation.jkt,
    notAfter: expiresAt,
    binding: () => Promise.resolve(binding),
  });
  switch (parameters.get('grant_type')) {
    case 'client_credentials':
      return await clientCredentials(request(credentialsParameters), services);
    case tokenExchange:
      return await exchangeToken(request(exchangeParameters), services);
    default:
      throw oauthError('unsupported_grant_type', 'a workload gets tokens by client_credentials and by token exchange');
  }
}

function isForm({ headers }: IncomingMessage): boolean {
  return /^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(headers['content-type'] ?? '');
}

/** The same request with its body still to be read: the library reads the body itself. */
function withBody(request: IncomingMessage, bytes: Uint8Array): IncomingMessage {
  const again = new IncomingMessage(request.socket);
  const { method, url, headers, rawHeaders, httpVersion, httpVersionMajor, httpVersionMinor } = request;
  Object.assign(again, { method, url, headers, rawHeaders, httpVersion, httpVersionMajor, httpVersionMinor });
  again.complete = true;
  again.push(bytes);
  again.push(null);
  return again;
}
