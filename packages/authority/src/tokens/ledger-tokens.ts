import { isJsonObject, member } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import { jwkThumbprint } from '@countersign/signature';
import type { Provider } from 'oidc-provider';
import type { Ledger, LedgerEntry } from '../delegation/ledger.js';

/**
 * The access tokens of the library, found in the ledger by their id. So its introspection and revocation see what was
 * issued, and that a token is dead when any hop above it is.
 */
export function ledgerTokens(provider: Provider, ledger: Ledger): unknown {
  // The types of the library describe no subclasses.
  const Base = provider.AccessToken as unknown as new (input: object) => { jti?: string; clientId?: string };

  class AccessToken extends Base {
    #tokenType: unknown;

    static async find(id: string): Promise<AccessToken | undefined> {
      const entry = await ledger.find(id);
      if (entry === undefined) return undefined;
      const token = new AccessToken(membersOf(entry));
      token.#tokenType = entry.claims['token_type'];
      return token;
    }

    get tokenType(): unknown {
      return this.#tokenType ?? 'Bearer';
    }

    async destroy(): Promise<void> {
      const by = { id: this.clientId ?? '', type: 'agent' } as const;
      if (this.jti !== undefined) await ledger.revoke({ delegation: this.jti }, by);
    }
  }
  return AccessToken;
}

/** What whoever introspects a token has to know besides, as from the token itself. */
const shown = ['sub_profile', 'scope_match', 'act', 'ancestors', 'authorization_details', 'max_hops'];

function membersOf({ id, actor, subject, expiresAt, claims }: LedgerEntry): object {
  return {
    jti: id,
    iat: claims['iat'],
    exp: expiresAt,
    clientId: actor,
    aud: claims['aud'],
    scope: claims['scope'],
    jkt: thumbprintOf(claims['cnf']),
    extra: {
      sub: subject,
      ...Object.fromEntries(shown.filter((name) => claims[name] !== undefined).map((name) => [name, claims[name]])),
    },
  };
}

function thumbprintOf(confirmation: unknown): string | undefined {
  if (!isJsonObject(confirmation)) return undefined;
  const [jkt, jwk] = [member(confirmation, 'jkt'), member(confirmation, 'jwk')];
  if (isIdentifier(jkt)) return jkt;
  return isJsonObject(jwk) ? jwkThumbprint(jwk) : undefined;
}
