import { ConfigError, isPromise } from '@countersign/common';
import { ownTokens, type TokenOptions, type UserToken, userTokens } from './authority/act-for.js';
import type { HeldToken } from './authority/held-token.js';
import { AgentError } from './agent-error.js';
import type { ApprovalHandler, ApprovalOptions, ApprovalQuestion } from './approval-question.js';
import { approvalEndpoint } from './authority/approval-endpoint.js';
import { authorityClient } from './authority/authority-client.js';
import { tokenEndpoint } from './authority/token-endpoint.js';
import { type DelegationBundle, openBundle } from './bundle.js';
import { delegate, type DelegateOptions } from './delegate.js';
import { type AgentOptions, readOptions } from './options.js';
import { type Hold, type RequestToSign, signedFetch, type SignedRequest, signRequest } from './signed-fetch.js';

/** What can sign, send and hand on: an agent acting for itself, with a token, or with what another agent handed on. */
export interface Signer {
  /**
   * The standard `fetch`, with every request signed. Every kind of body works; it is read into memory first.
   * Redirects are refused (`AgentError` `redirect_refused`), since a signature is for one URL; with
   * `redirect: 'manual'` the 3xx answer is returned. `redirect: 'follow'` is refused with a `TypeError`.
   * A call that an API refuses with 503 `replay_unknown`, after a restart, is signed anew and sent again, at most three times.
   */
  readonly fetch: typeof fetch;
  /** Signs a request that another HTTP client sends. Nothing is sent. */
  readonly signRequest: (request: RequestToSign) => Promise<SignedRequest>;
  /**
   * Hands on less than it holds to another agent, offline: signs one link and bundles it with what this signer acts
   * with. Rejects with `AgentError` `delegation_impossible`, and signs nothing, if an API would refuse it: if it is wider
   * in any way than what is handed on, forbidden by its `max_hops`, or for an agent that is in the chain already.
   *
   * @example
   * const bundle = await forUser.delegate('agent-test-runner', { scope: ['repo:read'], ttlSeconds: 60 });
   * const text = JSON.stringify(bundle);
   */
  readonly delegate: (delegateId: string, options: DelegateOptions) => Promise<DelegationBundle>;
}

/** An agent with an identity of its own. */
export interface Agent extends Signer {
  readonly id: string;
  /** JWK thumbprint of its key: the `keyid` of its signatures. */
  readonly keyId: string;
  /**
   * The same agent acting with an access token: `Authorization: Bearer` is added to each request, and covered by the
   * signature. Throws `TypeError` if the text cannot be a token.
   */
  readonly withToken: (token: string) => Signer;
  /**
   * The same agent acting for a user, with tokens that the authority gives in exchange for the user's (RFC 8693). The first
   * is got now, so that a refusal shows here; later ones before the last expires. Rejects with `AgentError`
   * `token_refused` or `authority_unavailable`.
   *
   * @example
   * const forUser = await agent.actFor(userToken, { scope: ['repo:read'] });
   */
  readonly actFor: (userToken: UserToken, options?: TokenOptions) => Promise<Signer>;
  /** The same agent acting for itself, with tokens of the authority. They are got and renewed like those of `actFor`. */
  readonly withOwnToken: (options?: TokenOptions) => Promise<Signer>;
  /**
   * The same agent acting with what another agent handed on to it: `Agent-Delegation`, and the token if there is one,
   * are added to each request, and covered by the signature. Throws `AgentError` `bundle_invalid` if the bundle is not
   * for this agent and key, malformed or expired, or if the agent is a workload of SPIFFE, which takes tokens by `actFor`.
   * Whether its signatures count is for the API to say.
   *
   * @example
   * const response = await agent.accept(JSON.parse(text)).fetch('https://api.acme.dev/repos/acme/api');
   */
  readonly accept: (bundle: DelegationBundle) => Signer;
  /**
   * Asks people at the authority to approve what an API refused with `approval_required`, and waits until they decide.
   * Resolves to the approval, which the same request carries as `Agent-Approval`, or a call of MCP in `_meta` as
   * `countersign/approval`. Rejects with `AgentError` `approval_denied`, `approval_expired`, `approval_refused` or
   * `authority_unavailable`.
   *
   * @example
   * const approval = await agent.requestApproval(question, { onAsked: ({ url }) => console.log(`Waiting for ${url}`) });
   */
  readonly requestApproval: (question: ApprovalQuestion, options?: ApprovalOptions) => Promise<string>;
}

