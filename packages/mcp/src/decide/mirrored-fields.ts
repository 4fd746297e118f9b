import { deepest } from './arguments.js';
import type { ParameterFields } from './catalogue.js';
import { isJsonObject, memberOf } from './json-rpc.js';

/** The member of `params` that `Mcp-Name` repeats, by method. */
const named: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

const parameterPrefix = 'mcp-param-';

/** A message as far as fields repeat it. The answer to a question of the server has no method. */
export interface MirroredMessage {
  readonly method?: string;
  readonly params?: unknown;
}

/**
 * Compares the fields that repeat the body for routers (`Mcp-Method`, `Mcp-Name`) with the body, which alone decides.
 * Returns the name of a field that disagrees. Whether a field may be absent is for the server to say.
 */
export function disagreeingField(headers: Headers, { method, params }: MirroredMessage): string | undefined {
  if (disagrees(headers.get('mcp-method'), (value) => value === method)) return 'Mcp-Method';
  const member = method === undefined ? undefined : named.get(method);
  const name = member === undefined ? undefined : memberOf(params, member);
  if (disagrees(headers.get('mcp-name'), (value) => value === name)) return 'Mcp-Name';
  return undefined;
}

/**
 * Compares `Mcp-Param-…` with the arguments. What it finds depends on the schema of the tool, so it tells that the tool
 * exists. `declared`: which argument each field of the tool repeats, if its schema is known.
 */
export function disagreeingParameter(
  headers: Headers,
  params: unknown,
  declared?: ParameterFields,
): string | undefined {
  const given = memberOf(params, 'arguments');
  // Once, for a request may have many fields and large arguments.
  let every: ReadonlySet<string | number> | undefined;
  for (const [field, value] of headers) {
    if (!field.startsWith(parameterPrefix)) continue;
    const path = declared?.get(field);
    // Without the schema only the server knows which argument it is.
    if (path === undefined) every ??= new Set(primitivesOf(given));
    const repeated = path === undefined ? every : new Set(primitiveAt(given, path));
    if (disagrees(value, (one) => holds(repeated, one))) return field;
  }
  return undefined;
}

export function hasParameterFields(headers: Headers): boolean {
  return [...headers.keys()].some((field) => field.startsWith(parameterPrefix));
}

function holds(repeated: ReadonlySet<string | number> | undefined, field: string): boolean {
  return repeated?.has(field) === true || (decimal.test(field) && repeated?.has(Number(field)) === true);
}

function primitiveAt(given: unknown, path: readonly string[]): (string | number)[] {
  let value = given;
  for (const name of path) value = memberOf(value, name);
  return isJsonObject(value) ? [] : primitivesOf(value);
}

const decimal = /^-?\d+(?:\.\d+)?$/;

function disagrees(field: string | null, isRight: (value: string) => boolean): boolean {
  if (field === null) return false;
  const value = decodedField(field);
  return value === undefined || !isRight(value);
}

const encoded = /^=\?base64\?((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?)\?=$/;

/** A value that is not plain ASCII stands in base64. Undefined if the encoding is broken. */
function decodedField(field: string): string | undefined {
  if (!field.startsWith('=?base64?')) return field;
  const [, base64] = encoded.exec(field) ?? [];
  if (base64 === undefined) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(Buffer.from(base64, 'base64'));
  } catch {
    return undefined;
  }
}

/** The arguments that a field may repeat; a guard that observes searches also what is too deep to be let through. */
function primitivesOf(value: unknown, levels: number = deepest): (string | number)[] {
  if (typeof value === 'string' || typeof value === 'number') return [value];
  if (typeof value === 'boolean') return [String(value)];
  if (!isJsonObject(value) || levels === 0) return [];
  return Object.values(value).flatMap((member) => primitivesOf(member, levels - 1));
}
