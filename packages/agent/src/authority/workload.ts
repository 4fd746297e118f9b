import { randomUUID } from 'node:crypto';
import { boundString, checkOptionNames, ConfigError, escapeUnprintable, messageOf } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import { AgentError } from '../agent-error.js';
import { type AgentPrivateKey, generateAgentKey } from '../keys/agent-private-key.js';
import { type ClientProof, signJwt } from './client-proof.js';

export interface SpiffeIdentityOptions {
  /** The Unix socket of the SPIFFE Workload API: a path, or `unix:///PATH` as in SPIFFE_ENDPOINT_SOCKET. */
  readonly socket: string;
  /** Which SPIFFE ID, if the workload has several. Default: the first one. */
  readonly id?: string;
}

/** A workload with a SPIFFE identity. */
export interface Workload {
  readonly id: string;
  /** The key that the agent made for itself. */
  readonly key: AgentPrivateKey;
  /** A JWT-SVID for the authority and the key. The agent of SPIRE keeps it, and gives a new one in time. */
  readonly svid: () => Promise<string>;
}

const longestQuote = 300;
/** So long the JWT-SVID that said who the workload is serves for its first token too. */
const firstSvidMilliseconds = 10_000;

/**
 * Asks the Workload API who this workload is.
 *
 * @throws ConfigError, or AgentError `identity_unavailable`.
 */
export async function openWorkload(options: SpiffeIdentityOptions, authority: string): Promise<Workload> {
  checkOptionNames("createAgent: 'spiffe'", options, ['socket', 'id']);
  // Here, because most agents need no HTTP/2.
  const { audienceForKey, fetchJwtSvid, readSocketPath, readSpiffeId } = await import('@countersign/spiffe');
  const socket = readSocketPath("createAgent, 'spiffe'", options.socket);
  const wanted = options.id;
  if (wanted !== undefined && readSpiffeId(wanted) === undefined) {
    throw new ConfigError(
      "createAgent, 'spiffe': 'id' must be a SPIFFE ID, like 'spiffe://example.org/agent/reviewer'.",
    );
  }
  const key = generateAgentKey();
  // Of no use to whoever steals it without the key, which never leaves this process.
  const audience = audienceForKey(authority, key.keyId);
  const ask = async (id: string | undefined): Promise<{ readonly id: string; readonly token: string }> => {
    try {
      return await fetchJwtSvid(socket, { audience, ...(id !== undefined && { id }) });
    } catch (error) {
      throw unavailable(`the Workload API at ${socket} gives no identity (${messageOf(error)})`, error);
    }
  };
  const first = await ask(wanted);
  const { id } = first;
  if (wanted !== undefined && id !== wanted) throw unavailable(`the Workload API gives the identity ${id}`);
  if (!isIdentifier(id)) throw unavailable('a SPIFFE ID has at most 256 characters');
  let unused: typeof first | undefined = first;
  const until = performance.now() + firstSvidMilliseconds;
  return {
    id,
    key,
    async svid() {
      const svid = (performance.now() < until ? unused : undefined) ?? (await ask(id));
      unused = undefined;
      // Tokens and the key are those of one identity.
      if (svid.id === id) return svid.token;
      throw unavailable(`the Workload API gives the identity ${svid.id} now`);
    },
  };
}

/** draft-ietf-oauth-spiffe-client-auth, with a proof of the key that the token is to be bound to (RFC 9449 §5). */
export async function proveWorkload(
  { svid, key }: Workload,
  { url, now }: { readonly url: URL; readonly now: number },
): Promise<ClientProof> {
  const claims = { htm: 'POST', htu: `${url.origin}${url.pathname}`, iat: now, jti: randomUUID() };
  const dpop = await signJwt(key, { typ: 'dpop+jwt', alg: 'EdDSA', jwk: key.publicJwk }, claims);
  return {
    parameters: {
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe',
      client_assertion: await svid(),
    },
    headers: { dpop },
  };
}

/** The text of others ends up in logs and terminals. */
function unavailable(why: string, cause?: unknown): AgentError {
  const text = escapeUnprintable(boundString(why, longestQuote));
  return new AgentError(
    'identity_unavailable',
    `The agent has no identity now: ${text}.`,
    cause === undefined ? undefined : { cause },
  );
}
