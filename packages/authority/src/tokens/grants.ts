import type { Confirmation } from '@countersign/delegation';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import validateDpop, { checkDpopReplay } from 'oidc-provider/lib/helpers/validate_dpop.js';
import type { RegisteredKey } from '../agents/agent.js';
import type { Ledger } from '../delegation/ledger.js';
import type { SubjectTokens } from '../delegation/subject-token.js';
import type { Settings } from '../options/read-options.js';
import type { AuthenticatedAgent } from './client-agent.js';
import type { IssueToken } from './issue.js';

/** What the grants of agents share. */
export interface GrantServices {
  readonly settings: Settings;
  readonly ledger: Ledger;
  readonly issue: IssueToken;
  readonly subjectTokens: SubjectTokens;
  readonly now: () => number;
  authenticated(ctx: KoaContextWithOIDC): AuthenticatedAgent;
  confirmation(ctx: KoaContextWithOIDC, key: RegisteredKey): Promise<TokenBinding>;
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
