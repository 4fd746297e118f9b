import type { X509Certificate } from 'node:crypto';
import { type DerElement, readDer, readInner } from './der.js';

/** A name in a certificate, or the base of a constraint on names (RFC 5280 §4.2.1.6). */
export type GeneralName = Pick<DerElement, 'tag' | 'content'>;

/** Tags of the forms of names that this package knows. */
export const nameForms = { email: 0x81, dns: 0x82, directory: 0xa4, uri: 0x86 } as const;

/** The parts of a certificate that decide about a path, and that `node:crypto` does not show. */
export interface CertificateRules {
  /** Whether nobody can find collisions of the hash that was signed. */
  readonly isSignedStrongly: boolean;
  /** Whether basicConstraints says so. */
  readonly isAuthority: boolean;
  /** The first eight bits. Undefined: any usage. */
  readonly keyUsage: number | undefined;
  /** OIDs in hexadecimal. Undefined: any usage. */
  readonly extendedKeyUsage: readonly string[] | undefined;
  /** How many authorities may follow between it and a workload. */
  readonly pathLength: number;
  readonly names: readonly GeneralName[];
  readonly permitted: readonly GeneralName[];
  readonly excluded: readonly GeneralName[];
}

const tags = { boolean: 0x01, integer: 0x02, bits: 0x03, octets: 0x04, oid: 0x06, sequence: 0x30 } as const;

const extensionIds = {
  keyUsage: '551d0f',
  subjectAltName: '551d11',
  basicConstraints: '551d13',
  nameConstraints: '551d1e',
  extendedKeyUsage: '551d25',
} as const;

/** Policies change nothing as long as no policy is required, which is what the extension that is not here does. */
const policyIds = { certificatePolicies: '551d20', policyMappings: '551d21', inhibitAnyPolicy: '551d36' } as const;
const knownIds: readonly string[] = [...Object.values(extensionIds), ...Object.values(policyIds)];

/** RSA and ECDSA with SHA-256, SHA-384 and SHA-512, Ed25519 and Ed448. */
const strongSignatures = [
  '2a864886f70d01010b',
  '2a864886f70d01010c',
  '2a864886f70d01010d',
  '2a8648ce3d040302',
  '2a8648ce3d040303',
  '2a8648ce3d040304',
  '2b6570',
  '2b6571',
];
const pss = '2a864886f70d01010a';
const strongHashes = ['608648016503040201', '608648016503040202', '608648016503040203'];
/** The forms of names as DER has them (RFC 5280 §4.2.1.6). In BER, a text may also consist of others, under other tags. */
const nameTags: readonly number[] = [0xa0, 0x81, 0x82, 0xa3, 0xa4, 0xa5, 0x86, 0x87, 0x88];
const emailAddress = Buffer.from('06092a864886f70d010901', 'hex');

/**
 * Reads what RFC 5280 §6.1 asks of each certificate in a path.
 *
 * @throws if it is not in DER, has an extension twice, or a critical one that is not known here.
 */
