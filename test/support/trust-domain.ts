import { createPublicKey, generateKeyPairSync, type KeyObject, randomBytes, sign, X509Certificate } from 'node:crypto';

/** The keys with which a trust domain signs. */
export interface TrustDomain {
  readonly name: string;
  readonly kid: string;
  readonly jwtKey: KeyObject;
  readonly ca: CertificateAuthority;
  id(path: string): string;
  /** A JWT-SVID of a workload; `change` replaces claims, and undefined takes one away. */
  jwtSvid(path: string, audience: string, change?: SvidChange): string;
  x509Svid(path: string, change?: CertificateChange): IssuedCertificate;
  /** The bundle as `spire-server bundle show -format spiffe` writes it. */
  bundle(): { keys: Record<string, unknown>[] };
}

export interface SvidChange {
  readonly claims?: Readonly<Record<string, unknown>>;
  readonly header?: Readonly<Record<string, unknown>>;
}

export interface IssuedCertificate {
  readonly key: KeyObject;
  readonly certificate: X509Certificate;
  readonly keyPem: string;
  readonly certificatePem: string;
}

export interface CertificateAuthority {
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
  issue(change: CertificateChange): IssuedCertificate;
}

export interface CertificateChange {
  readonly uris?: readonly string[];
  readonly dns?: readonly string[];
  readonly isCa?: boolean;
  readonly notBefore?: Date;
  readonly notAfter?: Date;
  readonly commonName?: string;
}

export function trustDomain(name = 'example.org'): TrustDomain {
  const { privateKey: jwtKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(8).toString('hex');
  const ca = certificateAuthority(name);
  const id = (path: string): string => `spiffe://${name}${path}`;
  return {
    name,
    kid,
    jwtKey,
    ca,
    id,
    jwtSvid(path, audience, { claims = {}, header = {} } = {}) {
      const now = Math.floor(Date.now() / 1000);
      const parts = [
        { alg: 'ES256', kid, typ: 'JWT', ...header },
        { sub: id(path), aud: [audience], exp: now + 300, iat: now, ...claims },
      ];
      const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      const signature = sign('sha256', Buffer.from(input), { key: jwtKey, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
    x509Svid: (path, change = {}) => ca.issue({ uris: [id(path)], ...change }),
    bundle: () => ({
      keys: [
        { ...createPublicKey(jwtKey).export({ format: 'jwk' }), kid, use: 'jwt-svid' },
        {
          ...ca.certificate.publicKey.export({ format: 'jwk' }),
          use: 'x509-svid',
          x5c: [ca.certificate.raw.toString('base64')],
        },
      ],
    }),
  };
}

/** A root certificate of a trust domain, or below another authority. */
export function certificateAuthority(name: string, parent?: CertificateAuthority): CertificateAuthority {
  const subject = `CA of ${name} ${randomBytes(4).toString('hex')}`;
  const uris = [`spiffe://${name}`];
  const own =
    parent?.issue({ uris, isCa: true, commonName: subject }) ?? selfIssued({ uris, isCa: true, commonName: subject });
  const { key, certificate } = own;
  return { key, certificate, issue: (change) => issueCertificate(change, { key, name: subject }) };
}

function selfIssued(change: CertificateChange): IssuedCertificate {
  return issueCertificate(change, undefined);
}

/** RFC 5280 §4.1, with ECDSA on P-256. Undefined: the certificate issues itself. */
export function issueCertificate(
  { uris = [], dns = [], isCa = false, notBefore, notAfter, commonName = 'workload' }: CertificateChange,
  issuer: { readonly key: KeyObject; readonly name: string } | undefined,
): IssuedCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = sequence(oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02));
  const names = [...uris.map((uri) => der(0x86, Buffer.from(uri))), ...dns.map((name) => der(0x82, Buffer.from(name)))];
  const extensions = sequence(
    sequence(oid(0x55, 0x1d, 0x13), critical, octets(sequence(...(isCa ? [critical] : [])))),
    sequence(oid(0x55, 0x1d, 0x0f), critical, octets(der(0x03, Buffer.from(isCa ? [1, 0x06] : [7, 0x80])))),
    ...(names.length === 0 ? [] : [sequence(oid(0x55, 0x1d, 0x11), octets(sequence(...names)))]),
  );
  const validity = sequence(
    time(notBefore ?? new Date(Date.now() - 3_600_000)),
    time(notAfter ?? new Date(Date.now() + 3_600_000)),
  );
  const serial = Buffer.concat([Buffer.from([1]), randomBytes(8)]);
  const toBeSigned = sequence(
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, serial),
    algorithm,
    nameOf(issuer?.name ?? commonName),
    validity,
    nameOf(commonName),
    publicKey.export({ format: 'der', type: 'spki' }),
    der(0xa3, extensions),
  );
  const signature = sign('sha256', toBeSigned, issuer?.key ?? privateKey);
  const certificate = new X509Certificate(
    sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature]))),
  );
  return {
    key: privateKey,
    certificate,
    keyPem: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    certificatePem: certificate.toString(),
  };
}

const critical = Buffer.from([0x01, 0x01, 0xff]);

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(commonName)))));
}

function time(date: Date): Buffer {
  return der(0x17, Buffer.from(`${date.toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`));
}

function octets(content: Buffer): Buffer {
  return der(0x04, content);
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
