import type { CryptoScheduling } from './algorithms.js';
import { type CoveredComponents, parseComponent } from './component.js';
import { refuseUnknownNames, SignatureError } from './errors.js';
import type { Message, SignatureAlgorithm, SignatureParameters, VerificationKey } from './message.js';
import type { StructuredFieldTypes } from './structured-fields/registry.js';

/** A signature as claimed by the message. Nothing is verified yet: use it only to find a key. */
export interface UntrustedSignature {
  readonly label: string;
  readonly covered: CoveredComponents;
  readonly parameters: SignatureParameters;
}

/** Why there is no key. Extend it to distinguish an unknown key from an unreachable key server. */
export interface KeyProblem {
  readonly problem: string;
}

/** A required component that a signature does not cover. */
export interface ComponentProblem {
  readonly detail: string;
}

export type ComponentPolicy = (message: Message, covered: CoveredComponents) => ComponentProblem | undefined;

/** The requirements of a verifier. Every member that affects the decision is required: no default is lenient. */
export interface VerificationPolicy<
  Key extends VerificationKey = VerificationKey,
  Problem extends KeyProblem = KeyProblem,
> {
  /** Selects the signature with this tag (at most one may have it), or the one with this label. */
  readonly select: { readonly tag: string } | { readonly label: string };
  /** The components it must cover; see {@link requireComponents}. */
  readonly components: ComponentPolicy;
  /** Signature parameters it must have. */
  readonly parameters: readonly (keyof SignatureParameters)[];
  /** Allowed algorithms, for every key that the resolver returns. */
  readonly algorithms: readonly SignatureAlgorithm[];
  /** Unix seconds. */
  readonly now: number;
  /** Maximum age after `created`, in seconds. `created` is required unless this is `Infinity`. */
  readonly maxAgeSeconds: number;
  /** Tolerated difference of the clocks, in seconds, in either direction. */
  readonly clockSkewSeconds: number;
  /**
   * Finds the key. A rejection passes through `verifyMessage` and never counts as an invalid signature. To answer an outage
   * as a refusal, return a {@link KeyProblem}.
   */
  readonly resolveKey: (candidate: UntrustedSignature) => Key | Problem | Promise<Key | Problem>;
  /** Structured types of fields that the IANA registry does not list, for `;sf` and `;key`. */
  readonly structuredFields?: StructuredFieldTypes;
  /** Default `'auto'`. */
  readonly cryptoScheduling?: CryptoScheduling;
}

function key(component: string): string {
  return parseComponent(component).key;
}

/** Components as {@link parseComponent} reads them. */
export interface RequiredComponents {
  /** Each must be covered. */
  readonly all?: readonly string[];
  /** All members of at least one of these groups must be covered. */
  readonly oneOf?: readonly (readonly string[])[];
  /** Names of fields that must be covered if the message has them. */
  readonly ifPresent?: readonly string[];
}

/**
 * A component policy from a list. A component counts only if it is covered whole: with exactly the parameters named
 * here (none for a plain name).
 *
 * @example
 * requireComponents({
 *   all: ['@method'],
 *   oneOf: [['@target-uri'], ['@authority', '@path', '@query']],
 *   ifPresent: ['authorization', 'content-digest'],
 * })
 * @throws SignatureError `argument` if a component is not written correctly, or a list is misspelt
 */
export function requireComponents(required: RequiredComponents): ComponentPolicy {
  refuseUnknownNames('requireComponents', required, ['all', 'oneOf', 'ifPresent']);
  const missing = Object.entries(required).find(([, value]) => value === undefined)?.[0];
  if (missing !== undefined) {
    throw new SignatureError(
      'argument',
      `requireComponents: '${missing}' is undefined. Leave the member out, or give it a value`,
    );
  }
  const all = (required.all ?? []).map(key);
  const groups = (required.oneOf ?? []).map((group) => group.map(key));
  const ifPresent = new Map((required.ifPresent ?? []).map((name) => [name.toLowerCase(), key(name.toLowerCase())]));
  return (message, covered) => {
    const keys = new Set(covered.map((component) => component.key));
    const absent = all.find((component) => !keys.has(component));
    if (absent !== undefined) return { detail: `${absent} is not covered` };
    if (groups.length > 0 && !groups.some((group) => group.every((component) => keys.has(component)))) {
      return { detail: `neither ${groups.map((group) => group.join(' and ')).join(' nor ')} is covered` };
    }
    for (let at = 0; at < message.rawFields.length; at += 2) {
      const component = ifPresent.get(message.rawFields[at]?.toLowerCase() ?? '');
      if (component !== undefined && !keys.has(component)) return { detail: `${component} is present and not covered` };
    }
    return undefined;
  };
}