export function readRules({ raw }: X509Certificate): CertificateRules {
  const [body, algorithm] = readInner(raw, tags.sequence);
  if (body === undefined || algorithm === undefined) throw new Error('it is no certificate');
  const [version, _serial, _algorithm, _issuer, _validity, subject, ...others] = readDer(body.content);
  if (version?.tag !== 0xa0 || subject === undefined) throw new Error('it has no extensions');
  const extensions = readExtensions(others.find(({ tag }) => tag === 0xa3));
  const read = <Value>(id: keyof typeof extensionIds, reading: (value: Buffer) => Value): Value | undefined => {
    const value = extensions.get(extensionIds[id]);
    return value === undefined ? undefined : reading(value);
  };
  const constraints = read('nameConstraints', (value) => readInner(value, tags.sequence)) ?? [];
  if (!constraints.every(({ tag }) => tag === 0xa0 || tag === 0xa1)) throw new Error('its constraints are malformed');
  const basesWith = (wanted: number): readonly GeneralName[] =>
    constraints.filter(({ tag }) => tag === wanted).flatMap(({ content }) => readDer(content).map(readSubtree));
  return {
    isSignedStrongly: isStrong(algorithm),
    isAuthority: read('basicConstraints', isAuthority) ?? false,
    keyUsage: read('keyUsage', (value) => only(value, tags.bits).content[1] ?? 0),
    extendedKeyUsage: read('extendedKeyUsage', (value) => readInner(value, tags.sequence).map(idOf)),
    pathLength: read('basicConstraints', readPathLength) ?? Infinity,
    names: [
      ...(read('subjectAltName', (value) => readInner(value, tags.sequence).map(readName)) ?? []),
      ...(subject.content.length > 0 ? [{ tag: nameForms.directory, content: subject.content }] : []),
      ...(subject.content.includes(emailAddress) ? [{ tag: nameForms.email, content: subject.content }] : []),
    ],
    permitted: basesWith(0xa0),
    excluded: basesWith(0xa1),
  };
}

/** RSASSA-PSS names its hash in its parameters: SHA-1 if it names none (RFC 4055 §3.1). */
function isStrong({ content }: DerElement): boolean {
  const [id, parameters] = readDer(content);
  if (idOf(id) !== pss) return strongSignatures.includes(idOf(id));
  const hash = readDer(parameters?.content ?? Buffer.alloc(0)).find(({ tag }) => tag === 0xa0);
  return hash !== undefined && strongHashes.includes(idOf(readInner(hash.content, tags.sequence)[0]));
}

function readExtensions(element: DerElement | undefined): ReadonlyMap<string, Buffer> {
  const found = new Map<string, Buffer>();
  if (element === undefined) return found;
  for (const { content } of readInner(element.content, tags.sequence)) {
    const fields = readDer(content);
    const id = idOf(fields[0]);
    const value = fields.at(-1);
    const isCritical = fields.length === 3;
    // DER leaves out what is false.
    const isPlain = !isCritical || (fields[1]?.tag === tags.boolean && fields[1].content[0] === 0xff);
    if (value?.tag !== tags.octets || !isPlain || fields.length > 3) throw new Error('an extension is malformed');
    if (found.has(id)) throw new Error('it has an extension twice');
    if (isCritical && !knownIds.includes(id)) throw new Error('it has a critical extension that is not known here');
    found.set(id, value.content);
  }
  return found;
}

function idOf(element: DerElement | undefined): string {
  if (element?.tag !== tags.oid) throw new Error('an identifier is missing');
  return element.content.toString('hex');
}

function only(bytes: Buffer, tag: number): DerElement {
  const [element, ...others] = readDer(bytes);
  if (element?.tag !== tag || others.length > 0) throw new Error('an extension is malformed');
  return element;
}

function isAuthority(value: Buffer): boolean {
  const [flag] = readInner(value, tags.sequence);
  return flag?.tag === tags.boolean && flag.content[0] !== 0;
}

function readPathLength(value: Buffer): number {
  const length = readInner(value, tags.sequence).find(({ tag }) => tag === tags.integer)?.content;
  if (length === undefined) return Infinity;
  // More than 127, or less than 0, is no length of a path.
  if (length.length !== 1 || (length[0] ?? 0) > 127) throw new Error('its path length is malformed');
  return length[0] ?? 0;
}

/** Its minimum and maximum are always the default (RFC 5280 §4.2.1.10). */
function readSubtree({ content }: DerElement): GeneralName {
  const [base, ...bounds] = readDer(content);
  if (base === undefined || bounds.length > 0) throw new Error('a constraint on its names is malformed');
  return readName(base);
}

function readName(name: DerElement): GeneralName {
  if (!nameTags.includes(name.tag)) throw new Error('one of its names is no DER');
  return name;
}
