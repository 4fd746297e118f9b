import { type CryptoScheduling, verifySignature } from './algorithms.js';
import type { CoveredComponents } from './component.js';
import { MessageReader } from './component-value.js';
import { SignatureError } from './errors.js';
import type { FieldSection } from './fields.js';
import { keyProblem } from './keys.js';
import { LIMITS } from './limits.js';
import type { Message, SignatureAlgorithm, SignatureParameters, VerificationKey } from './message.js';
import { readParameters } from './parameters.js';
import type { KeyProblem, UntrustedSignature, VerificationPolicy } from './policy.js';
import { type Refusal, refuse, type SignatureRefusalCode } from './refusal.js';
import { buildCheckedBase, checkComponents } from './signature-base.js';
import { parseSignatureHeader, type SignatureInput } from './signature-fields.js';
import { readSignatureInput } from './signature-input.js';

/** A signature that verified under the policy. */
export interface VerifiedSignature<Key extends VerificationKey = VerificationKey> {
  readonly label: string;
  readonly covered: CoveredComponents;
  readonly parameters: SignatureParameters;
  readonly algorithm: SignatureAlgorithm;
  /** The key object that the resolver returned, with its extra members. */
  readonly key: Key;
  /** Unix seconds: from this moment the signature is refused. `Infinity` if neither age nor `expires` limits it. */
  readonly validUntil: number;
}

export type VerificationResult<Key extends VerificationKey = VerificationKey, Problem extends KeyProblem = KeyProblem> =
  | { readonly ok: true; readonly signature: VerifiedSignature<Key> }
  | {
      readonly ok: false;
      readonly code: SignatureRefusalCode;
      /** For logs. Constant text, names of components, and positions; never a value of the message. */
      readonly detail: string;
      /** The problem that the key resolver returned, with code `key`. */
      readonly problem?: Problem;
      /** The signature as claimed, once one was selected. */
      readonly candidate?: UntrustedSignature;
    };

/** A signature that fits the policy as far as that shows without its key. It is not verified yet. */
export interface UnverifiedSignature extends UntrustedSignature {
  /** Unix seconds: from this moment on it is refused. */
  readonly validUntil: number;
  /** Verifies it with the key of its `keyid`. Never rejects. */
  verify<Key extends VerificationKey>(key: Key): Promise<VerificationResult<Key, never>>;
}

export type SignatureReading =
  | { readonly ok: true; readonly signature: UnverifiedSignature }
  | Extract<VerificationResult<VerificationKey, never>, { ok: false }>;

type Limits = Pick<VerificationPolicy, 'parameters' | 'algorithms' | 'now' | 'maxAgeSeconds' | 'clockSkewSeconds'>;

interface Selected {
  readonly ok: true;
  readonly label: string;
  readonly input: SignatureInput;
  readonly signature: Uint8Array;
}

/**
 * Verifies one signature of a message (RFC 9421 §3.2) under a policy. No message makes it throw; only a rejection of the
 * policy's own `resolveKey` passes through.
 *
 * @example
 * const result = await verifyMessage(request, {
 *   select: { tag: 'my-profile' },
 *   components: requireComponents({ all: ['@method', '@target-uri'], ifPresent: ['authorization'] }),
 *   parameters: ['created', 'keyid', 'nonce'],
 *   algorithms: ['ed25519'],
 *   now: Date.now() / 1000,
 *   maxAgeSeconds: 60,
 *   clockSkewSeconds: 5,
 *   resolveKey: ({ parameters }) => keys.get(parameters.keyid) ?? { problem: 'unknown' },
 * });
 */
export async function verifyMessage<Key extends VerificationKey, Problem extends KeyProblem>(
  message: Message,
  policy: VerificationPolicy<Key, Problem>,
): Promise<VerificationResult<Key, Problem>> {
  const read = readSignature(message, policy);
  if (!read.ok) return read;
  const { label, covered, parameters } = read.signature;
  const candidate: UntrustedSignature = { label, covered, parameters };
  const key = await policy.resolveKey(candidate);
  if ('problem' in key) return { ...refuse('key', 'the key could not be resolved'), problem: key, candidate };
  return await read.signature.verify(key);
}

/**
 * The first half of `verifyMessage`, for verifiers that need more than one step to find the key: selects the signature
 * and checks all that needs no key. It reads the message once and builds no signature base. No message makes it throw.
 *
 * @param fields the index of `message.rawFields`; default: a new one
 */
export function readSignature(
  message: Message,
  policy: Omit<VerificationPolicy, 'resolveKey'>,
  fields?: FieldSection,
): SignatureReading {
  checkNumbers(policy);
  const reader = new MessageReader(message, policy.structuredFields, fields);
  const selected = selectSignature(reader, policy.select);
  if (!selected.ok) return selected;
  const { label, input, signature } = selected;

  const read = readParameters(input.parameters);
  if (!read.ok) return read;
  const { parameters } = read;
  const candidate: UntrustedSignature = { label, covered: input.covered, parameters };

  const problem = policy.components(message, input.covered);
  if (problem !== undefined) return { ...refuse('component_required', problem.detail), candidate };
  const validUntil = endOfValidity(parameters, policy);
  const early = checkParameters(parameters, policy, validUntil);
  if (early !== undefined) return { ...early, candidate };
  const unfit = checkComponents(reader, input.covered);
  if (unfit !== undefined) return { ...unfit, candidate };

  async function verify<Key extends VerificationKey>(key: Key): Promise<VerificationResult<Key, never>> {
    const mismatch = checkKey(key, parameters, policy.algorithms);
    if (mismatch !== undefined) return { ...mismatch, candidate };
    const built = buildCheckedBase(reader, input.covered, input.parameters, input.serialized);
    if (!built.ok) return { ...built, candidate };
    const scheduling: CryptoScheduling = policy.cryptoScheduling ?? 'auto';
    const valid = await verifySignature(key, Buffer.from(built.base, 'latin1'), signature, scheduling);
    if (!valid) return { ...refuse('invalid', 'the signature does not verify'), candidate };
    const { algorithm } = key;
    return { ok: true, signature: { label, covered: input.covered, parameters, algorithm, key, validUntil } };
  }
  return { ok: true, signature: { label, covered: input.covered, parameters, validUntil, verify } };
}

