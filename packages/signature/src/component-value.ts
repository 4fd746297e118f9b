import type { ComponentIdentifier } from './component.js';
import { checkComponent, shown, unsupported } from './component-rules.js';
import { combinedValue, type FieldIndex, fieldLines, indexFields } from './fields.js';
import { isRequest, type Message } from './message.js';
import { type QueryParameter, queryParameters } from './query-param.js';
import { type ComponentRefusal, refuse } from './refusal.js';
import { parseDictionary, parseItem, parseList } from './structured-fields/parse.js';
import { type StructuredFieldTypes, structuredTypeOf } from './structured-fields/registry.js';
import { serializeDictionary, serializeItem, serializeList, serializeMember } from './structured-fields/serialize.js';
import { parseTarget, type Target } from './target.js';

/** Makes component values from one message; its fields and its target are read at most once. */
export class MessageReader {
  readonly message: Message;
  readonly #structuredFields: StructuredFieldTypes | undefined;
  #fields: FieldIndex | undefined;
  #trailers: FieldIndex | undefined;
  #queryParameters: ReadonlyMap<string, QueryParameter> | undefined;
  #target: Target | undefined;
  #related: MessageReader | undefined;

  constructor(message: Message, structuredFields?: StructuredFieldTypes) {
    this.message = message;
    this.#structuredFields = structuredFields;
  }

  get fields(): FieldIndex {
    this.#fields ??= indexFields(this.message.rawFields);
    return this.#fields;
  }

  /** The value of a component (RFC 9421 §2). One that is absent is a refusal, never an empty string. */
  value(component: ComponentIdentifier): string | ComponentRefusal {
    const broken = checkComponent(component);
    if (broken !== undefined) return broken;
    if (!component.parameters.has('req')) return this.#ownValue(component);
    if (isRequest(this.message)) return unsupported(component, 'asks a request for its request');
    const { request } = this.message;
    return request === undefined ? missing(component) : this.#readerOf(request).#ownValue(component);
  }

  #readerOf(request: Message): MessageReader {
    this.#related ??= new MessageReader(request, this.#structuredFields);
    return this.#related;
  }

  #ownValue(component: ComponentIdentifier): string | ComponentRefusal {
    return component.name.startsWith('@') ? this.#derivedValue(component) : this.#fieldValue(component);
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
    this.#queryParameters ??= queryParameters(query);
    const found = this.#queryParameters.get(String(component.parameters.get('name')?.value));
    if (found === undefined) return missing(component);
    return found === 'malformed' ? malformed(component, 'is repeated or is not UTF-8') : found.value;
  }

  #fieldValue(component: ComponentIdentifier): string | ComponentRefusal {
    const { name, parameters } = component;
    const fields = parameters.has('tr') ? this.#trailerFields() : this.fields;
    if (parameters.has('bs')) return byteSequences(component, fieldLines(fields, name));
    const value = combinedValue(fields, name);
    if (value === undefined) return missing(component);
    if (parameters.has('key')) return this.#dictionaryMember(component, value);
    return parameters.has('sf') ? this.#strictValue(component, value) : value;
  }

  #trailerFields(): FieldIndex {
    this.#trailers ??= indexFields(this.message.rawTrailers ?? []);
    return this.#trailers;
  }

  /** RFC 9421 §2.1.2. */
  #dictionaryMember(component: ComponentIdentifier, value: string): string | ComponentRefusal {
    const type = structuredTypeOf(component.name, this.#structuredFields);
    if (type !== undefined && type !== 'dictionary') return unsupported(component, 'is not a dictionary');
    const parsed = parseDictionary(value, { duplicates: 'refuse' });
    if (!parsed.ok) return malformed(component, 'is not a dictionary');
    const member = parsed.value.get(String(component.parameters.get('key')?.value));
    return member === undefined ? missing(component) : serializeMember(member);
  }

  /** RFC 9421 §2.1.1. Repeated keys are refused: strict serialisation would leave the earlier value unsigned. */
  #strictValue(component: ComponentIdentifier, value: string): string | ComponentRefusal {
    const type = structuredTypeOf(component.name, this.#structuredFields);
    if (type === undefined) return unsupported(component, 'is not known to be a structured field');
    const serialized = serializeStrictly(type, value);
    return serialized ?? malformed(component, `is not a structured ${type}`);
  }
}

function serializeStrictly(type: 'item' | 'list' | 'dictionary', value: string): string | undefined {
  const strict = { duplicates: 'refuse' } as const;
  if (type === 'dictionary') {
    const parsed = parseDictionary(value, strict);
    return parsed.ok ? serializeDictionary(parsed.value) : undefined;
  }
  if (type === 'list') {
    const parsed = parseList(value, strict);
    return parsed.ok ? serializeList(parsed.value) : undefined;
  }
  const parsed = parseItem(value, strict);
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
