import { createHash, X509Certificate } from 'node:crypto';
import { failed, type Reading } from '@countersign/common';
import type { CertificateChain } from './x509-svid.js';

const mostCertificates = 8;

/**
 * The certificate in X-Forwarded-Client-Cert of Envoy. Exactly one element counts, as SANITIZE_SET leaves it: with APPEND
 * the client itself could have written the others. `URI` is not believed, because Envoy does not quote it: the
 * certificate says its names.
 */
export function readForwardedCertificate(lines: readonly string[]): Reading<CertificateChain> {
  const [line = '', ...others] = lines;
  const elements = splitUnquoted(line, ',');
  if (others.length > 0 || elements?.length !== 1) return failed('the proxy must send one certificate (SANITIZE_SET)');
  const pairs = readPairs(line);
  const [cert, hash, chain = ''] = ['cert', 'hash', 'chain'].map((name) => pairs?.get(name));
  if (cert === undefined || hash === undefined) return failed('the proxy must send Cert and Hash');
  const [leaf, ...more] = readPem(cert) ?? [];
  const sent = readPem(chain);
  if (leaf === undefined || more.length > 0 || sent === undefined) return failed('a certificate cannot be read');
  // Two views of one certificate would leave the choice to the reader.
  if (createHash('sha256').update(leaf.raw).digest('hex') !== hash) return failed('its Hash is of another certificate');
  return { ok: true, value: { leaf, others: sent } };
}

/** Undefined: it is malformed, or a name stands twice. */
function readPairs(element: string): ReadonlyMap<string, string> | undefined {
  const found = new Map<string, string>();
  for (const pair of splitUnquoted(element, ';') ?? ['']) {
    const end = pair.indexOf('=');
    const name = pair.slice(0, Math.max(end, 0)).trim().toLowerCase();
    if (!/^[a-z]+$/.test(name) || (found.has(name) && name !== 'dns')) return undefined;
    found.set(name, unquoted(pair.slice(end + 1)));
  }
  return found;
}

function unquoted(value: string): string {
  return value.startsWith('"') && value.endsWith('"') ? value.slice(1, -1).replaceAll(/\\(.)/gs, '$1') : value;
}

/** Percent-encoded certificates in PEM. Undefined: anything else. */
function readPem(text: string): readonly X509Certificate[] | undefined {
  try {
    const parts = decodeURIComponent(text).split(/(?<=-----END CERTIFICATE-----)/);
    const pems = parts.map((part) => part.trim()).filter((part) => part !== '');
    return pems.length > mostCertificates ? undefined : pems.map((pem) => new X509Certificate(pem));
  } catch {
    return undefined;
  }
}

/** Splits a text where a character is not within quotes. Undefined: a quote does not end. */
export function splitUnquoted(text: string, at: string): readonly string[] | undefined {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isQuoted && character === '\\') index += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === at) {
      parts.push(text.slice(from, index));
      from = index + 1;
    }
  }
  return isQuoted ? undefined : [...parts, text.slice(from)];
}
