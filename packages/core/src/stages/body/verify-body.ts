import { andThen, type Awaitable } from '@countersign/common';
import { type DigestAlgorithm, type FieldSection, parseContentDigest } from '@countersign/signature';
import { seesBody } from '../address/one-view.js';
import type { IndexedRequest } from '../../model/request.js';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { BodyLimits } from '../../model/request-body.js';
import type { Covers } from '../possession/possession.js';

/**
 * Accepts the body only if every supported digest of a *covered* Content-Digest (RFC 9530) verifies over the bytes on the
 * wire. Without `covers` no body is bound to its sender (RFC 9449 §11.7); a digest that it states anyway must match.
 * `sender` is who takes the room that the body needs.
 */
export function verifyBody(
  request: IndexedRequest,
  covers: Covers | undefined,
  limits: BodyLimits,
  sender: string,
): Awaitable<Refusal | undefined> {
  const { fields, body } = request;
  if (covers !== undefined && uncovered(fields, covers, 'content-encoding')) return notCovered('content-encoding');
  const unbound = unboundBody(request, covers);
  // Known before a byte is read; without a stated length the first byte tells.
  if (unbound !== undefined && announcesBytes(fields)) return unbound;
  const expected = expectedDigests(fields);
  if (!(expected instanceof Map)) return expected;
  const accepting = body.accept(unbound === undefined ? limits : { ...limits, maxBytes: 0 }, expected, sender);
  return andThen(accepting, (failure) => {
    if (failure === undefined) return undefined;
    return unbound !== undefined && failure.code === 'body_too_large' ? unbound : refusal(failure.code, failure.detail);
  });
}

/**
 * Why there must be no body. One counts only if the application is told of it, and if the signature covers its digest
 * and its type, if stated: the type decides how the same bytes are read (GHSA-9rfg-v8g9-9367).
 */
function unboundBody(request: IndexedRequest, covers: Covers | undefined): Refusal | undefined {
  const { fields } = request;
  if (!seesBody(request)) return refusal('fields_too_large', 'the server dropped the fields that announce the body');
  if (covers === undefined) return undefined;
  if (!states(fields, 'content-digest')) return refusal('digest_required', 'Content-Digest is missing');
  if (!covers('content-digest')) return refusal('digest_required', 'the signature does not cover content-digest');
  return uncovered(fields, covers, 'content-type') ? notCovered('content-type') : undefined;
}

function uncovered(fields: FieldSection, covers: Covers, field: string): boolean {
  return states(fields, field) && !covers(field);
}

function notCovered(field: string): Refusal {
  return refusal('signature_incomplete', `the signature does not cover ${field}`);
}

function expectedDigests(fields: FieldSection): Map<DigestAlgorithm, Uint8Array> | Refusal {
  if (!states(fields, 'content-digest')) return new Map();
  const parsed = parseContentDigest(fields);
  return parsed.ok ? new Map(parsed.digests) : refusal('digest_malformed', parsed.detail);
}

/** A transfer coding does not: its only chunk may be the last, which is empty (RFC 9112 §7.1). */
function announcesBytes(fields: FieldSection): boolean {
  const [length] = fields.raw('content-length');
  return length !== undefined && Number(length) !== 0;
}

function states(fields: FieldSection, name: string): boolean {
  return fields.has(name);
}
