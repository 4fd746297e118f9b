import { ambiguityOfJson, parseStrictJson } from '@countersign/common';
import type { ApprovalDisclosure } from './details.js';
import type { ApprovalHttp, ApprovalRequest } from './request.js';

/** What people see of a body: as the API reads it, or why nobody can know that. */
export type ReadableBody =
  /** The request has no body or an empty one, or has one that the agent does not show. */
  | { readonly format: 'none' | 'hidden' }
  /** Bytes that are no text. */
  | { readonly format: 'bytes'; readonly base64: string }
  /** JSON that every reader reads alike. */
  | { readonly format: 'json'; readonly text: string }
  | ReadableForm;

export type ReadableForm =
  /** A form that every parser reads alike: its names and values, decoded, in their order. */
  | { readonly format: 'form'; readonly pairs: readonly FormPair[] }
  /** `pairs`: if it is read as a form. */
  | {
      readonly format: 'unknown';
      readonly text: string;
      readonly problem: string;
      readonly pairs?: readonly FormPair[];
    };

/** What people see of a query. */
export type ReadableQuery = { readonly format: 'none' } | ReadableForm;

export type FormPair = readonly [name: string, value: string];

// RFC 9110 §8.3.1, as all parsers read it: some skip a body whose type has white space or an empty parameter around a
// semicolon, and some split at each semicolon, so that there is none in a quoted string.
const mediaType = /^[\w!#$%&'*+.^`|~-]+\/[\w!#$%&'*+.^`|~-]+$/;
const parameter = /^ *[\w!#$%&'*+.^`|~-]+=(?:[\w!#$%&'*+.^`|~-]+|"[^"\\]*")$/;

/**
 * Why an application may read other characters in a body than people who see its bytes as UTF-8, or none; undefined if
 * nothing says so. Nobody can approve such a body. `types`: those that the application reads. Default: any.
 */
export function contentProblem(
  fields: NonNullable<ApprovalHttp['fields']>,
  types?: readonly string[],
): string | undefined {
  const { 'content-type': field, 'content-encoding': coding } = fields;
  if (coding !== undefined && coding.toLowerCase() !== 'identity') return 'its body has a content coding';
  const { type, problem } = field === undefined ? {} : readMediaType(field);
  if (problem !== undefined || types === undefined || (type !== undefined && types.includes(type))) return problem;
  return `its Content-Type is none of those that the API reads (approvals.bodyTypes): ${types.join(', ')}`;
}

/** What an agent shows of the body, as the API reads it by the fields that are bound with it. */
export function readBody({ http }: Pick<ApprovalRequest, 'http'>, shown: ApprovalDisclosure = {}): ReadableBody {
  const { text, base64 } = shown;
  if (http?.contentDigest === undefined || text === '') return { format: 'none' };
  if (text !== undefined) return readText(text, http.fields ?? {});
  return base64 === undefined ? { format: 'hidden' } : { format: 'bytes', base64 };
}

/** The query as the API reads it: its names and values are those of a form. */
export function readQuery({ http }: Pick<ApprovalRequest, 'http'>): ReadableQuery {
  const text = http?.query?.replace(/^\?/, '') ?? '';
  return text === '' ? { format: 'none' } : readForm(text);
}

function readText(text: string, fields: NonNullable<ApprovalHttp['fields']>): ReadableBody {
  const unknown = (problem: string): ReadableBody => ({ format: 'unknown', text, problem });
  const problem = contentProblem(fields);
  if (problem !== undefined) return unknown(problem);
  const { 'content-type': field } = fields;
  if (field === undefined) return unknown('it has no Content-Type');
  const { type } = readMediaType(field);
  if (type === 'application/json' || type.endsWith('+json')) {
    const json = parseStrictJson(text);
    const problem = json.ok ? jsonProblem(text) : json.problem;
    return problem === undefined ? { format: 'json', text } : unknown(`as JSON, ${problem}`);
  }
  if (type === 'application/x-www-form-urlencoded') return readForm(text);
  return unknown('its Content-Type is neither that of JSON nor that of a form');
}

/** Why readers of strict JSON may not agree on a value. */
function jsonProblem(text: string): string | undefined {
  const ambiguity = ambiguityOfJson(text);
  if (ambiguity === undefined) return undefined;
  return ambiguity === 'number' ? 'it has a number that not every reader keeps' : 'it has half of a surrogate pair';
}

/** The type in lower case, and why readers may not agree on it or on the charset. */
function readMediaType(field: string): { readonly type: string; readonly problem?: string } {
  // Before the case is folded: a Kelvin sign would become a `k`.
  const parts = /^[\x20-\x7e]*$/.test(field) ? field.split(';') : [];
  const [type = '', ...parameters] = parts.map((part) => part.toLowerCase());
  if (!mediaType.test(type) || !parameters.every((part) => parameter.test(part))) {
    return { type, problem: 'its Content-Type is not one media type' };
  }
  // Wherever else the word is, some parser finds it: in `charset*`, in a second parameter, in a quoted string.
  const stated = field.match(/charset/gi)?.length ?? 0;
  const isUtf8 = parameters.some((part) => /^ *charset=(?:utf-8|"utf-8")$/.test(part));
  if (stated > (isUtf8 ? 1 : 0)) return { type, problem: 'its Content-Type names another charset than utf-8' };
  return { type };
}

/**
 * One pair that every parser reads alike: a name that is a plain word, and a value as encoders write it. Other characters
 * nest, split, shorten, or are a charset or a method for some parser.
 */
const plainPair = /^[a-z][\w-]{0,63}=(?:[\w.~!*'()+:@$/?-]|%[\da-f]{2})*$/i;
/** Parsers drop or refuse more separators (querystring, qs, body-parser). */
const mostPairs = 1000;
/** Some parsers drop these names: qs those of every object, and `utf8` as the sentinel of a charset. */
const droppedNames: ReadonlySet<string> = new Set([...Object.getOwnPropertyNames(Object.prototype), 'utf8']);

function readForm(text: string): ReadableForm {
  const unknown = (problem: string, pairs?: readonly FormPair[]): ReadableForm => ({
    format: 'unknown',
    text,
    problem: `as a form, ${problem}`,
    ...(pairs !== undefined && { pairs }),
  });
  const parts = text.split('&');
  if (parts.length > mostPairs) return unknown(`it has more than ${mostPairs} values`);
  const pairs: FormPair[] = [];
  for (const part of parts.filter((part) => part !== '')) {
    const at = part.indexOf('=');
    const [key, value] = (at === -1 ? [part, ''] : [part.slice(0, at), part.slice(at + 1)]).map(decoded);
    if (key === undefined || value === undefined) return unknown('it has an escape that is not UTF-8');
    pairs.push([key, value]);
  }
  if (!parts.every((part) => plainPair.test(part)) || pairs.some(([name]) => droppedNames.has(name))) {
    return unknown('it has names or characters that parsers read in different ways', pairs);
  }
  if (new Set(pairs.map(([name]) => name)).size < pairs.length) return unknown('it has the same name twice', pairs);
  return { format: 'form', pairs };
}

function decoded(part: string | undefined): string | undefined {
  try {
    return part === undefined ? undefined : decodeURIComponent(part.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}
