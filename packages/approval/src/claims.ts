import { isJsonObject, type Reading } from '@countersign/common';
import { isIdentifier, isStringOrUri } from '@countersign/delegation';
import { isDigest, isText, Members, reading, unreadable } from './members.js';
import { approvalLimits } from './requirement.js';

/** The `typ` of an approval: a JWT that an authority signs with EdDSA. */
export const approvalType = 'approval+jwt';

/** The longest approval, in characters. */
export const maxApprovalLength = 8192;

/** A break-glass approval counts for at most so long. */
export const breakGlassSeconds = 900;

/** What an approval says: these people consented to the request with this binding. Times are unix seconds. */
export interface ApprovalClaims {
  readonly issuer: string;
  readonly audience: readonly string[];
  /** `jti`: names the approval, and is used once. */
  readonly id: string;
  /** The hash of the request that was approved. */
  readonly binding: string;
  /** `asked_at`: when the agent asked. */
  readonly askedAt: number;
  /** `iat`: when the last approver decided. */
  readonly issuedAt: number;
  /** `exp`: until when it may be used. */
  readonly expiresAt: number;
  readonly approvers: readonly Approver[];
  /** `break_glass`: a named person decided alone, in an emergency. */
  readonly breakGlass: boolean;
}

/** Who consented. */
export interface Approver {
  readonly id: string;
  /**
   * The groups of the requirement that the person was in at that moment. If the requirement excludes the owner of the
   * agent, and the person is in the group that is the owner: that group, too.
   */
  readonly groups: readonly string[];
  readonly decidedAt: number;
  /** How and when the person signed in (OpenID Connect). */
  readonly amr?: readonly string[];
  readonly acr?: string;
  readonly authTime?: number;
  readonly reason?: string;
}

const maxApprovers = approvalLimits.count.most * approvalLimits.quorums;
const maxGroups = approvalLimits.groups * approvalLimits.quorums;
const isReason = isText(1024);
const isShort = isText(256);

/** Reads the payload of an approval whose signature has verified. Claims of other specifications are ignored. */
export function readApprovalClaims(payload: unknown): Reading<ApprovalClaims> {
  return reading(() => {
    const members = new Members(payload, 'approval');
    const aud = members.take('aud');
    const claims: ApprovalClaims = {
      issuer: members.text('iss', isStringOrUri),
      audience: new Members({ aud: Array.isArray(aud) ? aud : [aud] }, 'approval').texts('aud', 16, isStringOrUri),
      id: members.text('jti', isApprovalId),
      binding: members.text('binding', isDigest),
      askedAt: seconds(members, 'asked_at'),
      issuedAt: seconds(members, 'iat'),
      expiresAt: seconds(members, 'exp'),
      approvers: members.list('approvers', 1, maxApprovers, approverIn),
      breakGlass: isBreakGlass(members),
    };
    if (new Set(claims.approvers.map(({ id }) => id)).size !== claims.approvers.length) {
      throw unreadable('approval.approvers names somebody twice');
    }
    return claims;
  });
}

/**
 * The payload of an approval, to be signed with the header `{ typ: approvalType, alg: 'EdDSA', kid }`.
 *
 * @throws TypeError if {@link readApprovalClaims} would refuse it.
 */
export function approvalPayload(claims: ApprovalClaims): Record<string, unknown> {
  const payload = {
    iss: claims.issuer,
    aud: [...claims.audience],
    jti: claims.id,
    binding: claims.binding,
    asked_at: claims.askedAt,
    iat: claims.issuedAt,
    exp: claims.expiresAt,
    approvers: claims.approvers.map(({ id, groups, decidedAt, amr, acr, authTime, reason }) => ({
      id,
      groups: [...groups],
      decided_at: decidedAt,
      ...(amr !== undefined && { amr: [...amr] }),
      ...(acr !== undefined && { acr }),
      ...(authTime !== undefined && { auth_time: authTime }),
      ...(reason !== undefined && { reason }),
    })),
    ...(claims.breakGlass && { break_glass: true }),
  };
  const read = readApprovalClaims(payload);
  if (!read.ok) throw new TypeError(`approvalPayload: ${read.problem}.`);
  return payload;
}

/** The id of an approval: visible ASCII, long enough that no two are the same by accident. */
export function isApprovalId(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]{8,256}$/.test(value);
}

function approverIn(value: unknown, where: string): Approver {
  const members = new Members(value, where);
  const amr = isJsonObject(value) && Object.hasOwn(value, 'amr') ? members.texts('amr', 16, isShort) : undefined;
  const acr = members.optionalText('acr', isShort);
  const reason = members.optionalText('reason', isReason);
  const authTime = isJsonObject(value) && Object.hasOwn(value, 'auth_time') ? seconds(members, 'auth_time') : undefined;
  return {
    id: members.text('id', isIdentifier),
    groups: members.texts('groups', maxGroups, isIdentifier),
    decidedAt: seconds(members, 'decided_at'),
    ...(amr !== undefined && { amr }),
    ...(acr !== undefined && { acr }),
    ...(authTime !== undefined && { authTime }),
    ...(reason !== undefined && reason !== '' && { reason }),
  };
}

function seconds(members: Members, name: string): number {
  return members.integer(name, 0, 0xffff_ffff);
}

function isBreakGlass(members: Members): boolean {
  const value = members.take('break_glass');
  if (value === undefined || value === false) return false;
  if (value === true) return true;
  throw members.wrong('break_glass');
}
