import { agentKeyOf, keyNames, keyOf, seedOf, type KeyName } from './principals.js';

/** keys.json: every form in which a private key is read, and texts that are none. */
export function keyVectors(): object {
  return { keys: keyNames.map(keyVector), refused: refused() };
}

function keyVector(name: KeyName): object {
  const key = agentKeyOf(name);
  const message = Buffer.from(`approve-request:${name}`);
  return {
    name,
    seed: seedOf(name).toString('base64'),
    secretKey: Buffer.from(key.exportSecretKey()).toString('base64'),
    pem: key.exportPem(),
    // RFC 5958: the second version has the public key, too.
    pemWithPublicKey: pemOf(
      Buffer.concat([
        Buffer.from('3051020101300506032b657004220420', 'hex'),
        seedOf(name),
        Buffer.from('812100', 'hex'),
        Buffer.from(key.publicKey, 'base64'),
      ]),
    ),
    jwk: key.exportJwk(),
    publicKey: key.publicKey,
    publicJwk: key.publicJwk,
    thumbprint: key.thumbprint,
    signature: { message: message.toString('base64'), signature: keyOf(name).sign(message).toString('base64') },
  };
}

function pemOf(der: Buffer, label = 'PRIVATE KEY'): string {
  return `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;
}

/** A P-256 key (RFC 5915, Appendix B of RFC 8410 has none): any PKCS #8 that is not Ed25519. */
const ellipticCurve = 'MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCAAAQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHw==';

function refused(): object[] {
  const seed = seedOf('orchestrator');
  const jwk = agentKeyOf('orchestrator').exportJwk();
  const { d: _private, ...publicJwk } = jwk;
  const other = Buffer.from(agentKeyOf('runner').publicKey, 'base64');
  const json = (change: object): string => JSON.stringify({ ...jwk, ...change });
  return [
    ['nothing', ''],
    ['a file name', 'agent.pem'],
    ['31 bytes', seed.subarray(1).toString('base64')],
    ['33 bytes', Buffer.concat([seed, seed.subarray(0, 1)]).toString('base64')],
    ['a secret key with the public key of another', Buffer.concat([seed, other]).toString('base64')],
    ['a seed whose base64 has no padding', seed.toString('base64').replace('=', '')],
    ['a seed in hexadecimal', seed.toString('hex')],
    ['a public JWK', JSON.stringify(publicJwk)],
    ['a JWK with the public key of another', json({ x: other.toString('base64url') })],
    ['a JWK for another curve', json({ crv: 'X25519' })],
    ['a JWK of another type', json({ kty: 'EC' })],
    ['a JWK for another algorithm', json({ alg: 'ES256' })],
    ['a JWK for encryption', json({ use: 'enc' })],
    ['a JWK with a short key', json({ d: seed.subarray(1).toString('base64url') })],
    ['a JWK with a padded key', json({ d: `${seed.toString('base64url')}=` })],
    ['a JWK that is cut', json({}).slice(0, -1)],
    ['a PEM that is cut', agentKeyOf('orchestrator').exportPem().slice(0, 60)],
    ['an encrypted PEM', pemOf(seed, 'ENCRYPTED PRIVATE KEY')],
    ['a PEM of another label', pemOf(seed, 'RSA PRIVATE KEY')],
    ['a PEM of another kind of key', pemOf(Buffer.from(ellipticCurve, 'base64'))],
  ].map(([name, input]) => ({ name, input }));
}
