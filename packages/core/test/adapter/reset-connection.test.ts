import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { guarded, host, send, unsigned } from '../../../../test/support/guarded.js';
import { type RawRequest, serialized, withFields } from '../../../../test/support/signed-request.js';
import { accessToken, ed25519Issuer } from '../../../../test/support/tokens.js';
import { admissionOf } from '../../src/adapter/admission.js';
import { admit } from '../../src/adapter/admit.js';
import type { CertificateAgents, CertificateLookup } from '../../src/keys/directory.js';
import type { GuardOptions } from '../../src/options/guard-options.js';
import { Deferred } from '../deferred.js';
import { sendAndReset, serve } from './raw-http.js';

const issuer = ed25519Issuer('https://id.acme.dev', 'k');
const { publicKey } = generateKeyPairSync('ed25519');

/** A workload behind a proxy that ends TLS, and connects with a certificate of its own. */
const behindProxy: CertificateAgents = {
  forwardedBy: ['127.0.0.1'],
  findByCertificate: ({ connection, forwarded }) => {
    if (connection !== undefined) return certificateOf('proxy');
    return forwarded.length === 0 ? { kind: 'none' } : certificateOf('workload');
  },
  statusOf: () => 'unknown',
};

function certificateOf(id: string): CertificateLookup {
  const agent = { id, capabilities: ['repo:read'], roles: [], status: 'active' } as const;
  const expires = Date.now() / 1000 + 600;
  return { kind: 'found', agent, publicKey, thumbprint: id, expires, recheck: () => certificateOf(id) };
}

async function bearerRequest(): Promise<RawRequest> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: issuer.issuer, sub: 'user_123', client_id: 'client-1', aud: `https://${host}` };
  const token = await accessToken(issuer, { ...claims, scope: 'repo:read', iat: now, exp: now + 300, jti: 'j' });
  return withFields(unsigned(), ['Authorization', `Bearer ${token}`]);
}

/** Sends the request, then again on a connection that is reset at once: who was let in, and the refusal. */
async function sentTwice(request: RawRequest, options: Partial<GuardOptions>) {
  const { guard, audit } = await guarded(options);
  const callers: (string | undefined)[] = [];
  let ended = new Deferred();
  await using server = await serve((incoming, response) => {
    void admit(() => guard, { request: incoming, response, target: '/' }, { everyRequest: true }).then((admitted) => {
      if (admitted) {
        callers.push(admissionOf(incoming)?.caller?.actor.id);
        response.end();
      }
      ended.resolve();
    });
  });
  await send(`http://127.0.0.1:${server.port}`, request);
  ended = new Deferred();
  sendAndReset(server, serialized(request));
  await ended.promise;
  return { callers, refused: audit.records.find(({ phase }) => phase === 'authentication') };
}

describe('a client that resets its connection before the request is read', () => {
  it('runs nothing by a bearer token that is known already [A4]', async () => {
    const options = { bearer: true, issuers: [{ issuer: issuer.issuer, jwks: { keys: [issuer.jwk] } }] };
    const { callers, refused } = await sentTwice(await bearerRequest(), options);
    expect(callers).toEqual(['client-1']);
    expect(refused).toMatchObject({ decision: 'deny', code: 'body_incomplete' });
  });

  it('does not act by the certificate of the proxy that it came through [Q7]', async () => {
    const request = withFields(unsigned(), ['X-Forwarded-Client-Cert', 'Hash=a']);
    const { callers, refused } = await sentTwice(request, { mtls: behindProxy, trustedProxies: ['127.0.0.1'] });
    expect(callers).toEqual(['workload']);
    expect(refused).toMatchObject({ decision: 'deny', code: 'signature_required' });
    expect(refused).not.toHaveProperty('claimed');
  });
});
