import { parseComponent } from './component.js';
import { SignatureError } from './errors.js';
import { type Refusal, refuse } from './refusal.js';
import { parseSignatureInput, type SignatureFieldRefusal } from './signature-fields.js';
import { serializeKey, serializeParameters } from './structured-fields/serialize.js';
import type { BareItem, Parameters } from './structured-fields/types.js';

/** Parameters a signature is asked to have: `true` for "generate one", a string for "use this one" (RFC 9421 §5.1). */
export interface RequestedParameters {
  readonly created?: true;
  readonly expires?: true;
  readonly nonce?: string;
  readonly alg?: string;
  readonly keyid?: string;
  readonly tag?: string;
}

/** One signature that is asked for. The components can be handed to `signMessage` as they are. */
export interface SignatureRequest {
  readonly components: readonly string[];
  readonly parameters: RequestedParameters;
}

const FLAGS: ReadonlySet<string> = new Set(['created', 'expires']);
const STRINGS: ReadonlySet<string> = new Set(['nonce', 'alg', 'keyid', 'tag']);

/**
 * The value of an Accept-Signature field (RFC 9421 §5.1).
 *
 * @example
 * formatAcceptSignature({ sig: { components: ['@method', '@path'], parameters: { created: true, tag: 'my-profile' } } })
 * // 'sig=("@method" "@path");created;tag="my-profile"'
 * @throws SignatureError `argument` if a label, component or parameter cannot be written
 */
export function formatAcceptSignature(requests: Readonly<Record<string, SignatureRequest>>): string {
  return Object.entries(requests)
    .map(([label, request]) => formatRequest(label, request))
    .join(', ');
}

function formatRequest(label: string, { components, parameters }: SignatureRequest): string {
  const list = components.map((component) => parseComponent(component).identifier).join(' ');
  const items = new Map<string, BareItem>();
  for (const [name, value] of Object.entries(parameters) as [string, unknown][]) {
    if (FLAGS.has(name) && value === true) items.set(name, { type: 'boolean', value });
    else if (STRINGS.has(name) && typeof value === 'string') items.set(name, { type: 'string', value });
    else if (value !== undefined) throw new SignatureError('argument', `${name} cannot be asked for as given`);
  }
  try {
    return `${serializeKey(label)}=(${list})${serializeParameters(items)}`;
  } catch (cause) {
    throw new SignatureError('argument', `the request ${label} cannot be written`, { cause });
  }
}

/** Reads the combined value of Accept-Signature, by label. */
export function parseAcceptSignature(
  value: string,
): { readonly ok: true; readonly requests: ReadonlyMap<string, SignatureRequest> } | SignatureFieldRefusal {
  const parsed = parseSignatureInput(value);
  if (!parsed.ok) return { ...parsed, detail: parsed.detail.replace('Signature-Input', 'Accept-Signature') };
  const requests = new Map<string, SignatureRequest>();
  for (const [label, { covered, parameters }] of parsed.inputs) {
    const requested = readRequested(parameters);
    if ('ok' in requested) return requested;
    requests.set(label, { components: covered.map(({ identifier }) => identifier), parameters: requested });
  }
  return { ok: true, requests };
}

function readRequested(parameters: Parameters): RequestedParameters | Refusal<'malformed'> {
  const requested: Record<string, string | true> = {};
  for (const [name, item] of parameters) {
    if (FLAGS.has(name) && item.type === 'boolean' && item.value) requested[name] = true;
    else if (STRINGS.has(name) && item.type === 'string') requested[name] = item.value;
    else if (FLAGS.has(name) || STRINGS.has(name)) return refuse('malformed', `${name} has the wrong type`);
  }
  return requested;
}
