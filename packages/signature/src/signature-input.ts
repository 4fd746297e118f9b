import { type CoveredComponents, serializeCovered } from './component.js';
import { LIMITS } from './limits.js';
import { type ParsedSignatureInput, parseSignatureInput, type SignatureFieldRefusal } from './signature-fields.js';
import type { BareItem, Parameters } from './structured-fields/types.js';

/** A label and its covered components, as a client writes them before the parameters of each request. */
interface Shape {
  readonly text: string;
  readonly label: string;
  readonly covered: CoveredComponents;
  /** The list in its serialised form; undefined if it was written otherwise. */
  readonly list: string | undefined;
}

const MAX_SHAPES = 256;
const MAX_SHAPE_LENGTH = 1024;

/**
 * By their text, `sig=("@method" "@path")`, the least recently used first: shapes that strangers make up must not replace
 * those in use. Frozen, because all requests of one shape share them.
 */
const shapes = new Map<string, Shape>();

/**
 * The result of {@link parseSignatureInput}, faster: a client covers the same components in every request. Whatever is
 * not one list without component parameters, followed by the parameters of RFC 9421 in their plain form, goes to the
 * parser whole.
 */
export function readSignatureInput(value: string): ParsedSignatureInput | SignatureFieldRefusal {
  return readKnownShape(value) ?? parseSignatureInput(value);
}

function readKnownShape(value: string): ParsedSignatureInput | undefined {
  const end = value.indexOf(')') + 1;
  if (end === 0 || end > MAX_SHAPE_LENGTH || value.length > LIMITS.signatureFieldsLength) return undefined;
  const parameters = readPlainParameters(value, end);
  if (parameters === undefined) return undefined;
  const text = value.slice(0, end);
  const shape = knownShape(text) ?? learnShape(text);
  if (shape === undefined) return undefined;
  const { label, covered, list } = shape;
  const input =
    list === undefined ? { covered, parameters } : { covered, parameters, serialized: list + value.slice(end) };
  return { ok: true, inputs: new Map([[label, input]]) };
}

const PLAIN_PARAMETER = /;(created|expires|nonce|keyid|tag|alg)=(?:(0|[1-9][0-9]{0,14})|"([ !#-[\]-~]*)")/y;

/** Undefined unless the rest of the value is plain parameters in their serialised form, each at most once. */
function readPlainParameters(value: string, start: number): Parameters | undefined {
  const parameters = new Map<string, BareItem>();
  PLAIN_PARAMETER.lastIndex = start;
  for (let at = start; at < value.length; at = PLAIN_PARAMETER.lastIndex) {
    const [, name, digits, text = ''] = PLAIN_PARAMETER.exec(value) ?? [];
    if (name === undefined || parameters.has(name)) return undefined;
    parameters.set(
      name,
      digits === undefined ? { type: 'string', value: text } : { type: 'integer', value: Number(digits) },
    );
  }
  return parameters;
}

function knownShape(text: string): Shape | undefined {
  const shape = shapes.get(text);
  if (shape === undefined) return undefined;
  // A Map keeps insertion order. Its key is a copy already, and this text is a slice of the field.
  shapes.delete(shape.text);
  shapes.set(shape.text, shape);
  return shape;
}

function learnShape(text: string): Shape | undefined {
  // A copy of its own: a slice would keep the whole field in memory.
  const copy = Buffer.from(text).toString();
  if (text.includes(';') || copy !== text) return undefined;
  const parsed = parseSignatureInput(copy);
  if (!parsed.ok || parsed.inputs.size !== 1) return undefined;
  for (const [label, { covered }] of parsed.inputs) {
    const list = serializeCovered(covered);
    const shape = {
      text: copy,
      label,
      covered: Object.freeze(covered.map((component) => Object.freeze(component))),
      list: copy === `${label}=${list}` ? list : undefined,
    };
    const [oldest] = shapes.keys();
    if (shapes.size >= MAX_SHAPES && oldest !== undefined) shapes.delete(oldest);
    shapes.set(copy, shape);
    return shape;
  }
  return undefined;
}
