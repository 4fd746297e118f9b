import { parseSignatureInput, requireComponents, type ResponseMessage, verifyMessage } from '@countersign/signature';
import { fieldValues } from '../http/fields.js';
import { isJsonObject, parseStrictJson, type Reading } from '../json/strict-json.js';
import type { SkippedKey } from './agent-jwk-set.js';
import type { AgentKey } from './directory.js';
import { keysOfJwkSet } from './jwk-set.js';
import {
  type DocumentKind,
  defaultLimits,
  fetchDocument,
  type RemoteDocument,
  type RemoteOptions,
} from './remote-json.js';
import { readAgentKey } from './registration.js';

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

/** Fetches a directory and keeps the keys that signed the answer. Never rejects. */
export async function fetchSignatureDirectory(
  url: URL,
  options: RemoteOptions,
  now: number,
): Promise<Reading<SignatureDirectory>> {
  const fetched = await fetchDocument(url, options, directoryJson, defaultLimits);
  if (!fetched.ok) return fetched;
  const read = parseStrictJson(fetched.value.bytes);
  if (!read.ok) return { ok: false, problem: `the answer is unusable: ${read.problem}` };
  const jwks = keysOfJwkSet(read.value);
  if (!jwks.ok) return jwks;
  const labels = labelsByKey(fetched.value);
  if (!labels.ok) return labels;
  return { ok: true, value: await provedKeys(jwks.value, messageOf(url, fetched.value), labels.value, now) };
}

async function provedKeys(
  jwks: readonly unknown[],
  message: ResponseMessage,
  labels: ReadonlyMap<string, string>,
  now: number,
): Promise<SignatureDirectory> {
  const keys = new Map<string, AgentKey>();
  const skipped: SkippedKey[] = [];
  for (const [index, jwk] of jwks.entries()) {
    const key = isJsonObject(jwk) ? readAgentKey({ jwk }) : ({ ok: false, problem: 'it is not an object' } as const);
    const problem = key.ok ? await signatureProblem(key.value, message, labels, now) : key.problem;
    if (key.ok && problem === undefined) keys.set(key.value.thumbprint, key.value);
    else skipped.push({ index, problem: problem ?? '' });
  }
  return { keys: [...keys.values()], skipped };
}

/** The label of the signature that each keyid made for this purpose. Two of one key are ambiguous: none counts. */
function labelsByKey({ rawHeaders }: RemoteDocument): Reading<ReadonlyMap<string, string>> {
  const inputs = parseSignatureInput(fieldValues(rawHeaders, 'signature-input').join(', '));
  if (!inputs.ok) return { ok: false, problem: `its signatures cannot be read: ${inputs.detail}` };
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

/**
 * The authority that was asked is what each key signs: without that, anybody could serve the keys of others and so pass
 * their requests off as those of an agent of its own.
 */
async function signatureProblem(
  key: AgentKey,
  message: ResponseMessage,
  labels: ReadonlyMap<string, string>,
  now: number,
): Promise<string | undefined> {
  const label = labels.get(key.thumbprint);
  if (label === undefined) return 'no single signature of the directory is by this key';
  const result = await verifyMessage(message, {
    select: { label },
    components: requireComponents({ all: ['"@authority";req'] }),
    parameters: ['created', 'expires', 'keyid', 'tag'],
    algorithms: ['ed25519'],
    now,
    maxAgeSeconds,
    clockSkewSeconds,
    resolveKey: () => ({ algorithm: 'ed25519', publicKey: key.publicKey }),
  });
  return result.ok ? undefined : `its signature of the directory does not count: ${result.detail}`;
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
