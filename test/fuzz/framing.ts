/**
 * How bytes divide into requests by RFC 9112, read more strictly than any server does: only what is certainly a whole
 * request counts, so that a missing answer to one is certainly a fault.
 */
export interface Framing {
  /** Requests that are whole. */
  readonly whole: number;
  /** The rest: an incomplete request, or bytes that a server may refuse, wait for, or close the connection on. */
  readonly rest: 'nothing' | 'incomplete' | 'doubtful';
  /** Whether the response to a request has no body. */
  readonly head: boolean;
}

const SECTION_BYTES = 15 * 1024;

export function framingOf(bytes: Buffer): Framing {
  const text = bytes.toString('latin1');
  let at = 0;
  let whole = 0;
  while (at < text.length) {
    const end = requestEnd(text, at);
    if (end === 'incomplete' || end === 'doubtful') return { whole, rest: end, head: isHead(text) };
    at = end;
    whole += 1;
  }
  return { whole, rest: 'nothing', head: isHead(text) };
}

/** Where the request that begins at `from` ends. */
function requestEnd(text: string, from: number): number | 'incomplete' | 'doubtful' {
  const end = text.indexOf('\r\n\r\n', from);
  if (end === -1)
    return /[^\r]\n/.test(text.slice(from)) || text.length - from > SECTION_BYTES ? 'doubtful' : 'incomplete';
  if (end - from > SECTION_BYTES) return 'doubtful';
  const [start = '', ...lines] = text.slice(from, end).split('\r\n');
  if (!/^(?:GET|POST|PUT|DELETE|PATCH|OPTIONS|QUERY) \/[!-~]* HTTP\/1\.1$/.test(start)) return 'doubtful';
  if (!lines.every((line) => /^[\w!#$%&'*+.^`|~-]+:[\t\u0020-\u007e\u0080-\u00ff]*$/.test(line))) return 'doubtful';
  const values = (name: string) =>
    lines
      .filter((line) => line.slice(0, line.indexOf(':')).toLowerCase() === name)
      .map((line) => line.slice(line.indexOf(':') + 1).trim());
  if (['upgrade', 'expect', 'connection', 'trailer', 'te'].some((name) => values(name).length > 0)) return 'doubtful';
  if (values('host').length !== 1) return 'doubtful';
  const body = end + 4;
  const [coding, ...otherCodings] = values('transfer-encoding');
  const [length, ...otherLengths] = values('content-length');
  if (otherCodings.length + otherLengths.length > 0 || (coding !== undefined && length !== undefined))
    return 'doubtful';
  if (coding !== undefined) return coding === 'chunked' ? chunksEnd(text, body) : 'doubtful';
  if (length === undefined) return body;
  if (!/^\d{1,9}$/.test(length)) return 'doubtful';
  return body + Number(length) <= text.length ? body + Number(length) : 'incomplete';
}

function chunksEnd(text: string, from: number): number | 'incomplete' | 'doubtful' {
  let at = from;
  for (;;) {
    const line = /^([0-9a-f]{1,7})(?:;a=b)?\r\n/i.exec(text.slice(at, at + 20));
    if (line === null) return 'doubtful';
    const size = Number.parseInt(line[1] ?? '', 16);
    at += line[0].length + size;
    if (size === 0) return text.startsWith('\r\n', at) ? at + 2 : 'doubtful';
    if (at + 2 > text.length) return 'incomplete';
    if (!text.startsWith('\r\n', at)) return 'doubtful';
    at += 2;
  }
}

function isHead(text: string): boolean {
  return /(?:^|\n)HEAD /.test(text);
}
