// The cost of verifying a signed request, as a ratio to one bare crypto.verify of the same bytes in the same run.
// Run it with `pnpm bench`, on a quiet machine. Absolute times belong to the machine; the ratios carry over.
import { generateKeyPairSync, verify } from 'node:crypto';
import {
  nativeSigningKey,
  requireComponents,
  signMessage,
  verificationKey,
  verifyMessage,
} from '@countersign/signature';
import { verifySignature as peerVerify } from 'http-message-sig';
import { createVerifier, httpbis } from 'http-message-signatures';
import { Bench } from 'tinybench';

const TARGET = '/repos/acme/api/pulls?draft=true';
const COMPONENTS = ['@method', '@authority', '@path', '@query', 'content-type', 'content-digest', 'authorization'];

const { publicKey, privateKey } = generateKeyPairSync('ed25519');
const now = Math.floor(Date.now() / 1000);
const unsigned = {
  method: 'POST',
  scheme: 'https',
  authority: 'api.example.com',
  target: TARGET,
  rawFields: Object.entries({
    Host: 'api.example.com',
    'User-Agent': 'bench/1',
    Accept: '*/*',
    Connection: 'keep-alive',
    'Content-Type': 'application/json',
    'Content-Length': '18',
    Authorization: `Bearer ${'e'.repeat(400)}`,
    'Content-Digest': 'sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:',
  }).flat(),
};
const signed = await signMessage(unsigned, {
  key: nativeSigningKey(privateKey, { keyId: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' }),
  components: COMPONENTS,
  parameters: { created: now, expires: now + 3600, nonce: 'pT2bNcBzRSq0cF0tE1nG3w', tag: 'bench' },
});
const fields = ['Signature-Input', signed.signatureInput, 'Signature', signed.signature];
const request = { ...unsigned, rawFields: [...unsigned.rawFields, ...fields] };

const data = Buffer.from(signed.signatureBase, 'latin1');
const signature = Buffer.from(signed.signature.slice(5, -1), 'base64');
const policy = {
  select: { tag: 'bench' },
  components: requireComponents({
    all: ['@method'],
    oneOf: [['@target-uri'], ['@authority', '@path', '@query']],
    ifPresent: ['authorization', 'content-type', 'content-digest'],
  }),
  parameters: ['created', 'keyid', 'nonce'],
  algorithms: ['ed25519'],
  now,
  maxAgeSeconds: 3600,
  clockSkewSeconds: 5,
  resolveKey: () => key,
};
const key = verificationKey(publicKey);

const headers = Object.fromEntries(pairs(request.rawFields).map(([name, value]) => [name.toLowerCase(), value]));
const dhensbyRequest = { method: 'POST', url: `https://api.example.com${TARGET}`, headers };
const dhensbyConfig = {
  keyLookup: async () => ({ id: 'k', algs: ['ed25519'], verify: createVerifier(publicKey, 'ed25519') }),
  requiredFields: COMPONENTS,
  requiredParams: ['created', 'keyid', 'nonce'],
};
const cloudflareRequest = {
  kind: 'request',
  method: 'POST',
  targetUri: `https://api.example.com${TARGET}`,
  requestTarget: TARGET,
  fields: pairs(request.rawFields).map(([name, value]) => ({ name, value })),
};
const cloudflareOptions = (check) => ({
  policy: {
    algorithms: ['ed25519'],
    requiredComponents: COMPONENTS,
    requiredParameters: ['created', 'keyid', 'nonce'],
    maxAge: 3600,
    clockSkew: 5,
    now,
  },
  resolveVerifier: () => ({ algorithm: 'ed25519', verify: check }),
});

const onPool = (bytes, given) =>
  new Promise((resolve, reject) => {
    verify(null, bytes, publicKey, given, (error, valid) => (error ? reject(error) : resolve(valid)));
  });
const atOnce = (bytes, given) => verify(null, bytes, publicKey, given);
const expect = (valid) => {
  if (valid !== true) throw new Error('a valid signature was refused');
};

const pool = 'on the thread pool';
const sync = 'on the calling thread';
const bareOnPool = async () => expect(await onPool(data, signature));
const bareAtOnce = () => expect(atOnce(data, signature));
const oursWith = (chosen) => async () => expect((await verifyMessage(request, chosen)).ok);
const cloudflareWith = (options) => async () => expect((await peerVerify(cloudflareRequest, options)) !== null);
const dhensby = async () => expect(await httpbis.verifyMessage(dhensbyConfig, dhensbyRequest));
const cases = [
  { schedule: pool, name: 'crypto.verify', run: bareOnPool },
  { schedule: pool, name: '@countersign/signature', run: oursWith(policy) },
  { schedule: pool, name: 'http-message-sig', run: cloudflareWith(cloudflareOptions(onPool)) },
  { schedule: sync, name: 'crypto.verify', run: bareAtOnce },
  { schedule: sync, name: '@countersign/signature', run: oursWith({ ...policy, cryptoScheduling: 'sync' }) },
  { schedule: sync, name: 'http-message-sig', run: cloudflareWith(cloudflareOptions(atOnce)) },
  { schedule: sync, name: 'http-message-signatures', run: dhensby },
];

// Rounds are interleaved, so that load affects all cases equally; the best of each counts.
const ROUNDS = 5;
const best = new Map();
for (let round = 0; round < ROUNDS; round += 1) {
  const bench = new Bench({ time: 400, warmupTime: 100, throws: true });
  for (const { schedule, name, run } of cases) bench.add(`${schedule}: ${name}`, run);
  await bench.run();
  for (const { name, result } of bench.tasks) {
    const micros = result.latency.p50 * 1000;
    best.set(name, Math.min(best.get(name) ?? Infinity, micros));
  }
}

console.table(
  cases.map(({ schedule, name }) => {
    const micros = best.get(`${schedule}: ${name}`);
    return {
      schedule,
      verifier: name,
      'median µs': micros.toFixed(1),
      'ratio to crypto.verify': (micros / best.get(`${schedule}: crypto.verify`)).toFixed(3),
    };
  }),
);

function pairs(rawFields) {
  return Array.from({ length: rawFields.length / 2 }, (_, at) => [rawFields[2 * at], rawFields[2 * at + 1]]);
}
