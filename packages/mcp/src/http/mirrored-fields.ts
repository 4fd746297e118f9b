import { isJsonObject } from '../decide/json-rpc.js';
import type { ClientRequest } from '../wire/message.js';

/** The member of `params` that `Mcp-Name` repeats, by method. */
const named: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
  ['tasks/get', 'taskId'],
  ['tasks/update', 'taskId'],
  ['tasks/cancel', 'taskId'],
]);

/**
 * Compares the fields that repeat the body for routers (`Mcp-Method`, `Mcp-Name`, `Mcp-Param-…`) with the body, which alone
 * decides. Returns the name of a field that disagrees. Whether a field may be absent is for the server to say.
 */
export function disagreeingField(headers: Headers, { method, params }: ClientRequest): string | undefined {
  if (disagrees(headers.get('mcp-method'), (value) => value === method)) return 'Mcp-Method';
  const member = named.get(method);
  const name = member === undefined ? undefined : params[member];
  if (disagrees(headers.get('mcp-name'), (value) => value === name)) return 'Mcp-Name';
  const values = new Set(primitivesOf(params['arguments']));
  const isArgument = (value: string) => values.has(value) || (decimal.test(value) && values.has(Number(value)));
  for (const [field, value] of headers) {
    if (field.startsWith('mcp-param-') && disagrees(value, isArgument)) return field;
  }
  return undefined;
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

/** The arguments that a field may repeat. Which argument it is only the tool's schema knows, and so the server. */
function primitivesOf(value: unknown): (string | number)[] {
  if (typeof value === 'string' || typeof value === 'number') return [value];
  if (typeof value === 'boolean') return [String(value)];
  return isJsonObject(value) ? Object.values(value).flatMap(primitivesOf) : [];
}