/**
 * Creates an agent. Rejects with `ConfigError` if an option is wrong or unknown, and with `AgentError`
 * `identity_unavailable` if the SPIFFE Workload API gives no identity.
 *
 * @example
 * const agent = await createAgent({ id: 'agent-code-reviewer-01', key: loadAgentKey(pem) });
 * const response = await agent.fetch('https://api.acme.dev/repos/acme/api/pulls', { method: 'POST', body });
 *
 * @example
 * const socket = process.env.SPIFFE_ENDPOINT_SOCKET;
 * const workload = await createAgent({ spiffe: { socket }, authority: 'https://id.acme.dev' });
 */
export async function createAgent(options: AgentOptions): Promise<Agent> {
  const settings = await readOptions(options);
  const { authority, onApprovalRequired } = settings;
  const client = authority === undefined ? undefined : authorityClient(authority, settings);
  const tokens = client && tokenEndpoint(client);
  const approvals = client && approvalEndpoint(client);

  const requestApproval = async (question: ApprovalQuestion, given: ApprovalOptions = {}): Promise<string> =>
    await required('requestApproval', approvals).request(question, given);
  const approve: ApprovalHandler | undefined =
    onApprovalRequired === 'wait'
      ? (question, signal) => requestApproval(question, signal === undefined ? {} : { signal })
      : onApprovalRequired;

  function signer(hold: Hold): Signer {
    return Object.freeze({
      fetch: (input, init) => signedFetch(settings, { hold, approve }, input, init),
      signRequest: async (request) => await signRequest(settings, await hold(), request),
      delegate: async (delegateId, given) => await delegate(settings, await hold(), delegateId, given),
    } satisfies Signer);
  }

  async function withHeld(held: HeldToken): Promise<Signer> {
    await held.current();
    return signer(async () => ({ token: await held.current(), links: [] }));
  }

  // No API knows the key of a workload but by a token.
  const own = settings.workload && ownTokens(required('spiffe', tokens), settings, {});

  return Object.freeze({
    id: settings.id,
    keyId: settings.key.keyId,
    ...signer(own === undefined ? () => ({ links: [] }) : async () => ({ token: await own.current(), links: [] })),
    withToken: (token) => {
      const credentials = { token: readToken(token), links: [] };
      return signer(() => credentials);
    },
    actFor: async (user, given = {}) => await withHeld(userTokens(required('actFor', tokens), settings, user, given)),
    withOwnToken: async (given = {}) => await withHeld(ownTokens(required('withOwnToken', tokens), settings, given)),
    accept: (bundle) => {
      // No directory of an API has its key, and with links a token vouches for the key of the first delegator only.
      if (settings.workload !== undefined) {
        throw new AgentError(
          'bundle_invalid',
          'accept: the key of a workload is known by its own token alone, so it cannot use what was handed on offline. Let the authority exchange the token of the other agent: agent.actFor(token).',
        );
      }
      const recipient = { id: settings.id, keyId: settings.key.keyId, now: settings.clock() / 1000 };
      const credentials = openBundle(bundle, recipient);
      return signer(() => credentials);
    },
    requestApproval,
  } satisfies Agent);
}

function required<Endpoint>(owner: string, endpoint: Endpoint | undefined): Endpoint {
  if (endpoint !== undefined) return endpoint;
  throw new ConfigError(`${owner}: the agent has no authority. Give createAgent the option 'authority'.`);
}

/** RFC 6750 §2.1: the characters of a token. Anything else would change the header's meaning. */
function readToken(token: unknown): string {
  if (isPromise(token)) throw new TypeError("withToken: the token is a promise. Write 'await' before it.");
  if (typeof token === 'string' && /^[A-Za-z0-9\-._~+/]+=*$/.test(token)) return token;
  throw new TypeError('withToken: this is not an access token (RFC 6750 allows letters, digits and -._~+/ only).');
}
