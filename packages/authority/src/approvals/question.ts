import { toUSVString } from 'node:util';
import {
  type ApprovalDetails,
  approvalDetailsType,
  maxApprovalRequest,
  maxDisclosure,
  readApprovalDetails,
} from '@countersign/approval';
import { parseStrictJson } from '@countersign/common';
import { AuthorityError } from '../authority-error.js';

/** How long an agent waits between two looks, in seconds. */
export const pollSeconds = 2;

/**
 * Reads the `authorization_details` by which an agent asks: one object, complete and consistent.
 *
 * @throws AuthorityError `approval_invalid`
 */
export function readQuestion(text: unknown): ApprovalDetails {
  if (typeof text !== 'string' || text.length > 2 * (maxApprovalRequest + maxDisclosure)) {
    throw invalid('authorization_details is missing or too long');
  }
  const read = parseStrictJson(Buffer.from(text));
  const [detail, ...others] = read.ok && Array.isArray(read.value) ? (read.value as unknown[]) : [];
  if (detail === undefined || others.length > 0) {
    throw invalid(`authorization_details must be a list with one object of type ${approvalDetailsType}`);
  }
  const details = readApprovalDetails(detail);
  if (!details.ok) throw invalid(details.problem);
  return details.value;
}

const longestReason = 1000;

/** @throws AuthorityError `approval_invalid` */
export function checkReason(reason: string | undefined): void {
  if (reason === undefined || (reason.length <= longestReason && toUSVString(reason) === reason)) return;
  throw invalid(`a reason has at most ${longestReason} characters`);
}

function invalid(detail: string): AuthorityError {
  return new AuthorityError('approval_invalid', detail);
}
