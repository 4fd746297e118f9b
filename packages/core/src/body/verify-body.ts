import { timingSafeEqual } from 'node:crypto';
import { type DigestAlgorithm, parseContentDigest } from '@countersign/signature';
import { fieldValues } from '../http/fields.js';
import type { HttpRequest } from '../http/request.js';
import { type Refusal, refusal } from '../refusal.js';
import type { BodyLimits } from './request-body.js';

/** Whether the verified signature covers a field of this name. */
export type Covers = (fieldName: string) => boolean;

/**
 * Holds the body until every supported digest of a *covered* Content-Digest (RFC 9530) has verified over the bytes on
 * the wire. Answers with the refusal, or with undefined when the body is what was signed.
 */
export async function verifyBody(
  { rawHeaders, body }: HttpRequest,
  covers: Covers,
  limits: BodyLimits,
): Promise<Refusal | undefined> {
  // Known to be unbound before a byte is read.
  if (announcesContent(rawHeaders)) {
    const unbound = unboundBody(rawHeaders, covers);
    if (unbound !== undefined) return unbound;
  }
  const expected = expectedDigests(rawHeaders);
  if (!(expected instanceof Map)) return expected;

  const held = await body.hold(limits, [...expected.keys()]);
  if (!held.ok) return refusal(held.code, held.detail);
  if (held.length > 0) {
    const unbound = unboundBody(rawHeaders, covers);
    if (unbound !== undefined) return unbound;
  }
  for (const [algorithm, digest] of expected) {
    const actual = held.digests.get(algorithm);
    if (actual === undefined || !equalDigests(actual, digest)) return refusal('digest_mismatch', algorithm);
  }
  return undefined;
}

/** A body counts only if the signature covers its digest, and its type if it
 * states one: the type decides how the same bytes are read (GHSA-9rfg-v8g9-9367). */
function unboundBody(rawHeaders: readonly string[], covers: Covers): Refusal | undefined {
  if (fieldValues(rawHeaders, 'content-digest').length === 0)
    return refusal('digest_required', 'Content-Digest is missing');
  if (!covers('content-digest')) return refusal('digest_required', 'the signature does not cover content-digest');
  if (fieldValues(rawHeaders, 'content-type').length > 0 && !covers('content-type')) {
    return refusal('signature_incomplete', 'the signature does not cover content-type');
  }
  return undefined;
}

function expectedDigests(rawHeaders: readonly string[]): Map<DigestAlgorithm, Uint8Array> | Refusal {
  if (fieldValues(rawHeaders, 'content-digest').length === 0) return new Map();
  const parsed = parseContentDigest(rawHeaders);
  return parsed.ok ? new Map(parsed.digests) : refusal('digest_malformed', parsed.detail);
}

/** RFC 9112 §6: Content-Length above 0, or a transfer coding, announces content. */
function announcesContent(rawHeaders: readonly string[]): boolean {
  const [length] = fieldValues(rawHeaders, 'content-length');
  return fieldValues(rawHeaders, 'transfer-encoding').length > 0 || (length !== undefined && Number(length) !== 0);
}

function equalDigests(actual: Uint8Array, expected: Uint8Array): boolean {
  return actual.length === expected.length && timingSafeEqual(actual, expected);
}
