import { SignatureError } from './errors.js';
import type { SignatureParameters } from './message.js';
import { type Refusal, refuse } from './refusal.js';
import type { BareItem, Parameters } from './structured-fields/types.js';

type Kind = 'integer' | 'string';

/** The parameters of RFC 9421 §2.3 and the structured type each must have. */
const KINDS = {
  created: 'integer',
  expires: 'integer',
  nonce: 'string',
  alg: 'string',
  keyid: 'string',
  tag: 'string',
} as const satisfies Record<keyof SignatureParameters, Kind>;

const NAMES = Object.keys(KINDS) as readonly (keyof SignatureParameters)[];
const MAX_SECONDS = 999_999_999_999_999;

export interface ReadParameters {
  readonly ok: true;
  readonly parameters: SignatureParameters;
}

/** Checks types and values of received parameters; parameters of other specifications are not checked. */
export function readParameters(received: Parameters): ReadParameters | Refusal<'parameter_malformed'> {
  const parameters: { -readonly [Name in keyof SignatureParameters]: number | string } = {};
  for (const name of NAMES) {
    const item = received.get(name);
    if (item === undefined) continue;
    // RFC 9421 §2.3 requires an Integer: a Decimal, a String or a Date with the same digits is refused.
    if (item.type !== KINDS[name]) return refuse('parameter_malformed', `${name} must be a structured ${KINDS[name]}`);
    if (typeof item.value === 'number' && item.value < 0) return refuse('parameter_malformed', `${name} is negative`);
    parameters[name] = item.value;
  }
  const read = parameters as SignatureParameters;
  const { created, expires } = read;
  if (created !== undefined && expires !== undefined && expires <= created) {
    return refuse('parameter_malformed', 'expires is not after created');
  }
  return { ok: true, parameters: read };
}

/** Parameters to sign, in the order in which the object lists them. @throws SignatureError `parameter_malformed` */
export function toParameters(parameters: SignatureParameters): Parameters {
  const items = new Map<string, BareItem>();
  for (const [name, value] of Object.entries(parameters) as [keyof SignatureParameters, unknown][]) {
    if (value !== undefined) items.set(name, toItem(name, value));
  }
  const read = readParameters(items);
  if (!read.ok) throw new SignatureError('parameter_malformed', read.detail);
  return items;
}

function toItem(name: keyof SignatureParameters, value: unknown): BareItem {
  const kind: Kind | undefined = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
  if (kind === 'integer' && Number.isInteger(value) && Number(value) <= MAX_SECONDS) {
    return { type: 'integer', value: Number(value) };
  }
  if (kind === 'string' && typeof value === 'string' && /^[\x20-\x7e]*$/.test(value)) return { type: 'string', value };
  throw new SignatureError('parameter_malformed', `the signature parameter ${name} cannot be ${String(value)}`);
}
