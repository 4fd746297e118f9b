import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { errors } from 'oidc-provider';
import type { AgentRegistry } from '../agents/registry.js';
import { takeOnce } from '../storage/one-time.js';
import type { Store } from '../storage/store.js';
import { spiffeAssertionType, type WorkloadAuthentication } from '../tokens/authenticate-workload.js';
import { type AuthenticatedAgent, authenticateAgent } from '../tokens/client-agent.js';
import { BadRequest } from './answer.js';
import { dpopOf, isAnyRepeated, readForm } from './form.js';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const clockSkewSeconds = 5;

export interface AgentForm extends Pick<AuthenticatedAgent, 'agent'> {
  readonly parameters: URLSearchParams;
}

export interface AgentFormServices {
  readonly store: Store;
  readonly agents: AgentRegistry;
  readonly issuer: string;
  /** Undefined: no workload is trusted. */
  readonly workloads: WorkloadAuthentication | undefined;
  readonly now: () => number;
}

/**
 * A form of an agent that proves itself with `private_key_jwt` (RFC 7523) or as a workload, at an endpoint that
 * `oidc-provider` does not have. An assertion counts once, here and there.
 *
 * @throws BadRequest, or `invalid_client` as the library answers it.
 */
export async function readAgentForm(
  request: IncomingMessage & { readonly body?: unknown },
  { path, maxBytes }: { readonly path: string; readonly maxBytes: number },
  services: AgentFormServices,
): Promise<AgentForm> {
  const { parameters } = await readForm(request, maxBytes);
  if (isAnyRepeated(parameters)) throw new BadRequest(400, 'invalid_request', 'a parameter is repeated');
  const assertion = parameters.get('client_assertion') ?? '';
  if (services.workloads !== undefined && parameters.get('client_assertion_type') === spiffeAssertionType) {
    const { agent } = await services.workloads.authenticate(assertion, {
      dpop: dpopOf(request),
      clientId: parameters.get('client_id') ?? undefined,
      url: services.issuer + path,
    });
    return { agent, parameters };
  }
  if (parameters.get('client_assertion_type') !== assertionType)
    throw refused('send a client_assertion, with its type');
  const claims = readClaims(assertion);
  const authenticated = await authenticateAgent(assertion, claims, services);
  const clientId = parameters.get('client_id');
  if (clientId !== null && clientId !== authenticated.agent.id) throw refused('client_id is not that of the assertion');
  const { jti, exp, nbf } = claims;
  const at = services.now();
  if (Number(exp) + clockSkewSeconds <= at || Number(nbf ?? 0) > at + clockSkewSeconds)
    throw refused('its time is over');
  if (typeof jti !== 'string' || jti === '') throw refused('an assertion has a jti');
  const once = createHash('sha256').update(`${authenticated.agent.id}\n${jti}`).digest('base64url');
  // As late as the library forgets it, so that neither endpoint accepts what the other took.
  if (!(await takeOnce(services.store, 'assertion', once, Math.ceil(Number(exp)) + 60)))
    throw refused('it was used before');
  return { agent: authenticated.agent, parameters };
}

/** Not verified: `authenticateAgent` does. */
function readClaims(assertion: string): Record<string, unknown> {
  try {
    const { alg, crit } = decodeProtectedHeader(assertion);
    if (crit === undefined && (alg === 'EdDSA' || alg === 'Ed25519')) return { ...decodeJwt(assertion) };
  } catch {
    // Refused below.
  }
  throw refused('the assertion is no JWT that is signed with Ed25519');
}

function refused(detail: string): Error {
  return new errors.InvalidClientAuth(detail);
}
