import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isJsonObject, readBounded } from '@countersign/common';
import { decodeJwt, decodeProtectedHeader } from 'jose';
import { errors } from 'oidc-provider';
import type { AgentRegistry } from '../agents/registry.js';
import { takeOnce } from '../storage/one-time.js';
import type { Store } from '../storage/store.js';
import { type AuthenticatedAgent, authenticateAgent } from '../tokens/client-agent.js';
import { BadRequest } from './answer.js';

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const clockSkewSeconds = 5;

export interface AgentForm extends AuthenticatedAgent {
  readonly parameters: URLSearchParams;
}

/**
 * A form of an agent that proves itself with `private_key_jwt` (RFC 7523), at an endpoint that `oidc-provider` does not
 * have. An assertion counts once, here and there.
 *
 * @throws BadRequest, or `invalid_client` as the library answers it.
 */
export async function readAgentForm(
  request: IncomingMessage & { readonly body?: unknown },
  maxBytes: number,
  services: {
    readonly store: Store;
    readonly agents: AgentRegistry;
    readonly issuer: string;
    readonly now: () => number;
  },
): Promise<AgentForm> {
  const parameters = await readParameters(request, maxBytes);
  if (isAnyRepeated(parameters)) throw new BadRequest(400, 'invalid_request', 'a parameter is repeated');
  const assertion = parameters.get('client_assertion') ?? '';
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
  return { ...authenticated, parameters };
}

/** In one pass: `getAll` for each name would take a stranger's long form quadratic time. */
export function isAnyRepeated(parameters: URLSearchParams): boolean {
  return new Set(parameters.keys()).size < parameters.size;
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

async function readParameters(
  request: IncomingMessage & { readonly body?: unknown },
  maxBytes: number,
): Promise<URLSearchParams> {
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(request.headers['content-type'] ?? '')) {
    throw new BadRequest(415, 'invalid_request', 'send application/x-www-form-urlencoded');
  }
  // A parser of the application may have read the body already.
  if (!request.readable && isJsonObject(request.body)) {
    const entries = Object.entries(request.body).flatMap(([name, value]) =>
      [value].flat().map((each): [string, string] => [name, String(each)]),
    );
    return new URLSearchParams(entries);
  }
  const bytes = await readBounded(request, maxBytes);
  if (bytes === undefined) throw new BadRequest(413, 'invalid_request', `a body has at most ${maxBytes} bytes`);
  return new URLSearchParams(Buffer.from(bytes).toString('utf8'));
}

function refused(detail: string): Error {
  return new errors.InvalidClientAuth(detail);
}
