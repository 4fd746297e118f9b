import { createPublicKey, type JsonWebKey } from 'node:crypto';
import { expect, it } from 'vitest';
import { jwkThumbprint, requireComponents, verificationKey, verifyMessage } from '../src/index.js';
import { describeVectors } from './support/vectors.js';

interface Vector {
  readonly key: JsonWebKey;
  readonly target_url: string;
  readonly created_ms: number;
  readonly signature: string;
  readonly signature_input: string;
  readonly signature_agent?: string;
  readonly signature_agent_key?: string;
}

const PATH = 'web-bot-auth/packages/web-bot-auth/test/test_data/';

describeVectors('Web Bot Auth', PATH, (vectors) => {
  for (const file of ['web_bot_auth_architecture_v1.json', 'web_bot_auth_architecture_v2.json']) {
    it(`verifies ${file}`, async () => {
      for (const vector of vectors.json(file) as Vector[]) {
        const { host, pathname, protocol } = new URL(vector.target_url);
        const publicJwk = publicPart(vector.key);
        const member = vector.signature_agent_key;
        const agent = member === undefined ? 'signature-agent' : `"signature-agent";key="${member}"`;
        const agentField = vector.signature_agent === undefined ? [] : ['Signature-Agent', vector.signature_agent];
        const result = await verifyMessage(
          {
            method: 'GET',
            scheme: protocol === 'https:' ? 'https' : 'http',
            authority: host,
            target: pathname,
            rawFields: [...agentField, 'Signature-Input', vector.signature_input, 'Signature', vector.signature],
          },
          {
            select: { tag: 'web-bot-auth' },
            components: requireComponents({ all: ['@authority', ...(agentField.length === 0 ? [] : [agent])] }),
            parameters: ['created', 'expires', 'keyid', 'tag'],
            algorithms: ['ed25519', 'rsa-pss-sha512'],
            now: vector.created_ms / 1000,
            maxAgeSeconds: 3600,
            clockSkewSeconds: 0,
            resolveKey: ({ parameters }) => {
              expect(parameters.keyid).toBe(jwkThumbprint(publicJwk));
              return verificationKey(createPublicKey({ format: 'jwk', key: publicJwk }));
            },
          },
        );
        expect(result, vector.signature_input).toMatchObject({ ok: true });
      }
    });
  }
});

function publicPart({ kty, crv, x, n, e }: JsonWebKey): JsonWebKey {
  return Object.fromEntries(Object.entries({ kty, crv, x, n, e }).filter(([, value]) => value !== undefined));
}
