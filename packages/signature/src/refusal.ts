/** The reason why a message is refused. Its meaning is in {@link signatureRefusals}. */
export type SignatureRefusalCode =
  | 'missing'
  | 'malformed'
  | 'ambiguous'
  | 'component_missing'
  | 'component_unsupported'
  | 'component_malformed'
  | 'component_required'
  | 'parameter_missing'
  | 'parameter_malformed'
  | 'algorithm_not_allowed'
  | 'expired'
  | 'not_yet_valid'
  | 'key'
  | 'invalid';

/**
 * The meaning of each code, in the order of the checks. Component values are computed only after the key is known, so a
 * problem of a value is reported after a problem of the key.
 */
export const signatureRefusals: Readonly<Record<SignatureRefusalCode, string>> = {
  missing: 'no signature, or none that the policy selects',
  malformed:
    'Signature or Signature-Input is not the structured field it must be, is too large, or repeats a component',
  ambiguous: 'the selected tag twice, a label twice, or a label in only one of the two fields',
  component_missing: 'a covered component is absent from the message',
  component_unsupported: 'a component name or parameter that is unknown, or that this kind of message does not have',
  component_malformed: 'a covered component whose value cannot be put in a signature base unambiguously',
  component_required: 'the policy demands a component that the signature does not cover',
  parameter_missing: 'the policy demands a signature parameter that is absent',
  parameter_malformed: 'a signature parameter has the wrong type or a value that makes no sense',
  algorithm_not_allowed: 'the policy does not allow the algorithm, or it is not the algorithm of the key',
  expired: 'past `expires`, or older than the policy allows',
  not_yet_valid: 'created in the future',
  key: 'no key: the resolver returned a problem',
  invalid: 'the signature does not verify',
};

/** A refusal inside the package, before key problem and candidate are added. */
export interface Refusal<Code extends SignatureRefusalCode = SignatureRefusalCode> {
  readonly ok: false;
  readonly code: Code;
  readonly detail: string;
}

export function refuse<Code extends SignatureRefusalCode>(code: Code, detail: string): Refusal<Code> {
  return { ok: false, code, detail };
}

/** A failure while a signature base is built. */
export type ComponentRefusal = Refusal<
  'component_missing' | 'component_unsupported' | 'component_malformed' | 'malformed'
>;
