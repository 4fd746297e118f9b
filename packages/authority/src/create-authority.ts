import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Invitations } from './agents/invitations.js';
import type { AgentRegistry } from './agents/registry.js';
import type { ApprovalQueue } from './approvals/queue.js';
import type { Ledger } from './delegation/ledger.js';
import type { AuthorityOptions } from './options/authority-options.js';
import type { Challenges } from './tokens/challenge.js';

/** Registers agents, issues short-lived tokens, exchanges and revokes delegations. */
export interface Authority {
  /**
   * Answers the requests below the issuer: a listener for `node:http` and a middleware for Express. Another request goes to
   * `next`, or is answered with 404.
   */
  readonly listener: (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void) => void;
  readonly agents: AgentRegistry;
  /** Initial access tokens, each for the registration of one agent. */
  readonly invitations: Pick<Invitations, 'create' | 'list' | 'remove'>;
  readonly delegations: Pick<Ledger, 'revoke' | 'listOf'>;
  /** Lets an agent sign a message of the application, and trade it for a token. */
  readonly challenges: Pick<Challenges, 'expect'>;
  /** The queue of approvals, for pages of the application. Undefined without the option `approvals`. */
  readonly approvals: Pick<ApprovalQueue, 'find' | 'list' | 'since' | 'decide' | 'review'> | undefined;
  /** Makes the next signing key. It signs ten minutes later. Rejects if the clock of this process is not that of the database. */
  readonly rotateSigningKey: () => Promise<void>;
  /** Stops the work in the background and closes the store. */
  close(): Promise<void>;
}

/**
 * Creates an authority: an OAuth 2 server for agents, with all its state in the store.
 *
 * @throws ConfigError if an option is wrong.
 *
 * @example
 * const authority = await createAuthority({
 *   issuer: 'https://id.acme.dev',
 *   secret, // openssl rand -base64 32
 *   store: await openSqlite('authority.db'),
 *   resources: [{ audience: 'https://api.acme.dev' }],
 * });
 * createServer(authority.listener).listen(8080);
 */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  // Loaded when first used, because `oidc-provider` prints a warning when it is loaded on Node 20.
  const { composeAuthority } = await import('./compose.js');
  return await composeAuthority(options);
}
