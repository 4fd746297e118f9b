import { SignatureError } from './errors.js';
import { parseItem } from './structured-fields/parse.js';
import { serializeBareItem, serializeItem } from './structured-fields/serialize.js';
import { type Item, NO_PARAMETERS, type Parameters } from './structured-fields/types.js';

/** A component identifier (RFC 9421 §2): a name and the parameters that define its value. */
export interface ComponentIdentifier {
  readonly name: string;
  readonly parameters: Parameters;
  /** The serialisation in the signature base, for example `"@query-param";name="Pet"`. */
  readonly identifier: string;
  /** Equal for identifiers that differ only in the order of their parameters: they are one component (RFC 9421 §2). */
  readonly key: string;
}

/** The covered components of one signature, in the order in which they are signed. */
export type CoveredComponents = readonly ComponentIdentifier[];

/** `undefined` unless the item is a String (RFC 9421 §2). */
export function componentOf(item: Item): ComponentIdentifier | undefined {
  const { value, parameters } = item;
  if (value.type !== 'string') return undefined;
  const identifier = serializeItem(item);
  const key = parameters.size < 2 ? identifier : serializeItem({ value, parameters: sorted(parameters) });
  return { name: value.value, parameters, identifier, key };
}

function sorted(parameters: Parameters): Parameters {
  return new Map([...parameters].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/**
 * Parses a component as an option names it: a name (`content-digest`), a name with parameters
 * (`@query-param;name="Pet"`), or the identifier itself (`"@method";req`).
 *
 * @throws SignatureError `argument` if it is none of these
 */
export function parseComponent(text: string): ComponentIdentifier {
  const end = text.indexOf(';');
  if (end === -1 && !text.startsWith('"')) return componentNamed(text);
  const quoted = text.startsWith('"') ? text : `"${text.slice(0, end)}"${text.slice(end)}`;
  const parsed = parseItem(quoted, { duplicates: 'refuse' });
  const component = parsed.ok ? componentOf(parsed.value) : undefined;
  if (component === undefined) throw new SignatureError('argument', `not a component identifier: ${text}`);
  return component;
}

function componentNamed(name: string): ComponentIdentifier {
  const bare = { type: 'string', value: name } as const;
  const identifier = serializeBareItem(bare);
  return { name, parameters: NO_PARAMETERS, identifier, key: identifier };
}

/**
 * Whether exactly this component is covered. A plain name means the whole value: `"authorization";bs`,
 * `"content-digest";key="sha-256"` or `"@method";req` do not cover `authorization`, `content-digest` or `@method`.
 *
 * @example covers(signature.covered, 'authorization')
 * @throws SignatureError `argument` if the component is not written as {@link parseComponent} reads it
 */
export function covers(covered: CoveredComponents, component: string): boolean {
  // A name without parameters is the usual question, and needs no parser to be answered with yes.
  for (const { name, parameters } of covered) if (name === component && parameters.size === 0) return true;
  const { key } = parseComponent(component);
  return covered.some((candidate) => candidate.key === key);
}

/** The components as the Inner List that Signature-Input and the last line of a signature base begin with. */
export function serializeCovered(components: CoveredComponents): string {
  return `(${components.map(({ identifier }) => identifier).join(' ')})`;
}
