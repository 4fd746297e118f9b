import { type DigestAlgorithm, parseContentDigest } from '@countersign/signature';
import { fieldValues } from '../http/fields.js';
import type { HttpRequest } from '../http/request.js';
import { type Refusal, refusal } from '../refusal.js';
import { mismatch } from './digester.js';
import type { BodyLimits, BodyVerdict } from './request-body.js';

/** Whether the verified signature covers a field of this name. */
export type Covers = (fieldName: string) => boolean;

/** A body that may be released. Only one that is streamed, whose bytes have not verified yet, has a verdict to come. */
export interface AcceptedBody {
  readonly verdict?: BodyVerdict;
}

/**
 * Holds the body until every supported digest of a *covered* Content-Digest (RFC 9530) has verified over the bytes on
 * the wire. Where the host chose to stream it, all but the bytes is verified, and they will be while they flow. Without
 * `covers` no body is bound to its sender (RFC 9449 §11.7); a digest that it states anyway must match.
 */
export async function verifyBody(
  { rawHeaders, body, bodyMode = 'hold' }: HttpRequest,
  covers: Covers | undefined,
  limits: BodyLimits,
): Promise<AcceptedBody | Refusal> {
  // Without a digest there is nothing to compare a stream with: the body is held, and must be empty.
  const streams = bodyMode === 'stream' && body.stream !== undefined && states(rawHeaders, 'content-digest');
  // Known to be unbound before a byte is read.
  if (streams || announcesContent(rawHeaders)) {
    const unbound = unboundBody(rawHeaders, covers);
    if (unbound !== undefined) return unbound;
  }
  const expected = expectedDigests(rawHeaders);
  if (!(expected instanceof Map)) return expected;
  if (streams && body.stream !== undefined) {
    const streamed = body.stream(limits, expected);
    return streamed.ok ? { verdict: streamed.verdict } : refusal(streamed.code, streamed.detail);
  }

  const held = await body.hold(limits, [...expected.keys()]);
  if (!held.ok) return refusal(held.code, held.detail);
  if (held.length > 0) {
    const unbound = unboundBody(rawHeaders, covers);
    if (unbound !== undefined) return unbound;
  }
  const wrong = mismatch(expected, held.digests);
  return wrong === undefined ? {} : refusal('digest_mismatch', wrong);
}

/** A body counts only if the signature covers its digest, and its type if it
 * states one: the type decides how the same bytes are read (GHSA-9rfg-v8g9-9367). */
function unboundBody(rawHeaders: readonly string[], covers: Covers | undefined): Refusal | undefined {
  if (covers === undefined) return undefined;
  if (!states(rawHeaders, 'content-digest')) return refusal('digest_required', 'Content-Digest is missing');
  if (!covers('content-digest')) return refusal('digest_required', 'the signature does not cover content-digest');
  if (states(rawHeaders, 'content-type') && !covers('content-type')) {
    return refusal('signature_incomplete', 'the signature does not cover content-type');
  }
  return undefined;
}

function expectedDigests(rawHeaders: readonly string[]): Map<DigestAlgorithm, Uint8Array> | Refusal {
  if (!states(rawHeaders, 'content-digest')) return new Map();
  const parsed = parseContentDigest(rawHeaders);
  return parsed.ok ? new Map(parsed.digests) : refusal('digest_malformed', parsed.detail);
}

/** RFC 9112 §6: Content-Length above 0, or a transfer coding, announces content. */
function announcesContent(rawHeaders: readonly string[]): boolean {
  const [length] = fieldValues(rawHeaders, 'content-length');
  return states(rawHeaders, 'transfer-encoding') || (length !== undefined && Number(length) !== 0);
}

function states(rawHeaders: readonly string[], name: string): boolean {
  return fieldValues(rawHeaders, name).length > 0;
}
