import { guardMaxima } from '@countersign/common';
import { parseList } from '@countersign/signature';

/** The unverified chain of a request, a bundle or a token. */
export interface Presented {
  readonly kind: 'token' | 'link' | 'bundle' | 'request';
  readonly token?: string;
  /** In the order of delegation. */
  readonly links: readonly string[];
  readonly request?: PresentedRequest;
  /** Problems of the input form. */
  readonly problems: readonly string[];
}

/** A request head. */
export interface PresentedRequest {
  /** Absent if the input has no request line. */
  readonly line?: { readonly method: string; readonly target: string };
  /** Names and values alternate, as in `rawHeaders` of node:http. */
  readonly rawFields: readonly string[];
}

const maxLinks = guardMaxima.maxDelegationDepth;

/** Parses a bundle of `countersign delegate`; returns a string that says why if it does not parse. */
export function readBundle({ token, links }: Readonly<Record<string, unknown>>): Presented | string {
  if (token !== undefined && typeof token !== 'string') return 'a delegation bundle whose token is not text';
  if (!Array.isArray(links) || links.length > maxLinks || !links.every((link) => typeof link === 'string')) {
    return `a delegation bundle must hold a list of at most ${maxLinks} links`;
  }
  const problems = links.length === 0 ? ['It holds no link: an agent does not accept it.'] : [];
  return { kind: 'bundle', ...(token !== undefined && { token }), links, problems };
}

/** Whether the text looks like a request head, as printed by `curl -v` or in an HTTP file. */
export function looksLikeRequest(text: string): boolean {
  return fieldLines(text).some(([name]) => /^(?:authorization|agent-delegation)$/i.test(name)) && text.includes('\n');
}

/** Parses a request head. The body after the first empty line is ignored. */
export function readRequest(text: string): Presented {
  const fields = fieldLines(text);
  const line = requestLine(text);
  const problems: string[] = [];
  const links = readLinks(valuesOf(fields, 'agent-delegation'), problems);
  const token = readToken(valuesOf(fields, 'authorization'), problems);
  return {
    kind: 'request',
    ...(token !== undefined && { token }),
    links,
    request: { ...(line !== undefined && { line }), rawFields: fields.flat() },
    problems,
  };
}

function headLines(text: string): string[] {
  const lines = text.split(/\r?\n/).map((line) => line.replace(/^>\s?/, ''));
  const end = lines.indexOf('');
  return end === -1 ? lines : lines.slice(0, end);
}

function fieldLines(text: string): [name: string, value: string][] {
  return headLines(text).flatMap((line): [string, string][] => {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):(.*)$/.exec(line) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value.trim()]];
  });
}

function requestLine(text: string): PresentedRequest['line'] {
  const [, method, target] = /^([A-Z]+) (\S+)(?: HTTP\/[\d.]+)?$/.exec(headLines(text)[0] ?? '') ?? [];
  if (method === undefined || target === undefined) return undefined;
  const url = URL.canParse(target) ? new URL(target) : undefined;
  return { method, target: url === undefined ? target : url.pathname + url.search };
}

function valuesOf(fields: readonly (readonly [string, string])[], wanted: string): string[] {
  return fields.filter(([name]) => name.toLowerCase() === wanted).map(([, value]) => value);
}

function readLinks(values: readonly string[], problems: string[]): readonly string[] {
  const [value, ...others] = values;
  if (value === undefined) return [];
  if (others.length > 0) problems.push('There is more than one Agent-Delegation field: a guard refuses that.');
  const list = parseList(value, { duplicates: 'refuse' });
  const links = list.ok ? list.value.map(tokenOf) : [];
  if (links.length > 0 && links.length <= maxLinks && links.every((link) => link !== undefined)) return links;
  problems.push('The Agent-Delegation field is not a list of links (RFC 9651); `curl --verbose` hides what is in it.');
  return [];
}

function tokenOf(member: Extract<ReturnType<typeof parseList>, { ok: true }>['value'][number]): string | undefined {
  if ('items' in member || member.value.type !== 'token' || member.parameters.size > 0) return undefined;
  return member.value.value;
}

function readToken(values: readonly string[], problems: string[]): string | undefined {
  const [value, ...others] = values;
  if (value === undefined) return undefined;
  if (others.length > 0) problems.push('There is more than one Authorization field: a guard refuses that.');
  const [, token] = /^(?:Bearer|DPoP) (\S+)$/i.exec(value) ?? [];
  if (token === undefined) problems.push('The Authorization field holds no bearer token; `curl --verbose` hides it.');
  return token;
}
