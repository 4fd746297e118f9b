import { describe, expect, it } from 'vitest';
import { approvalPayload, readApprovalClaims } from '../src/index.js';
import { claimsFor, now } from './world.js';

const full = claimsFor(undefined, {
  approvers: [
    {
      id: 'user_42',
      groups: ['release-managers'],
      decidedAt: now - 20,
      amr: ['pwd', 'hwk'],
      acr: 'urn:acme:2',
      authTime: now - 500,
      reason: 'reviewed',
    },
    { id: 'user_43', groups: ['security'], decidedAt: now - 10 },
  ],
});

describe('readApprovalClaims', () => {
  it.each([
    ['a plain approval', claimsFor()],
    ['two approvers', full],
    ['a break-glass approval', claimsFor(undefined, { breakGlass: true })],
  ])('reads %s, through JSON', (_what, claims) => {
    expect(readApprovalClaims(JSON.parse(JSON.stringify(approvalPayload(claims))))).toEqual({
      ok: true,
      value: claims,
    });
  });

  it('reads an audience that is one text', () => {
    expect(readApprovalClaims({ ...approvalPayload(claimsFor()), aud: 'https://api.acme.dev' })).toMatchObject({
      ok: true,
      value: { audience: ['https://api.acme.dev'] },
    });
  });

  it.each<[string, object]>([
    ['no issuer', { iss: undefined }],
    ['no audience', { aud: undefined }],
    ['a short id', { jti: 'x' }],
    ['an id with a space', { jti: 'approval 0001' }],
    ['no binding', { binding: 'x' }],
    ['a time that is a text', { exp: String(now) }],
    ['a time that is too late', { exp: 1e300 }],
    ['no approver', { approvers: [] }],
    ['one approver twice', { approvers: [approver(), approver()] }],
    ['an approver without a time', { approvers: [{ ...approver(), decided_at: undefined }] }],
    ['a break_glass that is a text', { break_glass: 'true' }],
  ])('refuses %s [C11]', (_what, change) => {
    expect(readApprovalClaims({ ...approvalPayload(claimsFor()), ...change })).toMatchObject({ ok: false });
  });

  it('refuses what is no object', () => {
    for (const payload of [null, [], 'x', undefined]) expect(readApprovalClaims(payload)).toMatchObject({ ok: false });
  });
});

it('approvalPayload makes nothing that could not be read', () => {
  expect(() => approvalPayload(claimsFor(undefined, { approvers: [] }))).toThrow(TypeError);
});

function approver(): object {
  return { id: 'user_42', groups: ['release-managers'], decided_at: now };
}