function selectSignature(reader: MessageReader, select: VerificationPolicy['select']): Selected | Refusal {
  const inputField = reader.fields.value('signature-input');
  const signatureField = reader.fields.value('signature');
  if (inputField === undefined && signatureField === undefined) return refuse('missing', 'the message is not signed');
  const { signatureFieldsLength } = LIMITS;
  if ((inputField?.length ?? 0) + (signatureField?.length ?? 0) > signatureFieldsLength) {
    return refuse('malformed', `Signature and Signature-Input are longer than ${signatureFieldsLength}`);
  }
  const inputs = readSignatureInput(inputField ?? '');
  if (!inputs.ok) return inputs;
  const signatures = parseSignatureHeader(signatureField ?? '');
  if (!signatures.ok) return signatures;
  if (!haveSameKeys(inputs.inputs, signatures.signatures)) {
    return refuse('ambiguous', 'a label is in only one of Signature and Signature-Input');
  }
  const label = 'tag' in select ? labelOfTag(inputs.inputs, select.tag) : select.label;
  if (typeof label !== 'string') return label;
  const input = inputs.inputs.get(label);
  const signature = signatures.signatures.get(label);
  if (input === undefined || signature === undefined) return refuse('missing', 'no signature has the label');
  return { ok: true, label, input, signature };
}

function haveSameKeys(a: ReadonlyMap<string, unknown>, b: ReadonlyMap<string, unknown>): boolean {
  if (a.size !== b.size) return false;
  for (const key of a.keys()) if (!b.has(key)) return false;
  return true;
}

/** Two signatures with one tag are refused, not tried in turn: the sender must not choose which one counts. */
function labelOfTag(inputs: ReadonlyMap<string, SignatureInput>, tag: string): string | Refusal {
  let found: string | undefined;
  for (const [label, { parameters }] of inputs) {
    const item = parameters.get('tag');
    if (item !== undefined && item.type !== 'string') return refuse('malformed', 'a tag is not a String');
    if (item?.value !== tag) continue;
    if (found !== undefined) return refuse('ambiguous', 'two signatures carry the tag');
    found = label;
  }
  return found ?? refuse('missing', 'no signature carries the tag');
}

function endOfValidity({ created, expires }: SignatureParameters, policy: Limits): number {
  const oldest = created === undefined ? Infinity : created + policy.maxAgeSeconds;
  return Math.min(expires ?? Infinity, oldest) + policy.clockSkewSeconds;
}

/** Added to a time, the text `60` would be appended to it, and no signature would ever be too old. */
function checkNumbers({ now, maxAgeSeconds, clockSkewSeconds }: Limits): void {
  for (const [name, value] of Object.entries({ now, maxAgeSeconds, clockSkewSeconds })) {
    if (typeof value !== 'number') throw new SignatureError('argument', `policy: '${name}' must be a number`);
  }
}

/** Each comparison is written so that a NaN in the policy refuses. */
function checkParameters(parameters: SignatureParameters, policy: Limits, validUntil: number): Refusal | undefined {
  const absent = policy.parameters.find((name) => parameters[name] === undefined);
  if (absent !== undefined) return refuse('parameter_missing', `${absent} is required`);
  const { created, alg } = parameters;
  if (created === undefined && policy.maxAgeSeconds !== Infinity) {
    return refuse('parameter_missing', 'created is required to know the age');
  }
  if (alg !== undefined && !policy.algorithms.some((allowed) => allowed === alg)) {
    return refuse('algorithm_not_allowed', 'alg is not an allowed algorithm');
  }
  if (created !== undefined && !(created <= policy.now + policy.clockSkewSeconds)) {
    return refuse('not_yet_valid', 'created is in the future');
  }
  return policy.now < validUntil ? undefined : refuse('expired', 'past expires or too old');
}

function checkKey(
  key: VerificationKey,
  { alg }: SignatureParameters,
  allowed: readonly SignatureAlgorithm[],
): Refusal<'algorithm_not_allowed'> | undefined {
  const { algorithm, publicKey } = key;
  if (!allowed.includes(algorithm)) return refuse('algorithm_not_allowed', `${algorithm} is not allowed`);
  if (alg !== undefined && alg !== algorithm)
    return refuse('algorithm_not_allowed', 'alg is not the algorithm of the key');
  const problem = publicKey.type === 'private' ? 'a private key' : keyProblem(algorithm, publicKey);
  return problem === undefined ? undefined : refuse('algorithm_not_allowed', problem);
}
