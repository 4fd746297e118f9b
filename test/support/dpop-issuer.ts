import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { calculateJwkThumbprint, EmbeddedJWK, jwtVerify } from 'jose';
import { accessToken, ed25519Issuer, type TestIssuer } from './tokens.js';

export interface DpopIssuer {
  readonly issuer: TestIssuer;
  readonly tokenEndpoint: string;
  close(): Promise<void>;
}

/** For whom a client gets a token: for itself, or by exchange (RFC 8693) for this user. */
export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';
export const exchangingUser = 'user_123';

/** An issuer with a token endpoint that binds each token to the key of the DPoP proof (RFC 9449 §5), verified with jose. */
export async function startDpopIssuer(): Promise<DpopIssuer> {
  const server = createServer((request, response) => {
    answer(request).then(
      (body) => response.setHeader('content-type', 'application/json').end(JSON.stringify(body)),
      (error: unknown) => {
        response.statusCode = 400;
        response.setHeader('content-type', 'application/json');
        response.end(JSON.stringify({ error: 'invalid_request', error_description: String(error) }));
      },
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const issuer = ed25519Issuer(url, 'dpop-1');
  const tokenEndpoint = `${url}/token`;

  async function answer(request: IncomingMessage): Promise<object> {
    const proof = String(request.headers['dpop']);
    const { payload, protectedHeader } = await jwtVerify(proof, EmbeddedJWK, { typ: 'dpop+jwt', maxTokenAge: 60 });
    if (payload['htm'] !== 'POST' || payload['htu'] !== tokenEndpoint)
      throw new Error('the proof is for another request');
    if (protectedHeader.jwk === undefined) throw new Error('the proof has no key');
    const form = new URLSearchParams(await bodyOf(request));
    const clientId = form.get('client_id') ?? '';
    const scope = form.get('scope') ?? '';
    const now = Math.floor(Date.now() / 1000);
    const forUser = form.get('grant_type') === exchangeGrant;
    const token = await accessToken(issuer, {
      iss: url,
      aud: form.get('resource'),
      client_id: clientId,
      sub: forUser ? exchangingUser : clientId,
      act: forUser ? { sub: clientId } : undefined,
      scope,
      iat: now,
      exp: now + 300,
      jti: crypto.randomUUID(),
      cnf: { jkt: await calculateJwkThumbprint(protectedHeader.jwk) },
    });
    return { access_token: token, token_type: 'DPoP', expires_in: 300, scope };
  }

  return {
    issuer,
    tokenEndpoint,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
}
