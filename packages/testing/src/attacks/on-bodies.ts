import { computeContentDigest } from '@countersign/signature';
import type { Attempt, RequestKind } from './attempt.js';

const needs = ({ hasBody }: RequestKind): boolean => hasBody;

/** What is wrong with the body, or was changed after it was signed. */
export const onBodies: readonly Attempt[] = [
  {
    name: 'another body',
    code: 'digest_mismatch',
    needs,
    make: (forge) => forge.altered(({ body }) => ({ body: changed(body) })),
  },
  {
    name: 'another body with its digest',
    code: 'signature_invalid',
    needs,
    make: (forge) =>
      forge.altered(({ body }) => {
        const other = changed(body);
        return { body: other, headers: { 'content-digest': computeContentDigest(other) } };
      }),
  },
  {
    name: 'no digest',
    code: 'digest_required',
    needs,
    make: (forge) => forge.signed({ set: { 'content-digest': undefined } }),
  },
  {
    name: 'a digest not covered',
    code: 'digest_required',
    needs,
    make: (forge) => forge.signed({ uncovered: ['content-digest'] }),
  },
  {
    name: 'a weak digest',
    code: 'digest_malformed',
    needs,
    make: (forge) => forge.signed({ set: { 'content-digest': 'md5=:AAAAAAAAAAAAAAAAAAAAAA==:' } }),
  },
  {
    name: 'a content type not covered',
    code: 'signature_incomplete',
    needs,
    make: (forge) => forge.signed({ uncovered: ['content-type'] }),
  },
  {
    name: 'another content type',
    code: 'signature_invalid',
    needs,
    make: (forge) => forge.altered(() => ({ headers: { 'content-type': 'text/x-other' } })),
  },
  {
    name: 'a content encoding added',
    code: 'signature_incomplete',
    needs,
    make: (forge) => forge.altered(() => ({ headers: { 'content-encoding': 'gzip' } })),
  },
];

/** As long as before, and still JSON if it ended in a brace. */
function changed(body: string | Uint8Array | undefined): Uint8Array {
  const bytes = Buffer.from(body ?? '');
  const at = Math.max(0, bytes.length - 3);
  bytes[at] = bytes[at] === 0x31 ? 0x30 : 0x31;
  return bytes;
}
