import { type ComponentIdentifier, type CoveredComponents, componentOf } from './component.js';
import { LIMITS } from './limits.js';
import { type Refusal, refuse } from './refusal.js';
import { parseDictionary, readSingleBytes } from './structured-fields/parse.js';
import { type Dictionary, type InnerList, isInnerList, type Parameters } from './structured-fields/types.js';

/** One member of Signature-Input: the covered components and parameters, as claimed. Nothing is verified yet. */
export interface SignatureInput {
  readonly covered: CoveredComponents;
  readonly parameters: Parameters;
  /** The member as it is serialised; undefined if that has not been found out. */
  readonly serialized?: string;
}

export interface ParsedSignatureInput {
  readonly ok: true;
  readonly inputs: ReadonlyMap<string, SignatureInput>;
}

export interface ParsedSignature {
  readonly ok: true;
  readonly signatures: ReadonlyMap<string, Uint8Array>;
}

export type SignatureFieldRefusal = Refusal<'malformed' | 'ambiguous'>;

/** Parses the combined value of `Signature-Input` (RFC 9421 §4.1) by label, without verifying anything. */
export function parseSignatureInput(value: string): ParsedSignatureInput | SignatureFieldRefusal {
  const dictionary = readDictionary('Signature-Input', value);
  if ('ok' in dictionary) return dictionary;
  const inputs = new Map<string, SignatureInput>();
  for (const [label, member] of dictionary) {
    const covered = isInnerList(member) ? coveredBy(member) : undefined;
    if (covered === undefined)
      return refuse('malformed', 'a member of Signature-Input is not a list of strings, or is too long');
    inputs.set(label, { covered, parameters: member.parameters });
  }
  return { ok: true, inputs };
}

/** Parses the combined value of `Signature` (RFC 9421 §4.2) by label. */
export function parseSignatureHeader(value: string): ParsedSignature | SignatureFieldRefusal {
  const only = value.length > LIMITS.signatureFieldsLength ? undefined : readSingleBytes(value);
  if (only !== undefined) return { ok: true, signatures: new Map([only]) };
  const dictionary = readDictionary('Signature', value);
  if ('ok' in dictionary) return dictionary;
  const signatures = new Map<string, Uint8Array>();
  for (const [label, member] of dictionary) {
    if (isInnerList(member) || member.value.type !== 'bytes') {
      return refuse('malformed', 'a member of Signature is not a byte sequence');
    }
    signatures.set(label, member.value.value);
  }
  return { ok: true, signatures };
}

/** Stricter than RFC 9651: a repeated label or parameter is refused, so that no two readers can see different ones. */
function readDictionary(field: string, value: string): Dictionary | SignatureFieldRefusal {
  const { signatureFieldsLength, signatures, parts } = LIMITS;
  if (value.length > signatureFieldsLength) return refuse('malformed', `${field} exceeds ${signatureFieldsLength}`);
  const parsed = parseDictionary(value, { duplicates: 'refuse', budget: { parts } });
  if (!parsed.ok) {
    const code = parsed.problem.kind === 'duplicate_key' ? 'ambiguous' : 'malformed';
    return refuse(code, `${field}: ${parsed.problem.detail}`);
  }
  if (parsed.value.size > signatures) return refuse('malformed', `${field} has more than ${signatures} members`);
  return parsed.value;
}

function coveredBy(list: InnerList): CoveredComponents | undefined {
  if (list.items.length > LIMITS.components) return undefined;
  const covered: ComponentIdentifier[] = [];
  for (const item of list.items) {
    const component = item.parameters.size > LIMITS.componentParameters ? undefined : componentOf(item);
    if (component === undefined) return undefined;
    covered.push(component);
  }
  return covered;
}
