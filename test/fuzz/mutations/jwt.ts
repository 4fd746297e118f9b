import type { Random } from '../random.js';

/** Changes a compact JWS without its key: parts, JSON, encoding or signature. */
export function mutateJwt(jwt: string, random: Random): string {
  return random.pick(mutations)(jwt, random);
}

type JwtMutation = (jwt: string, random: Random) => string;

const changeJson: JwtMutation = (jwt, random) => {
  const parts = jwt.split('.');
  const at = random.below(2);
  const json = Buffer.from(parts[at] ?? '', 'base64url').toString();
  parts[at] = Buffer.from(random.pick(jsonMutations)(json, random)).toString('base64url');
  return parts.join('.');
};

const jsonMutations: readonly ((json: string, random: Random) => string)[] = [
  (json, random) => json.replace('}', `,"${random.pick(['sub', 'act', 'scope', 'aud', 'alg'])}":"x"}`),
  (json) => json.replace('{', '{ '),
  (json) => json.replace('{', '{"__proto__":{"sub":"user_2"},'),
  (json) => json.replace('user_1', 'user_2'),
  (json) => json.replace('agent-first', 'agent-thief'),
  (json) => json.replace('things:read', 'things:admin'),
  (json) => json.replace(/"exp":(\d)/, '"exp":9$1'),
  (json) => json.replace('"EdDSA"', '"none"'),
  (json) => json.replace('"EdDSA"', '"HS256"'),
  (json) => json.replace('"EdDSA"', '"Ed25519"'),
  (json) => json.replace('}', ',"jwk":{"kty":"OKP","crv":"Ed25519","x":"AAAA"}}'),
  (json) => `${json} `,
  (json, random) => json.slice(0, random.below(json.length)),
  (json, random) => {
    const at = random.below(json.length);
    return json.slice(0, at) + random.pick(['"', '{', '\\', '\u0000', '9', '\u2028']) + json.slice(at);
  },
];

const changeSignature: JwtMutation = (jwt, random) => {
  const at = jwt.lastIndexOf('.') + 1;
  const signature = Buffer.from(jwt.slice(at), 'base64url');
  const byte = random.below(signature.length);
  signature[byte] = (signature[byte] ?? 0) ^ (1 << random.below(8));
  return jwt.slice(0, at) + signature.toString('base64url');
};

/** S + L also satisfies the equation, but RFC 8032 §5.1.7 refuses it. */
const addGroupOrder: JwtMutation = (jwt) => {
  const at = jwt.lastIndexOf('.') + 1;
  const signature = Buffer.from(jwt.slice(at), 'base64url');
  return jwt.slice(0, at) + withGroupOrder(signature).toString('base64url');
};

const mutations: readonly JwtMutation[] = [
  changeJson,
  changeJson,
  changeJson,
  changeSignature,
  addGroupOrder,
  // The last character of a signature has bits that mean nothing.
  (jwt, random) => jwt.slice(0, -1) + random.pick(Array.from('ABCDwxyz019_-')),
  (jwt) => `${jwt}=`,
  (jwt) => `${jwt}.`,
  (jwt) => jwt.slice(0, jwt.lastIndexOf('.') + 1),
  (jwt) => jwt.replace('.', '..'),
  (jwt) => jwt.split('.').toReversed().join('.'),
  (jwt, random) => {
    const at = random.below(jwt.length);
    return jwt.slice(0, at) + random.pick(Array.from('A_-+/=. \t,"~')) + jwt.slice(at + random.below(2));
  },
];

const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

/** A second encoding of the S of an Ed25519 signature. */
export function withGroupOrder(signature: Buffer): Buffer {
  const s = BigInt(`0x${Buffer.from(signature.subarray(32).toReversed()).toString('hex') || '0'}`) + groupOrder;
  const bytes = Buffer.from(s.toString(16).padStart(64, '0').slice(-64), 'hex').toReversed();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}
