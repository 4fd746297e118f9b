import type { IncomingMessage } from 'node:http';
import { readBody } from '../http/body.js';
import { PageProblem } from './html.js';

const maxFormBytes = 131_072;

/**
 * The fields of a form that a page of the authority sent. Browsers say where a form comes from; the sealed field in it is
 * the proof for those that do not.
 *
 * @throws PageProblem
 */
export async function readForm(
  request: IncomingMessage & { readonly body?: unknown },
  origin: string,
): Promise<URLSearchParams> {
  const { 'sec-fetch-site': site = 'same-origin', origin: from = origin, 'content-type': type = '' } = request.headers;
  if (site !== 'same-origin' || from !== origin) throw foreign();
  if (!/^application\/x-www-form-urlencoded\s*(?:;|$)/i.test(type)) throw foreign();
  const body = await readBody(request, maxFormBytes);
  if (body === undefined) throw new PageProblem(413, 'This form is too long', 'Nothing was changed.');
  return body instanceof Uint8Array ? new URLSearchParams(Buffer.from(body).toString('utf8')) : fieldsOf(body);
}

function fieldsOf(body: Readonly<Record<string, unknown>>): URLSearchParams {
  const fields = Object.entries(body).flatMap(([name, value]) =>
    [value].flat().flatMap((each): [string, string][] => (typeof each === 'string' ? [[name, each]] : [])),
  );
  return new URLSearchParams(fields);
}

export function foreign(): PageProblem {
  return new PageProblem(
    403,
    'This form does not count',
    'It comes from another site, is too old, or was made for somebody else. Nothing was changed. Go back and start again.',
  );
}
