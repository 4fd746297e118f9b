import { generateKeyPairSync, randomUUID } from 'node:crypto';
import {
  computeContentDigest,
  jwkThumbprint,
  nativeSigningKey,
  parseContentDigest,
  type RequestMessage,
  requireComponents,
  signMessage,
  verificationKey,
  verifyContentDigest,
  verifyMessage,
} from '../../src/index.js';

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const keyId = jwkThumbprint(publicKey.export({ format: 'jwk' }));
const now = Date.now() / 1000;

// The client: a request as it will be on the wire.
const body = Buffer.from('{"title":"Fix"}');
const request: RequestMessage = {
  method: 'POST',
  scheme: 'https',
  authority: 'api.acme.dev',
  target: '/repos/acme/api/pulls?draft=true',
  rawFields: ['Content-Type', 'application/json', 'Content-Digest', computeContentDigest(body)],
};
const { signatureInput, signature } = await signMessage(request, {
  key: nativeSigningKey(privateKey, { keyId }),
  components: ['@method', '@authority', '@path', '@query', 'content-type', 'content-digest'],
  parameters: { created: Math.floor(now), nonce: randomUUID(), tag: 'my-profile' },
});

// The server: `rawFields` is Node's `request.rawHeaders`, `target` is `request.url`.
const received = {
  ...request,
  rawFields: [...request.rawFields, 'Signature-Input', signatureInput, 'Signature', signature],
};
const result = await verifyMessage(received, {
  select: { tag: 'my-profile' },
  components: requireComponents({
    all: ['@method'],
    oneOf: [['@target-uri'], ['@authority', '@path', '@query']],
    ifPresent: ['content-type', 'content-digest', 'authorization'],
  }),
  parameters: ['created', 'keyid', 'nonce'],
  algorithms: ['ed25519'],
  now,
  maxAgeSeconds: 60,
  clockSkewSeconds: 5,
  resolveKey: ({ parameters }) => (parameters.keyid === keyId ? verificationKey(publicKey) : { problem: 'unknown' }),
});
const digest = parseContentDigest(received.rawFields);

export const accepted: boolean = result.ok && digest.ok && verifyContentDigest(digest.digests, body).ok;
