import type { ComponentIdentifier } from './component.js';
import { checkComponent, shown, unsupported } from './component-rules.js';
import { FieldSection } from './fields.js';
import { isRequest, type Message } from './message.js';
import { type QueryParameter, queryParameters } from './query-param.js';
import { type ComponentRefusal, refuse } from './refusal.js';
import { parseItem, parseList } from './structured-fields/parse.js';
import { type StructuredFieldTypes, structuredTypeOf } from './structured-fields/registry.js';
import { serializeDictionary, serializeItem, serializeList, serializeMember } from './structured-fields/serialize.js';
import type { StructuredType } from './structured-fields/types.js';
import { parseTarget, type Target } from './target.js';

/**
 * Reads component values of one message. Each part of it is parsed at most once, so that covering it again is free. Every
 * value reflects the message at the time the reader was created.
 */
export class MessageReader {
  readonly message: Message;
  readonly #structuredFields: StructuredFieldTypes | undefined;
  readonly fields: FieldSection;
  readonly #trailers: FieldSection | undefined;
  #queryParameters: { readonly found: ReadonlyMap<string, QueryParameter> | undefined } | undefined;
  #target: Target | undefined;
  readonly #related: MessageReader | undefined;

  constructor(
    message: Message,
    structuredFields?: StructuredFieldTypes,
    fields: FieldSection = new FieldSection(message.rawFields),
  ) {
    // A copy, because the caller may await a key before it reads the values.
    this.message = { ...message };
    this.fields = fields;
    this.#trailers = message.rawTrailers && new FieldSection(message.rawTrailers);
    this.#structuredFields = structuredFields;
    const request = isRequest(message) ? undefined : message.request;
    this.#related = request && new MessageReader(request, structuredFields);
  }

  /** The problem of a component that is detectable without computing its value. */
  problem(component: ComponentIdentifier): ComponentRefusal | undefined {
    const broken = checkComponent(component);
    if (broken !== undefined) return broken;
    if (!component.parameters.has('req')) return this.#absence(component);
    if (isRequest(this.message)) return unsupported(component, 'asks a request for its request');
    return this.#related === undefined ? missing(component) : this.#related.#absence(component);
  }

  /** The value of a component (RFC 9421 §2). An absent component is a refusal, never an empty string. */
  value(component: ComponentIdentifier): string | ComponentRefusal {
    return this.problem(component) ?? this.checkedValue(component);
  }

  /** The same of a component without a {@link problem}. */
  checkedValue(component: ComponentIdentifier): string | ComponentRefusal {
    const reader = component.parameters.has('req') ? this.#related : this;
    return reader === undefined ? missing(component) : reader.#ownValue(component);
  }

