import type { Confirmation } from '@countersign/delegation';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import validateDpop, { checkDpopReplay } from 'oidc-provider/lib/helpers/validate_dpop.js';
import type { RegisteredAgent, RegisteredKey } from '../agents/agent.js';
import type { Ledger } from '../delegation/ledger.js';
import type { SubjectTokens } from '../delegation/subject-token.js';
import type { Settings } from '../options/read-options.js';
import type { AuthenticatedAgent } from './client-agent.js';
import type { IssueToken } from './issue.js';
import { oauthError } from './oauth-error.js';

/** What every grant needs, also one that no library calls. */
export interface IssueServices {
  readonly settings: Settings;
  readonly issue: IssueToken;
  readonly subjectTokens: SubjectTokens;
  readonly now: () => number;
}

/** A request for a token, by an agent that proved itself. */
export interface GrantRequest {
  readonly agent: RegisteredAgent;
  readonly parameters: Readonly<Record<string, unknown>>;
  /** The key with which the agent proved itself. */
  readonly thumbprint: string;
  /** Unix seconds: no token for this request lives longer. */
  readonly notAfter?: number;
  /** What the token is bound to. Asked for last: it may use up a proof. */
  binding(): Promise<TokenBinding>;
}

/** When a token expires that is asked for now. @throws `invalid_grant`. */
export function expiryOf({ notAfter = Infinity }: GrantRequest, { settings, now }: IssueServices): number {
  const expiresAt = Math.min(now() + settings.tokenLifetimeSeconds, notAfter);
  if (expiresAt > now()) return expiresAt;
  throw oauthError('invalid_grant', 'what the agent proved itself with has expired');
}

/** What the grants of agents share that the library calls. */
export interface GrantServices extends IssueServices {
  readonly ledger: Ledger;
  authenticated(ctx: KoaContextWithOIDC): AuthenticatedAgent;
  confirmation(ctx: KoaContextWithOIDC, key: RegisteredKey): Promise<TokenBinding>;
}

/** Answers a request of an agent that the library authenticated. */
export async function answerGrant(
  ctx: KoaContextWithOIDC,
  services: GrantServices,
  issue: (request: GrantRequest) => Promise<object>,
): Promise<void> {
  const { agent, key } = services.authenticated(ctx);
  ctx.body = await issue({
    agent,
    parameters: ctx.oidc.params ?? {},
    thumbprint: key.thumbprint,
    binding: () => services.confirmation(ctx, key),
  });
}

/** The key that a token is bound to, and how its holder proves that it has it. */
export interface TokenBinding {
  readonly confirmation: Confirmation;
  readonly tokenType: 'Bearer' | 'DPoP';
}

/**
 * Binds a token to the key of a DPoP proof (RFC 9449 §5) if the request has one, and else to the registered key that
 * signed the assertion: no token of the authority is usable without a proof.
 *
 * @throws the refusals of the library, if the proof does not count.
 */
export async function bindToken(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  { thumbprint, jwk }: RegisteredKey,
): Promise<TokenBinding> {
  const proof = await validateDpop(provider, ctx);
  if (proof === undefined) return { confirmation: { jkt: thumbprint, jwk }, tokenType: 'Bearer' };
  await checkDpopReplay(provider, ctx, proof, String(ctx.oidc.client?.clientId));
  return { confirmation: { jkt: proof.thumbprint }, tokenType: 'DPoP' };
}
