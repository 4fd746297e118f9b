import type { RawResponse } from '../../../test/support/connection.js';

/** The code of a refusal; undefined for any other answer. */
export function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}
