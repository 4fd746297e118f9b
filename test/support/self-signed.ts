import { generateKeyPairSync, sign } from 'node:crypto';

/** A key and a certificate for localhost that nobody vouches for, new for each run. */
export function selfSigned(): { readonly key: string; readonly cert: string } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  // ECDSA with SHA-256: browsers take no Ed25519.
  const algorithm = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const name = sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from('localhost')))));
  const validity = sequence(der(0x17, Buffer.from('200101000000Z')), der(0x17, Buffer.from('491231235959Z')));
  const keyInfo = publicKey.export({ format: 'der', type: 'spki' });
  // RFC 5280 §4.1: serial number, algorithm, issuer, validity, subject, key.
  const toBeSigned = sequence(der(0x02, Buffer.from([1])), algorithm, name, validity, name, keyInfo);
  const certificate = sequence(
    toBeSigned,
    algorithm,
    der(0x03, Buffer.from([0]), sign('sha256', toBeSigned, privateKey)),
  );
  return {
    key: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    cert: `-----BEGIN CERTIFICATE-----\n${certificate.toString('base64')}\n-----END CERTIFICATE-----\n`,
  };
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

function oid(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
