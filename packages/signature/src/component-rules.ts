import type { ComponentIdentifier } from './component.js';
import { type ComponentRefusal, refuse } from './refusal.js';

const FIELD_NAME = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const FIELD_PARAMETERS: ReadonlySet<string> = new Set(['sf', 'key', 'bs', 'tr', 'req']);
const DERIVED_FROM_REQUEST: ReadonlySet<string> = new Set([
  '@method',
  '@target-uri',
  '@authority',
  '@scheme',
  '@request-target',
  '@path',
  '@query',
  '@query-param',
]);

/** The rules of RFC 9421 §2 that need only the identifier: which names exist and which parameters they take. */
export function checkComponent(component: ComponentIdentifier): ComponentRefusal | undefined {
  return component.name.startsWith('@') ? checkDerived(component) : checkField(component);
}

function checkDerived(component: ComponentIdentifier): ComponentRefusal | undefined {
  const { name, parameters } = component;
  if (name === '@status') return parameters.size === 0 ? undefined : unsupported(component, 'takes no parameters');
  if (!DERIVED_FROM_REQUEST.has(name)) return unsupported(component, 'is not a derived component');
  for (const [key, value] of parameters) {
    if (key === 'req' && value.type === 'boolean' && value.value) continue;
    if (key === 'name' && name === '@query-param' && value.type === 'string') continue;
    return unsupported(component, 'has a parameter it cannot have');
  }
  if (name === '@query-param' && !parameters.has('name')) return unsupported(component, 'names no query parameter');
  return undefined;
}

function checkField(component: ComponentIdentifier): ComponentRefusal | undefined {
  const { name, parameters } = component;
  if (!FIELD_NAME.test(name)) return unsupported(component, 'is not a field name in lower case');
  for (const [key, value] of parameters) {
    const fits = key === 'key' ? value.type === 'string' : value.type === 'boolean' && value.value;
    if (!FIELD_PARAMETERS.has(key) || !fits) return unsupported(component, 'has a parameter it cannot have');
  }
  // `bs` wraps the received bytes, `sf` and `key` rewrite them (RFC 9421 §2.1).
  const rewrites = parameters.has('sf') || parameters.has('key');
  return parameters.has('bs') && rewrites ? unsupported(component, 'combines bs with sf or key') : undefined;
}

export function unsupported(component: ComponentIdentifier, why: string): ComponentRefusal {
  return refuse('component_unsupported', `${shown(component)} ${why}`);
}

/** Identifiers come from the message; they are printable already, so only their length is bounded. */
export function shown(component: ComponentIdentifier): string {
  const { identifier } = component;
  return identifier.length <= 80 ? identifier : `${identifier.slice(0, 80)}…`;
}
