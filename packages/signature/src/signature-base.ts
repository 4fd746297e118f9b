import { type CoveredComponents, parseComponent, serializeCovered } from './component.js';
import { malformed, MessageReader } from './component-value.js';
import { LIMITS } from './limits.js';
import type { Message, SignatureParameters } from './message.js';
import { toParameters } from './parameters.js';
import { type ComponentRefusal, refuse } from './refusal.js';
import type { StructuredFieldTypes } from './structured-fields/registry.js';
import { serializeParameters } from './structured-fields/serialize.js';
import type { Parameters } from './structured-fields/types.js';

/** A signature base (RFC 9421 §2.5) and the value of its last line, which is also the Signature-Input member. */
export interface SignatureBase {
  readonly ok: true;
  readonly base: string;
  readonly signatureParams: string;
}

/**
 * Builds the signature base that signing signs and verification verifies.
 *
 * @param components as {@link parseComponent} reads them
 * @throws SignatureError `argument` or `parameter_malformed` if components or parameters are not writable at all
 */
export function createSignatureBase(
  message: Message,
  components: readonly string[],
  parameters: SignatureParameters,
  options?: { readonly structuredFields?: StructuredFieldTypes },
): SignatureBase | ComponentRefusal {
  const reader = new MessageReader(message, options?.structuredFields);
  return buildBase(reader, components.map(parseComponent), toParameters(parameters));
}

/** Signing and verifying share this function. It serialises the parsed parameters, as RFC 9421 §3.2 asks. */
export function buildBase(
  reader: MessageReader,
  components: CoveredComponents,
  parameters: Parameters,
): SignatureBase | ComponentRefusal {
  return checkComponents(reader, components) ?? buildCheckedBase(reader, components, parameters);
}

/** The same of components that {@link checkComponents} has passed. `serialized`: list and parameters, if known. */
export function buildCheckedBase(
  reader: MessageReader,
  components: CoveredComponents,
  parameters: Parameters,
  serialized?: string,
): SignatureBase | ComponentRefusal {
  let base = '';
  for (const component of components) {
    const value = reader.checkedValue(component);
    if (typeof value !== 'string') return value;
    if (!isLine(value)) return malformed(component, 'has characters that a signature base cannot carry');
    base += `${component.identifier}: ${value}\n`;
  }
  const signatureParams = serialized ?? serializeCovered(components) + serializeParameters(parameters);
  return { ok: true, base: `${base}"@signature-params": ${signatureParams}`, signatureParams };
}

const ONE_ASCII_LINE = /^[\t\x20-\x7e]*$/;

/** Neither a newline, which would forge a line, nor anything beyond ASCII, which has no agreed encoding (§2.5). */
function isLine(value: string): boolean {
  return ONE_ASCII_LINE.test(value);
}

/**
 * Finds problems of a list of components that need no value: those of the list itself, and fields missing from the
 * message.
 */
export function checkComponents(reader: MessageReader, components: CoveredComponents): ComponentRefusal | undefined {
  const { length } = components;
  if (length > LIMITS.components) return refuse('malformed', `more than ${LIMITS.components} covered components`);
  if (new Set(components.map(({ key }) => key)).size < length)
    return refuse('malformed', 'a component is covered twice');
  for (const component of components) {
    const problem = reader.problem(component);
    if (problem !== undefined) return problem;
  }
  return undefined;
}
