import {
  type BareItem,
  type Dictionary,
  type InnerList,
  type Item,
  isInnerList,
  type List,
  type Member,
  type Parameters,
} from './types.js';

const UNESCAPED = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;
const PRINTABLE = /^[\x20-\x7e]*$/;
const TOKEN = /^[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*$/;
const KEY = /^[a-z*][a-z0-9_\-.*]*$/;

/** A value that no structured field can carry: the caller's mistake, never a message's. */
export class StructuredFieldError extends Error {
  override readonly name = 'StructuredFieldError';
}

/** Serialises an Item (RFC 9651 §4.1.3). @throws StructuredFieldError if the value has no serialisation. */
export function serializeItem(item: Item): string {
  return serializeBareItem(item.value) + serializeParameters(item.parameters);
}

/** Serialises an Inner List (RFC 9651 §4.1.1.1). @throws StructuredFieldError if a value has no serialisation. */
export function serializeInnerList(list: InnerList): string {
  return `(${list.items.map(serializeItem).join(' ')})${serializeParameters(list.parameters)}`;
}

/** Serialises an Item or an Inner List. @throws StructuredFieldError if a value has no serialisation. */
export function serializeMember(member: Member): string {
  return isInnerList(member) ? serializeInnerList(member) : serializeItem(member);
}

/** Serialises a List (RFC 9651 §4.1.1); an empty one is the empty string: omit the field. */
export function serializeList(list: List): string {
  return list.map(serializeMember).join(', ');
}

/** Serialises a Dictionary (RFC 9651 §4.1.2); an empty one is the empty string: omit the field. */
export function serializeDictionary(dictionary: Dictionary): string {
  return [...dictionary].map(([key, member]) => serializeKey(key) + serializeDictionaryValue(member)).join(', ');
}

function serializeDictionaryValue(member: Member): string {
  const flag = !isInnerList(member) && isTrue(member.value);
  return flag ? serializeParameters(member.parameters) : `=${serializeMember(member)}`;
}

/** Serialises Parameters (RFC 9651 §4.1.1.2). @throws StructuredFieldError if a value has no serialisation. */
export function serializeParameters(parameters: Parameters): string {
  let text = '';
  if (parameters.size === 0) return text;
  for (const [key, value] of parameters) {
    text += `;${serializeKey(key)}`;
    if (!isTrue(value)) text += `=${serializeBareItem(value)}`;
  }
  return text;
}

function isTrue(item: BareItem): boolean {
  return item.type === 'boolean' && item.value;
}

/** A dictionary or parameter key. @throws StructuredFieldError unless it is one (RFC 9651 §4.1.1.3). */
export function serializeKey(key: string): string {
  return KEY.test(key) ? key : refuse('a key', key);
}

/** Serialises a bare item (RFC 9651 §4.1.3.1). @throws StructuredFieldError if the value has no serialisation. */
export function serializeBareItem(item: BareItem): string {
  switch (item.type) {
    case 'integer':
      return serializeInteger(item.value);
    case 'decimal':
      return serializeDecimal(item.value);
    case 'string':
      return serializeString(item.value);
    case 'token':
      return TOKEN.test(item.value) ? item.value : refuse('a Token', item.value);
    case 'bytes':
      return `:${Buffer.from(item.value).toString('base64')}:`;
    case 'boolean':
      return item.value ? '?1' : '?0';
    case 'date':
      return `@${serializeInteger(item.value)}`;
    default:
      return serializeDisplayString(item.value);
  }
}

function serializeString(value: string): string {
  if (UNESCAPED.test(value)) return `"${value}"`;
  return PRINTABLE.test(value) ? `"${value.replace(/["\\]/g, '\\$&')}"` : refuse('a String', value);
}

function serializeInteger(value: number): string {
  if (!Number.isInteger(value) || Math.abs(value) > 999_999_999_999_999) return refuse('an Integer', value);
  return String(value === 0 ? 0 : value);
}

/** At most three digits behind the point, the last one rounded half to even (RFC 9651 §4.1.5). */
function serializeDecimal(value: number): string {
  const scaled = Math.abs(value) * 1000;
  const floor = Math.floor(scaled);
  const tie = scaled - floor === 0.5;
  const thousandths = tie ? floor + (floor % 2) : Math.round(scaled);
  if (!(thousandths < 1e15)) return refuse('a Decimal', value);
  const whole = Math.floor(thousandths / 1000);
  const fraction = String(thousandths % 1000)
    .padStart(3, '0')
    .replace(/0{1,2}$/, '');
  return `${value < 0 && thousandths > 0 ? '-' : ''}${whole}.${fraction}`;
}

function serializeDisplayString(value: string): string {
  if (/\p{Surrogate}/u.test(value)) return refuse('a Display String', value);
  const bytes = Buffer.from(value, 'utf8');
  let text = '';
  for (const byte of bytes) {
    const plain = byte >= 0x20 && byte <= 0x7e && byte !== 0x22 && byte !== 0x25;
    text += plain ? String.fromCharCode(byte) : `%${byte.toString(16).padStart(2, '0')}`;
  }
  return `%"${text}"`;
}

function refuse(what: string, value: string | number): never {
  throw new StructuredFieldError(`not ${what}: ${JSON.stringify(value)}`);
}
