import type { KeyObject, X509Certificate } from 'node:crypto';
import { failed, messageOf, type Reading } from '@countersign/common';
import { type CertificateRules, type GeneralName, nameForms, readRules } from './certificate-rules.js';
import { readSpiffeId } from './spiffe-id.js';
import { isUsableKey } from './usable-key.js';

const usage = { digitalSignature: 0x80, keyAgreement: 0x08, keyCertSign: 0x04, crlSign: 0x02 };
const clientAuth = '2b06010505070302';
/** For one path: each name is compared with each constraint of an authority above it. */
const mostComparisons = 10_000;

/**
 * Whether each certificate of a path allows the path (RFC 5280 §6.1), and until when, in unix seconds. The leaf is first,
 * the authority last. Signatures are verified elsewhere.
 */
export function checkPath(path: readonly X509Certificate[], now: number): Reading<number> {
  let until = Infinity;
  for (const [index, { validFrom, validTo }] of path.entries()) {
    const [from, to] = [validFrom, validTo].map(secondsOf);
    // Written so that a NaN refuses.
    if (!(from !== undefined && to !== undefined && from <= now && now < to)) {
      return failed(index === 0 ? 'it is not valid now' : 'an authority above it is not valid now');
    }
    until = Math.min(until, to);
  }
  try {
    const rules = path.map(readRules);
    const problem = problemOfLeaf(path[0], rules[0]) ?? problemOfPath(rules);
    return problem === undefined ? { ok: true, value: until } : failed(problem);
  } catch (error) {
    return failed(`a certificate of its path cannot be read: ${messageOf(error)}`);
  }
}

/**
 * Unix seconds of a time as Node prints it. NaN: its year has less than four digits, which `Date.parse` would take for one
 * of our century, or it has fractions (RFC 5280 §4.1.2.5.2).
 */
export function secondsOf(text: string): number {
  return /^[A-Z][a-z]{2} [ \d]\d [\d:]{8} \d{4} GMT$/.test(text) ? Date.parse(text) / 1000 : Number.NaN;
}

/** The key, if it can be read and used. */
export function publicKeyOf(certificate: X509Certificate): KeyObject | undefined {
  try {
    const { publicKey } = certificate;
    return isUsableKey(publicKey) ? publicKey : undefined;
  } catch {
    return undefined;
  }
}

/** X.509-SVID §4.3. */
function problemOfLeaf(leaf: X509Certificate | undefined, rules: CertificateRules | undefined): string | undefined {
  if (leaf === undefined || publicKeyOf(leaf) === undefined) return 'its key is weak, or of an unknown kind';
  const { keyUsage = usage.digitalSignature, isAuthority = true } = rules ?? {};
  const mayIssue = (keyUsage & (usage.keyCertSign | usage.crlSign)) !== 0;
  if (isAuthority || mayIssue) return 'it is the certificate of an authority';
  return (keyUsage & (usage.digitalSignature | usage.keyAgreement)) === 0 ? 'its key may not sign' : undefined;
}

function problemOfPath(path: readonly CertificateRules[]): string | undefined {
  let comparisons = 0;
  for (const [index, rules] of path.entries()) {
    const below = path.slice(0, index);
    // The signature of the authority itself says nothing.
    if (index < path.length - 1 && !rules.isSignedStrongly) return 'it is signed with a weak hash';
    if (rules.extendedKeyUsage?.includes(clientAuth) === false) return 'it is not for clients of TLS';
    // Authorities that issue for themselves count as well, which is stricter than RFC 5280.
    if (below.length - 1 > rules.pathLength) return 'too many authorities are between it and that of its trust domain';
    const names = below.flatMap((each) => each.names);
    comparisons += names.length * (rules.permitted.length + rules.excluded.length);
    if (comparisons > mostComparisons) return 'it has too many names and constraints on them';
    if (!names.every((name) => isAllowed(name, rules))) return 'an authority may not issue a name of it';
  }
  // Below one root, as of a company, the authority of each domain could issue the names of the others.
  const domains = new Set(path.slice(0, -1).flatMap(trustDomainsOf));
  return domains.size > 1 ? 'an authority above it is of another trust domain' : undefined;
}

/** A misspelt SPIFFE ID counts as a domain of its own: it must not hide the domain of an authority. */
function trustDomainsOf({ names }: CertificateRules): readonly string[] {
  return names
    .filter(({ tag }) => tag === nameForms.uri)
    .map(({ content }) => content.toString('latin1'))
    .flatMap((uri) => readSpiffeId(uri)?.trustDomain ?? (/^spiffe:/i.test(uri) ? uri : []));
}

/** RFC 5280 §4.2.1.10. A constraint on a form of names that is not known here allows and spares none of that form. */
function isAllowed(name: GeneralName, { permitted, excluded }: CertificateRules): boolean {
  const ofForm = (bases: readonly GeneralName[]): readonly GeneralName[] => bases.filter(({ tag }) => tag === name.tag);
  if (ofForm(excluded).some((base) => isWithin(name, base) !== false)) return false;
  const [first, ...others] = ofForm(permitted);
  return first === undefined || [first, ...others].some((base) => isWithin(name, base) === true);
}

/** Undefined: it cannot be told. */
function isWithin(name: GeneralName, { content }: GeneralName): boolean | undefined {
  const base = content.toString('latin1').toLowerCase();
  const text = name.content.toString('latin1').toLowerCase();
  if (name.tag === nameForms.dns) return base === '' || text === base || text.endsWith(withDot(base));
  if (name.tag !== nameForms.uri || base === '') return undefined;
  const host = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:@]+)(?:[/?#]|$)/.exec(text)?.[1];
  if (host === undefined) return undefined;
  return base.startsWith('.') ? host.endsWith(base) : host === base;
}

function withDot(base: string): string {
  return base.startsWith('.') ? base : `.${base}`;
}
