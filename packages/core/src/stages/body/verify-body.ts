import { type DigestAlgorithm, parseContentDigest } from '@countersign/signature';
import { fieldValues } from '../address/fields.js';
import { seesBody } from '../address/one-view.js';
import type { HttpRequest } from '../../model/request.js';
import { type Refusal, refusal } from '../../model/refusal.js';
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
  request: HttpRequest,
  covers: Covers | undefined,
  limits: BodyLimits,
): Promise<AcceptedBody | Refusal> {
  const { rawHeaders, body, bodyMode = 'hold' } = request;
  if (covers !== undefined && uncovered(rawHeaders, covers, 'content-encoding')) return notCovered('content-encoding');
  const unbound = unboundBody(request, covers);
  // Known before a byte is read; without a stated length the first byte tells.
  if (unbound !== undefined && announcesBytes(rawHeaders)) return unbound;
  const expected = expectedDigests(rawHeaders);
  if (!(expected instanceof Map)) return expected;
  // Without a digest there is nothing to compare a stream with.
  if (bodyMode === 'stream' && body.stream !== undefined && unbound === undefined && expected.size > 0) {
    const streamed = body.stream(limits, expected);
    return streamed.ok ? { verdict: streamed.verdict } : refusal(streamed.code, streamed.detail);
  }

  const held = await body.hold(unbound === undefined ? limits : { ...limits, maxBytes: 0 }, [...expected.keys()]);
  if (!held.ok)
    return unbound !== undefined && held.code === 'body_too_large' ? unbound : refusal(held.code, held.detail);
  const wrong = mismatch(expected, held.digests);
  return wrong === undefined ? {} : refusal('digest_mismatch', wrong);
}

/**
 * Why there must be no body. One counts only if the application is told of it, and if the signature covers its digest
 * and its type, if stated: the type decides how the same bytes are read (GHSA-9rfg-v8g9-9367).
 */
function unboundBody(request: HttpRequest, covers: Covers | undefined): Refusal | undefined {
  const { rawHeaders } = request;
  if (!seesBody(request)) return refusal('fields_too_large', 'the server dropped the fields that announce the body');
  if (covers === undefined) return undefined;
  if (!states(rawHeaders, 'content-digest')) return refusal('digest_required', 'Content-Digest is missing');
  if (!covers('content-digest')) return refusal('digest_required', 'the signature does not cover content-digest');
  return uncovered(rawHeaders, covers, 'content-type') ? notCovered('content-type') : undefined;
}

function uncovered(rawHeaders: readonly string[], covers: Covers, field: string): boolean {
  return states(rawHeaders, field) && !covers(field);
}

function notCovered(field: string): Refusal {
  return refusal('signature_incomplete', `the signature does not cover ${field}`);
}

function expectedDigests(rawHeaders: readonly string[]): Map<DigestAlgorithm, Uint8Array> | Refusal {
  if (!states(rawHeaders, 'content-digest')) return new Map();
  const parsed = parseContentDigest(rawHeaders);
  return parsed.ok ? new Map(parsed.digests) : refusal('digest_malformed', parsed.detail);
}

/** A transfer coding does not: its only chunk may be the last, which is empty (RFC 9112 §7.1). */
function announcesBytes(rawHeaders: readonly string[]): boolean {
  const [length] = fieldValues(rawHeaders, 'content-length');
  return length !== undefined && Number(length) !== 0;
}

function states(rawHeaders: readonly string[], name: string): boolean {
  return fieldValues(rawHeaders, name).length > 0;
}
