import { guardDefaults } from '@countersign/common';
import type { RefusalCode } from '@countersign/core';
import type { DelegationCode } from './delegation.js';
import { type Hint, hint } from './hint.js';
import type { OperatorCode } from './operator.js';
import type { PermissionCode } from './permission.js';

const { maxAgeSeconds, clockSkewSeconds } = guardDefaults;

/** The request, its signature or DPoP proof, and its body. */
export const proofHints: Readonly<Record<Exclude<RefusalCode, DelegationCode | OperatorCode | PermissionCode>, Hint>> =
  {
    request_malformed: hint(
      'The request can be read in two ways: a repeated Host or length field, a dot segment in the path, or bytes that are not printable ASCII. Where people must approve it, also a body that is compressed or whose Content-Type names another charset than utf-8.',
      'Send it plainly. Resolve dot segments and percent-encode the path before you sign. What people approve is UTF-8, uncompressed.',
    ),
    fields_too_large: hint(
      'The header section has too many lines or characters, or the server dropped a signed field.',
      'Send fewer or shorter header fields; a very large token is the usual cause.',
    ),
    origin_mismatch: hint(
      'The request is addressed to another host name or scheme than the `origin` of the API.',
      'Use the host name and scheme under which the API knows itself; a proxy may rewrite Host.',
    ),
    signature_required: hint(
      'No signature carries the tag `countersign`.',
      'Sign the request: agent.fetch() or `countersign curl`. If it was signed, a proxy removed the fields.',
    ),
    signature_malformed: hint(
      'Signature or Signature-Input is not well formed, or is larger than the profile allows.',
      '`countersign inspect` shows how it reads.',
    ),
    signature_ambiguous: hint(
      'More than one signature carries tag="countersign", or its label is in only one of the two fields.',
      'Send exactly one such signature, with its label in both fields.',
    ),
    signature_incomplete: hint(
      'The signature leaves out a component or a parameter that it must cover.',
      'Cover what Accept-Signature in the answer lists: @method, @authority, @path, @query, and the body fields.',
    ),
    credential_uncovered: hint(
      'The request carries a credential that the signature does not cover: it was added after signing.',
      'Add authorization and Agent-* fields first, then sign over them.',
    ),
    algorithm_not_allowed: hint(
      'The signature names an algorithm that its key must not use.',
      'Sign with Ed25519, and leave `alg` out or set it to "ed25519".',
    ),
    signature_expired: hint(
      `The signature is older than the API accepts (${maxAgeSeconds} s by default), or its \`expires\` is over.`,
      'Sign right before sending; check the clock.',
    ),
    signature_not_yet_valid: hint(
      `The clock of this machine is ahead of the API by more than the allowed skew (${clockSkewSeconds} s by default).`,
      'Correct the clock.',
    ),
    signature_invalid: hint(
      'The API does not know the key, or something covered changed after signing: a proxy, a re-serialised body. The audit log of the API says which.',
      'Register the public part of the key (`countersign keygen` prints the entry), and send exactly what you signed.',
    ),
    signature_replayed: hint(
      'This signature was used before; each counts once.',
      'Sign again, with a new nonce, for every attempt, retries included.',
    ),
    key_unknown: hint(
      'No agent is registered with this key. The code is only in audit logs; the client got signature_invalid.',
      'Register the public part of its key (`countersign keygen` prints the entry), or let it use the right key.',
    ),
    key_not_valid: hint(
      'The key is registered, but not valid now: not yet, expired, or revoked.',
      'Rotate to the current key.',
    ),
    agent_suspended: hint(
      'The operator of the API suspended this agent.',
      'Ask the operator; signing again will not help.',
    ),
    digest_required: hint(
      'The request has a body, and the signature does not cover a Content-Digest of it.',
      'Add Content-Digest (RFC 9530) over the body and cover it by the signature.',
    ),
    digest_malformed: hint(
      'Content-Digest cannot be read, or has neither sha-256 nor sha-512.',
      'Send it like sha-256=:BASE64:.',
    ),
    digest_mismatch: hint(
      'The body is not the one that was hashed.',
      'Hash exactly the bytes sent, after compression; look for a proxy that rewrites.',
    ),
    body_too_large: hint(
      'The body is larger than the API accepts.',
      'Send less at once, or ask the operator for a higher limit.',
    ),
    body_incomplete: hint(
      'The connection ended before the whole body was sent.',
      'Send the request again, newly signed.',
    ),
    body_timeout: hint('The body was sent too slowly.', 'Send the request again, newly signed.'),
    proof_ambiguous: hint('The request has both a signature of ours and a DPoP proof.', 'Send one of them.'),
    dpop_proof_required: hint(
      'The token is of scheme DPoP, and no single DPoP field is beside it.',
      'Send one DPoP field with a proof made for this request.',
    ),
    dpop_proof_invalid: hint(
      'The proof is not one JWT (typ dpop+jwt), signed by the key in its header, with the method (htm), the URI without query (htu) and the hash of the token (ath) of this request.',
      'Make it so, and send the token with `Authorization: DPoP`.',
    ),
    dpop_proof_expired: hint(
      'The proof is too old or from the future.',
      'Make it right before sending; check the clock.',
    ),
    dpop_proof_replayed: hint(
      'This proof was used before; each counts once.',
      'Make a new one, with a new jti, for every attempt, retries included.',
    ),
    dpop_nonce_required: hint(
      'The API wants its own nonce in the proof.',
      'Repeat the request with a proof that holds the nonce of the DPoP-Nonce field of the answer.',
    ),
    certificate_refused: hint(
      'The client certificate is no current X.509-SVID of a trusted domain, or its SPIFFE ID is that of no agent here.',
      'Connect with the newest certificate; the audit log of the API says what is wrong.',
    ),
  };
