import { createHmac } from 'node:crypto';
import { onEveryHost, refuseEach } from '../support/api.js';
import { reviewer } from '../support/world.js';

const hmac = (secret: Uint8Array) => (base: Buffer) => createHmac('sha256', secret).update(base).digest();

onEveryHost('Algorithms', (api) => {
  const publicBytes = Buffer.from(reviewer.publicBase64, 'base64');
  refuseEach(api, [
    [
      'alg="hmac-sha256" with the public key as secret [A8]',
      () => api.signed({ parameters: { alg: '"hmac-sha256"' }, sign: hmac(publicBytes) }),
      401,
      'algorithm_not_allowed',
    ],
    [
      'an HMAC with the public key as secret, and no alg [A8]',
      () => api.signed({ sign: hmac(publicBytes) }),
      401,
      'signature_invalid',
    ],
    [
      'alg="none" [A8]',
      () => api.signed({ parameters: { alg: '"none"' }, sign: () => Buffer.alloc(0) }),
      401,
      'algorithm_not_allowed',
    ],
    [
      'an alg of another key type [A8]',
      () => api.signed({ parameters: { alg: '"ecdsa-p256-sha256"' } }),
      401,
      'algorithm_not_allowed',
    ],
    [
      'an alg in another case [A8]',
      () => api.signed({ parameters: { alg: '"Ed25519"' } }),
      401,
      'algorithm_not_allowed',
    ],
    ['an empty alg [A8]', () => api.signed({ parameters: { alg: '""' } }), 401, 'algorithm_not_allowed'],
    [
      'an alg that is not a string [A8]',
      () => api.signed({ parameters: { alg: 'ed25519' } }),
      400,
      'signature_malformed',
    ],
    ['an empty signature [A15]', () => api.signed({ sign: () => Buffer.alloc(0) }), 401, 'signature_invalid'],
    [
      'a signature of 63 bytes [A15]',
      () => api.signed({ sign: (base) => reviewer.sign(base).subarray(0, 63) }),
      401,
      'signature_invalid',
    ],
    [
      'a signature of 65 bytes [A15]',
      () => api.signed({ sign: (base) => Buffer.concat([reviewer.sign(base), Buffer.of(0)]) }),
      401,
      'signature_invalid',
    ],
    ['a signature of zeroes [A15]', () => api.signed({ sign: () => Buffer.alloc(64) }), 401, 'signature_invalid'],
    [
      'a non-canonical S [A15]',
      () => api.signed({ sign: (base) => withLargerS(reviewer.sign(base)) }),
      401,
      'signature_invalid',
    ],
    [
      'a signature over other text [A8]',
      () => api.signed({ sign: () => reviewer.sign(Buffer.from('other')) }),
      401,
      'signature_invalid',
    ],
  ]);
});

/** RFC 8032 §5.1.7: S must be below L. S + L fits the same equation, and makes a second signature of the first. */
function withLargerS(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex')}`) + order;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0'), 'hex').toReversed();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}
