import { loadAgentKey } from '@countersign/agent';
import { isWeakEd25519Key, jwkThumbprint } from '@countersign/signature';
import { messageOf } from '../cli-error.js';
import { show } from '../text.js';
import type { Report, Row } from './report.js';

export type JsonObject = Readonly<Record<string, unknown>>;

/** RFC 9421 B.1.4: its private part is printed in the RFC. */
const publishedTestKey = 'poqkLGiymh_W0uP6PZFw-dvez3QJT5SolqXBCW38r0U';

const secret = 'This is a PRIVATE key: whoever has it is the agent. Do not paste it anywhere.';

/** A key and the facts about it. */
interface KeyFacts {
  readonly thumbprint?: string;
  readonly rows: readonly Row[];
  readonly warnings: readonly string[];
}

/** Explains a public or private JWK. */
export function explainJwk(jwk: JsonObject): Report {
  const { rows, warnings } = jwkFacts(jwk);
  const isPrivate = 'd' in jwk;
  return {
    title: isPrivate ? 'Private JSON Web Key' : 'JSON Web Key',
    ...(isPrivate ? { caution: secret } : {}),
    sections: [{ heading: 'key', rows }],
    warnings,
  };
}

/** Explains a private key in PEM or as a nacl secretKey; returns a string that says why if it does not parse. Never shows its secret. */
export function explainPrivateKey(text: string): Report | string {
  try {
    const key = loadAgentKey(text);
    const { rows, warnings } = jwkFacts({ ...key.publicJwk });
    return { title: 'Private key (Ed25519)', caution: secret, sections: [{ heading: 'key', rows }], warnings };
  } catch (error) {
    return messageOf(error);
  }
}

/** Explains base64 of 32 bytes. */
export function explainRawKey(base64: string): Report {
  const { rows, warnings } = rawKeyFacts(base64);
  return {
    title: '32 bytes in base64: an Ed25519 public key, if it is a key',
    sections: [{ heading: 'key', rows }],
    warnings: [...warnings, 'A seed looks the same. If these bytes are a seed, they are secret.'],
  };
}

/** The facts of a registered key: base64 text or a JWK. */
export function keyFacts(key: unknown): KeyFacts {
  if (typeof key === 'string') return rawKeyFacts(key);
  if (typeof key === 'object' && key !== null) return jwkFacts(key as JsonObject);
  return { rows: [], warnings: ['There is no key.'] };
}

function rawKeyFacts(text: string): KeyFacts {
  const bytes = Buffer.from(text, 'base64');
  const canonical = bytes.toString('base64') === text || bytes.toString('base64url') === text;
  if (!canonical || bytes.length !== 32) {
    return { rows: [['public key', show(text)]], warnings: ['The public key is not 32 bytes in base64.'] };
  }
  return ed25519Facts(bytes);
}

function jwkFacts(jwk: JsonObject): KeyFacts {
  const { kty, crv, x } = jwk;
  if (kty === 'OKP' && crv === 'Ed25519' && typeof x === 'string') {
    const facts = rawKeyFacts(x);
    return 'd' in jwk ? { ...facts, warnings: [...facts.warnings, 'It holds the private part "d".'] } : facts;
  }
  const warnings = ['An agent key must be Ed25519: "kty":"OKP","crv":"Ed25519","x":"…".'];
  const rows: Row[] = [['type', `${show(kty)} ${crv === undefined ? '' : show(crv)}`.trim()]];
  try {
    return { rows: [...rows, ['thumbprint', jwkThumbprint(jwk)]], warnings };
  } catch {
    return { rows, warnings };
  }
}

function ed25519Facts(bytes: Buffer): KeyFacts {
  const thumbprint = jwkThumbprint({ kty: 'OKP', crv: 'Ed25519', x: bytes.toString('base64url') });
  const warnings: string[] = [];
  if (isWeakEd25519Key(bytes)) {
    warnings.push('The key is weak (small order or not canonical): it vouches for nothing, and a guard refuses it.');
  }
  if (thumbprint === publishedTestKey) {
    warnings.push('This is the test key of RFC 9421: everyone has its private part, and a guard refuses it.');
  }
  return {
    thumbprint,
    rows: [
      ['type', 'Ed25519'],
      ['public key', bytes.toString('base64')],
      ['thumbprint', thumbprint, '(the keyid of its signatures)'],
    ],
    warnings,
  };
}
