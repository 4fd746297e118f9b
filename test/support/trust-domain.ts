import {
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  type KeyPairKeyObjectResult,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto';

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
  readonly subject: string;
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
  /** How many authorities may follow below this one. */
  readonly pathLength?: number;
  /** The bits of keyUsage in DER, without the tag. Default: as X.509-SVID asks. */
  readonly keyUsage?: readonly number[];
  /** More extensions, as `extension` makes them. */
  readonly more?: readonly Buffer[];
  /** Default: SHA-256. */
  readonly hash?: 'sha1';
  /** Default: new ones. */
  readonly keys?: KeyPairKeyObjectResult;
}

export function trustDomain(name = 'example.org', ca = certificateAuthority(name)): TrustDomain {
  const { privateKey: jwtKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const kid = randomBytes(8).toString('hex');
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
export function certificateAuthority(
  name: string,
  parent?: CertificateAuthority,
  change: CertificateChange = {},
): CertificateAuthority {
  const subject = change.commonName ?? `CA of ${name} ${randomBytes(4).toString('hex')}`;
  const asked = { uris: [`spiffe://${name}`], isCa: true, ...change, commonName: subject };
  const { key, certificate } = parent?.issue(asked) ?? issueCertificate(asked, undefined);
  return { subject, key, certificate, issue: (leaf) => issueCertificate(leaf, { key, name: subject }) };
}

/** RFC 5280 §4.1, with ECDSA on P-256. Undefined: the certificate issues itself. */
export function issueCertificate(
  { uris = [], dns = [], isCa = false, notBefore, notAfter, commonName = 'workload', ...change }: CertificateChange,
  issuer: { readonly key: KeyObject; readonly name: string } | undefined,
): IssuedCertificate {
  const { privateKey, publicKey } = change.keys ?? generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { pathLength, hash, more = [], keyUsage = isCa ? [1, 0x06] : [7, 0x80] } = change;
  const algorithm = sequence(
    hash === 'sha1'
      ? oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01)
      : oid(0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02),
  );
  const names = [...uris.map((uri) => der(0x86, Buffer.from(uri))), ...dns.map((name) => der(0x82, Buffer.from(name)))];
  const length = pathLength === undefined ? [] : [der(0x02, Buffer.from([pathLength]))];
  const extensions = sequence(
    extension([0x55, 0x1d, 0x13], sequence(...(isCa ? [critical] : []), ...length)),
    extension([0x55, 0x1d, 0x0f], der(0x03, Buffer.from(keyUsage))),
    ...(names.length === 0 ? [] : [sequence(oid(0x55, 0x1d, 0x11), octets(sequence(...names)))]),
    ...more,
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
  const signature = sign(hash ?? 'sha256', toBeSigned, issuer?.key ?? privateKey);
  // In PEM: Node would look for PEM first, also within the DER.
  const certificate = new X509Certificate(
    pem(sequence(toBeSigned, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])))),
  );
  return {
    key: privateKey,
    certificate,
    keyPem: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    certificatePem: certificate.toString(),
  };
}

function pem(certificate: Buffer): string {
  const lines = certificate.toString('base64').match(/.{1,64}/g) ?? [];
  return ['-----BEGIN CERTIFICATE-----', ...lines, '-----END CERTIFICATE-----', ''].join('\n');
}

const critical = Buffer.from([0x01, 0x01, 0xff]);

/** A critical extension. `id`: the bytes of its OID. */
export function extension(id: readonly number[], value: Buffer): Buffer {
  return sequence(oid(...id), critical, octets(value));
}

function nameOf(commonName: string): Buffer {
  return sequence(der(0x31, sequence(oid(0x55, 0x04, 0x03), der(0x0c, Buffer.from(commonName)))));
}

/** RFC 5280 §4.1.2.5. */
function time(date: Date): Buffer {
  const digits = date.toISOString().replaceAll(/[-:T]/g, '').slice(0, 14);
  const year = date.getUTCFullYear();
  return year < 1950 || year > 2049
    ? der(0x18, Buffer.from(`${digits}Z`))
    : der(0x17, Buffer.from(`${digits.slice(2)}Z`));
}

function octets(content: Buffer): Buffer {
  return der(0x04, content);
}

export function sequence(...parts: readonly Buffer[]): Buffer {
  return der(0x30, ...parts);
}

export function oid(...bytes: readonly number[]): Buffer {
  return der(0x06, Buffer.from(bytes));
}

export function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...size]), content]);
}