  #absence(component: ComponentIdentifier): ComponentRefusal | undefined {
    if (!component.name.startsWith('@')) {
      return this.#sectionOf(component)?.has(component.name) === true ? undefined : missing(component);
    }
    const kind = isRequest(this.message) ? 'request' : 'response';
    const has = (component.name === '@status') === (kind === 'response');
    return has ? undefined : unsupported(component, `is not a component of a ${kind}`);
  }

  #ownValue(component: ComponentIdentifier): string | ComponentRefusal {
    return component.name.startsWith('@') ? this.#derivedValue(component) : this.#fieldValue(component);
  }

  #sectionOf({ parameters }: ComponentIdentifier): FieldSection | undefined {
    return parameters.has('tr') ? this.#trailers : this.fields;
  }

  #derivedValue(component: ComponentIdentifier): string | ComponentRefusal {
    const { message } = this;
    if (component.name === '@status') {
      if (isRequest(message)) return unsupported(component, 'is not a component of a request');
      return message.status >= 100 && message.status <= 999 ? String(message.status) : missing(component);
    }
    if (!isRequest(message)) return unsupported(component, 'is not a component of a response');
    if (component.name === '@method') return message.method === '' ? missing(component) : message.method;
    if (component.name === '@request-target') return message.target === '' ? missing(component) : message.target;
    this.#target ??= parseTarget(message);
    if (this.#target === undefined) return refuse('component_malformed', 'the request-target is not one');
    return component.name === '@query-param'
      ? this.#queryParameter(component, this.#target.query)
      : targetValue(component, this.#target);
  }

  #queryParameter(component: ComponentIdentifier, query: string): string | ComponentRefusal {
    this.#queryParameters ??= { found: queryParameters(query) };
    const parameters = this.#queryParameters.found;
    if (parameters === undefined) return malformed(component, 'is in a query that is too long');
    const found = parameters.get(String(component.parameters.get('name')?.value));
    if (found === undefined) return missing(component);
    return found === 'malformed' ? malformed(component, 'is repeated or is not UTF-8') : found.value;
  }

  #fieldValue(component: ComponentIdentifier): string | ComponentRefusal {
    const { name, parameters } = component;
    const fields = this.#sectionOf(component);
    if (fields === undefined) return missing(component);
    if (parameters.has('bs')) return byteSequences(component, fields.lines(name));
    if (parameters.has('key')) return this.#dictionaryMember(component, fields);
    if (parameters.has('sf')) return this.#strictValue(component, fields);
    return fields.value(name) ?? missing(component);
  }

  /** RFC 9421 §2.1.2. */
  #dictionaryMember(component: ComponentIdentifier, fields: FieldSection): string | ComponentRefusal {
    const type = structuredTypeOf(component.name, this.#structuredFields);
    if (type !== undefined && type !== 'dictionary') return unsupported(component, 'is not a dictionary');
    const dictionary = fields.dictionary(component.name);
    if (dictionary === undefined) return malformed(component, 'is not a dictionary, or is too long');
    const member = dictionary.get(String(component.parameters.get('key')?.value));
    return member === undefined ? missing(component) : serializeMember(member);
  }

  /** RFC 9421 §2.1.1. Repeated keys are refused: strict serialisation would leave the earlier value unsigned. */
  #strictValue(component: ComponentIdentifier, fields: FieldSection): string | ComponentRefusal {
    const type = structuredTypeOf(component.name, this.#structuredFields);
    if (type === undefined) return unsupported(component, 'is not known to be a structured field');
    const serialized = serializeStrictly(type, fields, component.name);
    return serialized ?? malformed(component, `is not a structured ${type}`);
  }
}

function serializeStrictly(type: StructuredType, fields: FieldSection, name: string): string | undefined {
  if (type === 'dictionary') {
    const dictionary = fields.dictionary(name);
    return dictionary && serializeDictionary(dictionary);
  }
  if (type === 'list') {
    const parsed = fields.parsed(name, parseList);
    return parsed.ok ? serializeList(parsed.value) : undefined;
  }
  const parsed = fields.parsed(name, parseItem);
  return parsed.ok ? serializeItem(parsed.value) : undefined;
}

function targetValue(component: ComponentIdentifier, target: Target): string | ComponentRefusal {
  const { scheme, authority, path, query } = target;
  switch (component.name) {
    case '@path':
      return path === '' ? '/' : path;
    case '@query':
      return query === '' ? '?' : query;
    case '@scheme':
      return scheme;
    case '@authority':
      return authority ?? missing(component);
    case '@target-uri':
      return authority === undefined ? missing(component) : `${scheme}://${authority}${path}${query}`;
    default:
      return missing(component);
  }
}

const BEYOND_A_BYTE = /[\u0100-\uffff]/;

/** RFC 9421 §2.1.3: each line as the bytes it was received as. */
function byteSequences(
  component: ComponentIdentifier,
  lines: readonly string[] | undefined,
): string | ComponentRefusal {
  if (lines === undefined) return missing(component);
  if (lines.some((line) => BEYOND_A_BYTE.test(line))) return malformed(component, 'has characters that are no bytes');
  return lines.map((line) => `:${Buffer.from(line, 'latin1').toString('base64')}:`).join(', ');
}

function missing(component: ComponentIdentifier): ComponentRefusal {
  return refuse('component_missing', `${shown(component)} is not in the message`);
}

export function malformed(component: ComponentIdentifier, why: string): ComponentRefusal {
  return refuse('component_malformed', `${shown(component)} ${why}`);
}
