import { parseComponent } from './component.js';
import { MessageReader } from './component-value.js';
import { refuseUnknownNames, SignatureError } from './errors.js';
import type { Message, SignatureParameters, SigningKey } from './message.js';
import { toParameters } from './parameters.js';
import { buildBase } from './signature-base.js';
import type { StructuredFieldTypes } from './structured-fields/registry.js';
import { serializeKey } from './structured-fields/serialize.js';

export interface SignOptions {
  readonly key: SigningKey;
  /** Component identifiers, in the order in which they are signed: `'@method'`, `'"@query-param";name="id"'`, … */
  readonly components: readonly string[];
  /** Signed in the order given. `keyid` defaults to the key's own id; no other parameter is added. */
  readonly parameters?: SignatureParameters;
  /** Default `'sig'`. */
  readonly label?: string;
  /** Structured types of fields that the IANA registry does not list, for `;sf` and `;key`. */
  readonly structuredFields?: StructuredFieldTypes;
}

/** Field values to append to the message, and the base that was signed. */
export interface SignedMessage {
  readonly signatureInput: string;
  readonly signature: string;
  readonly signatureBase: string;
}

/**
 * Signs a message (RFC 9421 §3.1).
 *
 * @example
 * const { signatureInput, signature } = await signMessage(request, {
 *   key: nativeSigningKey(privateKey, { keyId }),
 *   components: ['@method', '@authority', '@path', '@query'],
 *   parameters: { created: Math.floor(Date.now() / 1000), nonce, tag: 'my-profile' },
 * });
 * @throws SignatureError if a component is not in the message or cannot be signed, or a parameter is not writable
 */
export async function signMessage(message: Message, options: SignOptions): Promise<SignedMessage> {
  refuseUnknownNames('signMessage', options, ['key', 'components', 'parameters', 'label', 'structuredFields']);
  const { key, label = 'sig' } = options;
  const reader = new MessageReader(message, options.structuredFields);
  const parameters = toParameters({ ...options.parameters, keyid: options.parameters?.keyid ?? key.keyId });
  const built = buildBase(reader, options.components.map(parseComponent), parameters);
  if (!built.ok) throw new SignatureError(built.code, built.detail);
  const member = checkedLabel(label);
  const signature = await key.sign(Buffer.from(built.base, 'latin1'));
  return {
    signatureInput: `${member}=${built.signatureParams}`,
    signature: `${member}=:${Buffer.from(signature).toString('base64')}:`,
    signatureBase: built.base,
  };
}

function checkedLabel(label: string): string {
  try {
    return serializeKey(label);
  } catch (cause) {
    throw new SignatureError('argument', `not a signature label: ${label}`, { cause });
  }
}
