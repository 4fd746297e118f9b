import { createHash, generateKeyPairSync, timingSafeEqual } from 'node:crypto';
import { DelegationError, mintDelegation, parseScope, scopeCovers } from '@countersign/delegation';
import express, { type Express } from 'express';

/** A user of the issuer, and the scopes that the user may delegate. */
export interface User {
  readonly id: string;
  readonly password: string;
  readonly scope: readonly string[];
}

export interface IssuerOptions {
  /** Its name, and its URL. */
  readonly issuer: string;
  /** The API that accepts its tokens. */
  readonly audience: string;
  readonly users: readonly User[];
}

/**
 * A tiny stand-in for your identity provider: a user signs in with a password and delegates a part of their rights to an
 * agent, for a short time. `POST /delegate` answers with the token, `GET /jwks.json` with the key that verifies it.
 */
export function createIssuer({ issuer, audience, users }: IssuerOptions): Express {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const keyId = 'issuer-key-1';
  const app = express();

  app.get('/jwks.json', (_req, res) => {
    res.json({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: keyId, alg: 'EdDSA', use: 'sig' }] });
  });

  app.post('/delegate', express.json(), async (req, res) => {
    const user = signedIn(users, req.get('authorization'));
    if (user === undefined)
      return void res.status(401).set('www-authenticate', 'Basic').json({ error: 'invalid_client' });

    const { agent, scope, lifetimeSeconds } = req.body ?? {};
    const wanted = parseScope(scope);
    // A user cannot delegate more than their own scopes.
    if (!wanted.ok || !wanted.scope.every((one) => scopeCovers(user.scope, one))) {
      return void res.status(400).json({ error: 'invalid_scope' });
    }
    try {
      const token = await mintDelegation({
        issuer,
        key: privateKey,
        keyId,
        user: user.id,
        agent,
        scope: wanted.scope,
        audience,
        lifetimeSeconds,
        now: Math.floor(Date.now() / 1000),
      });
      res.status(201).set('cache-control', 'no-store');
      res.json({ access_token: token, token_type: 'Bearer', expires_in: lifetimeSeconds, scope });
    } catch (error) {
      if (!(error instanceof DelegationError)) throw error;
      res.status(400).json({ error: 'invalid_request', error_description: error.code });
    }
  });
  return app;
}

/** The user whose name and password an HTTP Basic header carries (RFC 7617). */
function signedIn(users: readonly User[], authorization = ''): User | undefined {
  const [, credentials = ''] = /^Basic ([A-Za-z0-9+/]+=*)$/i.exec(authorization) ?? [];
  const [name, ...password] = Buffer.from(credentials, 'base64').toString().split(':');
  const user = users.find(({ id }) => id === name);
  return user !== undefined && sameSecret(user.password, password.join(':')) ? user : undefined;
}

/** Compares in constant time, for any lengths. */
function sameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
