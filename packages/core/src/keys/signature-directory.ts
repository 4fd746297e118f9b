import {
  type ComponentPolicy,
  fieldValue,
  parseSignatureInput,
  requireComponents,
  type ResponseMessage,
  verifyMessage,
} from '@countersign/signature';
import { failed, isJsonObject, parseStrictJson, type Reading } from '@countersign/common';
import type { AgentKey } from './directory.js';
import { keysOfJwkSet } from '../model/jwk.js';
import {
  type DocumentKind,
  defaultLimits,
  fetchDocument,
  type RemoteDocument,
  type RemoteOptions,
} from '../remote/remote-json.js';
import { readAgentKey } from './registration.js';
import type { SkippedKey } from './remote-directory.js';

/** Keys that a directory serves and that proved, each by a signature of its own, that they belong to its authority. */
export interface SignatureDirectory {
  readonly keys: readonly AgentKey[];
  readonly skipped: readonly SkippedKey[];
}

/** Where an authority serves its directory. */
export const wellKnownPath = '/.well-known/http-message-signatures-directory';

const tag = 'http-message-signatures-directory';
const directoryJson: DocumentKind = {
  accept: 'application/http-message-signatures-directory+json',
  contentType: /^application\/http-message-signatures-directory\+json\s*(?:;|$)/i,
  name: 'a directory of signature keys',
};
// A signature older than a day no longer shows that the authority still holds the key.
const maxAgeSeconds = 86_400;
const clockSkewSeconds = 60;
// More than the signatures that one answer can carry.
const maxKeys = 32;
// Whom we let in need not be trusted: to read 1 MiB of brackets stops the process for a second.
const limits = { ...defaultLimits, maxBytes: 65_536 };

/** Fetches a directory and keeps the keys that signed the answer. Never rejects. */
export async function fetchSignatureDirectory(
  url: URL,
  options: RemoteOptions,
  now: number,
): Promise<Reading<SignatureDirectory>> {
  const fetched = await fetchDocument(url, options, directoryJson, limits);
  if (!fetched.ok) return fetched;
  const read = parseStrictJson(fetched.value.bytes);
  if (!read.ok) return failed(`the answer is unusable: ${read.problem}`);
  const jwks = keysOfJwkSet(read.value, maxKeys);
  if (!jwks.ok) return jwks;
  const labels = labelsByKey(fetched.value);
  if (!labels.ok) return labels;
  const served: Served = { message: messageOf(url, fetched.value), covering: coveringOf(url), labels: labels.value };
  return { ok: true, value: await provedKeys(jwks.value, served, now) };
}

/** The answer, and how keys have to have signed it. */
interface Served {
  readonly message: ResponseMessage;
  readonly covering: ComponentPolicy;
  readonly labels: ReadonlyMap<string, string>;
}

/**
 * The address that was asked is what each key signs: without that, anybody could serve the keys of others and so pass
 * their requests off as those of an agent of its own. The well-known path belongs to the whole authority; any other may
 * be shared with those who have other paths there.
 */
function coveringOf({ pathname, search }: URL): ComponentPolicy {
  if (pathname === wellKnownPath && search === '') return requireComponents({ all: ['"@authority";req'] });
  const parts = ['"@authority";req', '"@path";req', ...(search === '' ? [] : ['"@query";req'])];
  return requireComponents({ oneOf: [parts, ['"@target-uri";req']] });
}

async function provedKeys(jwks: readonly unknown[], served: Served, now: number): Promise<SignatureDirectory> {
  const keys: AgentKey[] = [];
  const skipped: SkippedKey[] = [];
  for (const [index, reading] of readKeys(jwks).entries()) {
    const proved = reading.ok ? await provedKey(reading.value, served, now) : reading;
    if (proved.ok) keys.push(proved.value);
    else skipped.push({ index, problem: proved.problem });
  }
  return { keys, skipped };
}

/** A key that is there twice may be there with two validities: neither counts. */
function readKeys(jwks: readonly unknown[]): readonly Reading<AgentKey>[] {
  const readings = jwks.map((jwk) => (isJsonObject(jwk) ? readAgentKey({ jwk }) : failed('it is not an object')));
  const uses = new Map<string, number>();
  for (const reading of readings) {
    if (reading.ok) uses.set(reading.value.thumbprint, (uses.get(reading.value.thumbprint) ?? 0) + 1);
  }
  return readings.map((reading) =>
    reading.ok && uses.get(reading.value.thumbprint) !== 1 ? failed('the directory has this key twice') : reading,
  );
}

/** The label of the signature that each keyid made for this purpose. Two of one key are ambiguous: none counts. */
function labelsByKey({ rawHeaders }: RemoteDocument): Reading<ReadonlyMap<string, string>> {
  const inputs = parseSignatureInput(fieldValue(rawHeaders, 'signature-input') ?? '');
  if (!inputs.ok) return failed(`its signatures cannot be read: ${inputs.detail}`);
  const labels = new Map<string, string>();
  const twice = new Set<string>();
  for (const [label, { parameters }] of inputs.inputs) {
    const keyid = parameters.get('keyid');
    if (parameters.get('tag')?.value !== tag || keyid?.type !== 'string') continue;
    if (labels.has(keyid.value)) twice.add(keyid.value);
    labels.set(keyid.value, label);
  }
  for (const keyid of twice) labels.delete(keyid);
  return { ok: true, value: labels };
}

async function provedKey(
  key: AgentKey,
  { message, covering, labels }: Served,
  now: number,
): Promise<Reading<AgentKey>> {
  const label = labels.get(key.thumbprint);
  if (label === undefined) return failed('no single signature of the directory is by this key');
  const result = await verifyMessage(message, {
    select: { label },
    components: covering,
    parameters: ['created', 'expires', 'keyid', 'tag'],
    algorithms: ['ed25519'],
    now,
    maxAgeSeconds,
    clockSkewSeconds,
    resolveKey: () => ({ algorithm: 'ed25519', publicKey: key.publicKey }),
  });
  return result.ok
    ? { ok: true, value: key }
    : failed(`its signature of the directory does not count: ${result.detail}`);
}

function messageOf(url: URL, { rawHeaders }: RemoteDocument): ResponseMessage {
  const scheme = url.protocol === 'http:' ? 'http' : 'https';
  const target = `${url.pathname}${url.search}`;
  return {
    status: 200,
    rawFields: rawHeaders,
    request: { method: 'GET', scheme, authority: url.host, target, rawFields: [] },
  };
}
