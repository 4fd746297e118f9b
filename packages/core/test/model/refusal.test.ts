import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { refusal, refusalCodes } from '../../src/model/refusal.js';
import { refusalResponse } from '../../src/model/refusal-response.js';

const documented = readFileSync(new URL('../../../../docs/reference/refusals.md', import.meta.url), 'utf8');

describe('the catalogue of refusals', () => {
  it('is pinned: a code is a promise to clients', () => {
    expect(refusalCodes.map((code) => `${refusal(code).status} ${code}`)).toMatchInlineSnapshot(`
      [
        "400 request_malformed",
        "431 fields_too_large",
        "401 origin_mismatch",
        "401 signature_required",
        "400 signature_malformed",
        "400 signature_ambiguous",
        "401 signature_incomplete",
        "401 credential_uncovered",
        "401 algorithm_not_allowed",
        "401 signature_expired",
        "401 signature_not_yet_valid",
        "401 signature_invalid",
        "401 signature_replayed",
        "401 key_unknown",
        "401 key_not_valid",
        "401 agent_suspended",
        "401 digest_required",
        "400 digest_malformed",
        "401 digest_mismatch",
        "413 body_too_large",
        "400 body_incomplete",
        "408 body_timeout",
        "400 proof_ambiguous",
        "401 dpop_proof_required",
        "401 dpop_proof_invalid",
        "401 dpop_proof_expired",
        "401 dpop_proof_replayed",
        "401 dpop_nonce_required",
        "401 certificate_refused",
        "401 token_malformed",
        "401 token_invalid",
        "401 token_expired",
        "401 token_issuer_unknown",
        "401 token_audience_mismatch",
        "401 token_delegation_invalid",
        "401 token_not_bound_to_agent",
        "401 token_revoked",
        "401 delegation_malformed",
        "401 delegation_invalid",
        "401 delegation_audience_mismatch",
        "401 delegation_expired",
        "401 delegation_wider",
        "401 delegation_too_deep",
        "401 delegation_revoked",
        "403 policy_denied",
        "403 insufficient_scope",
        "403 authorization_details_exceeded",
        "403 approval_required",
        "403 approval_denied",
        "400 approval_malformed",
        "403 approval_invalid",
        "403 approval_expired",
        "403 approval_mismatch",
        "403 approval_used",
        "403 policy_error",
        "403 route_unmapped",
        "500 resource_unresolved",
        "500 body_consumed",
        "500 not_authenticated",
        "500 internal_error",
        "503 keys_unavailable",
        "503 issuer_unavailable",
        "503 revocations_unavailable",
        "503 replay_unknown",
        "503 replay_store_unavailable",
        "503 spool_unavailable",
        "503 policy_unavailable",
        "503 approvals_unavailable",
        "503 audit_unavailable",
        "503 shutting_down",
      ]
    `);
  });

  it('stands in docs/reference/refusals.md, row by row', () => {
    const rows = refusalCodes.map((code) => {
      const { status, title, fault } = refusal(code);
      return `| \`${code}\` | ${status} | ${fault === 'client' ? 'the request' : 'the API'} | ${title} |`;
    });
    expect(documented.split('\n').filter((line) => line.startsWith('| `'))).toEqual(rows);
  });

  it('blames the client with 4xx only, and never shares a code between client and outage', () => {
    for (const code of refusalCodes) {
      const { status, fault } = refusal(code);
      if (fault === 'client') expect(status, code).toBeLessThan(500);
      else expect([403, 500, 503], code).toContain(status);
    }
  });
});

describe('a refusal on the wire', () => {
  it('is problem details with constant text: the detail stays inside', () => {
    const response = refusalResponse(refusal('key_unknown', 'secret detail'), 'sig=("@method")');
    expect(JSON.parse(response.body)).toEqual({
      type: 'https://countersign.github.io/countersign/refusals/key_unknown',
      title: 'The key is not known.',
      status: 401,
      code: 'key_unknown',
    });
    expect(JSON.stringify(response)).not.toContain('secret detail');
  });

  it('answers 401 with a challenge to the unauthenticated, and 403 without one to the denied [D14]', () => {
    const unauthenticated = refusalResponse(refusal('signature_required'), 'sig=("@method");created');
    expect(unauthenticated.headers).toMatchObject({
      'www-authenticate': 'Signature error="signature_required"',
      'accept-signature': 'sig=("@method");created',
    });
    const denied = refusalResponse(refusal('policy_denied'), 'sig=("@method");created');
    expect(denied.status).toBe(403);
    expect(denied.headers).not.toHaveProperty('www-authenticate');
  });

  it('gives every 401 a challenge (RFC 9110 §15.5.2)', () => {
    for (const code of refusalCodes) {
      const response = refusalResponse(refusal(code), 'sig=()');
      if (response.status === 401) expect(response.headers, code).toHaveProperty('www-authenticate');
    }
  });

  it('names the scope that is missing (RFC 6750 §3.1)', () => {
    const { headers } = refusalResponse(refusal('insufficient_scope', undefined, 'pr:write:draft'), '');
    expect(headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="pr:write:draft"');
  });
});
