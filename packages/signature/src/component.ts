import { SignatureError } from './errors.js';
import { parseItem } from './structured-fields/parse.js';
import { serializeBareItem, serializeItem } from './structured-fields/serialize.js';
import { type Item, NO_PARAMETERS, type Parameters } from './structured-fields/types.js';

/** A component identifier (RFC 9421 §2): a name and the parameters that say how its value is made. */
export interface ComponentIdentifier {
  readonly name: string;
  readonly parameters: Parameters;
  /** As it stands in the signature base, for example `"@query-param";name="Pet"`. */
  readonly identifier: string;
}

/** The covered components of one signature, in the order in which they are signed. */
export type CoveredComponents = readonly ComponentIdentifier[];

/** `undefined` unless the item is a String (RFC 9421 §2). */
export function componentOf(item: Item): ComponentIdentifier | undefined {
  if (item.value.type !== 'string') return undefined;
  return { name: item.value.value, parameters: item.parameters, identifier: serializeItem(item) };
}

/**
 * Reads a component as programmers write it: a name (`content-digest`), a name with parameters
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
  return { name, parameters: NO_PARAMETERS, identifier: serializeBareItem(bare) };
}

/**
 * A form of the identifier that does not depend on the order of parameters: two identifiers that differ in that order
 * only are the same component (RFC 9421 §2).
 */
export function componentKey(component: ComponentIdentifier): string {
  if (component.parameters.size < 2) return component.identifier;
  const sorted = [...component.parameters].toSorted(([a], [b]) => (a < b ? -1 : 1));
  return serializeItem({ value: { type: 'string', value: component.name }, parameters: new Map(sorted) });
}

/**
 * Whether exactly this component is covered. A plain name asks for the whole value: `"authorization";bs`,
 * `"content-digest";key="sha-256"` or `"@method";req` do not count for `authorization`, `content-digest` or `@method`.
 *
 * @example covers(signature.covered, 'authorization')
 * @throws SignatureError `argument` if the component is not written as {@link parseComponent} reads it
 */
export function covers(covered: CoveredComponents, component: string): boolean {
  const key = componentKey(parseComponent(component));
  return covered.some((candidate) => componentKey(candidate) === key);
}
