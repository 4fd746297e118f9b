import {
  type ApprovalClaims,
  approvalBinding,
  approvalPayload,
  type ApprovalProblem,
  type ApprovalRequest,
  type ApprovalUses,
  checkApproval,
  mayApprove,
  readApprovalClaims,
} from '@countersign/approval';
import type { AuditApproval } from '@countersign/audit';
import { answerInTime, boundJson, containRejections, failed, type Reading } from '@countersign/common';
import { type ApprovalAsk, outage, type Refusal, type RefusalCode, refusal } from '../../model/refusal.js';
import type { AgentDirectory } from '../../keys/directory.js';
import type { RevocationChecks } from '../revocation/check-revocations.js';
import type { ApprovalsValues, QueueAnswer } from './approval-options.js';
import {
  approvalRequestFor,
  bodyProblem,
  type ConsentQuestion,
  type ConsentSubject,
  hopsWithOwners,
} from './approval-request.js';
import { type FoundApproval, verifyApprovalToken } from './approval-token.js';

/** Where a decision that needs consent is made, and the approval that came with it. */
export interface ConsentUnit extends ConsentSubject {
  /** The approval that came with the call; else the field of its request counts. */
  readonly approval?: string | undefined;
}

/** Whether people consented, and what the record says of it. */
export type Consent =
  | { readonly ok: true; readonly approval: AuditApproval }
  | { readonly ok: false; readonly refused: Refusal; readonly approval?: AuditApproval };

/** Decides whether people consented to exactly this, and uses their approval up. Never rejects. */
export type Approve = (question: ConsentQuestion, unit: ConsentUnit) => Promise<Consent>;

export interface ApproveParts {
  readonly approvals: ApprovalsValues | undefined;
  readonly agents: AgentDirectory;
  readonly uses: ApprovalUses;
  readonly revocations: Pick<RevocationChecks, 'ofApproval'>;
  /** `observe`: nobody is asked, and nothing is used up. */
  readonly mode: 'enforce' | 'observe';
  /** What the API is called in approvals. */
  readonly audience: string;
  readonly clockSkewSeconds: number;
  readonly lookupTimeoutSeconds: number;
  readonly clock: () => number;
}

/** Approvals of the application's own queue are used under this name. */
const ownIssuer = 'urn:countersign:application';
const problemCodes: Readonly<Record<ApprovalProblem['kind'], RefusalCode>> = {
  mismatch: 'approval_mismatch',
  expired: 'approval_expired',
  invalid: 'approval_invalid',
};

export function createApprove(parts: ApproveParts): Approve {
  const { approvals, uses, revocations, audience, clockSkewSeconds, lookupTimeoutSeconds, clock } = parts;
  const observes = parts.mode === 'observe';
  const issuers = [...(approvals?.issuers.values() ?? [])];

  /** Who may approve as much as this demands. */
  function issuersFor(request: ApprovalRequest): readonly string[] {
    return issuers.filter(({ groups }) => mayApprove(groups, request)).map(({ issuer }) => issuer);
  }

  /** Why the application's queue has no approval, or the one it has. */
  async function askQueue(ask: ApprovalAsk): Promise<FoundApproval | Refusal> {
    const queue = approvals?.queue;
    if (queue === undefined || observes) return asking('approval_required', ask);
    try {
      const { binding, request } = ask;
      const answer = await answerInTime(lookupTimeoutSeconds, () => queue({ binding, request }));
      const read = readAnswer(answer, ask);
      if (read.ok) return read.value;
      containRejections(answer);
      return { ...refusal('approvals_unavailable', read.problem), reported: `approvalsFrom(): ${read.problem}` };
    } catch (error) {
      return outage('approvals_unavailable', error);
    }
  }

  async function find(unit: ConsentUnit, ask: ApprovalAsk): Promise<FoundApproval | Refusal> {
    const fields = unit.received?.request.fields;
    const [text, ...others] = unit.approval === undefined ? (fields?.raw('agent-approval') ?? []) : [unit.approval];
    if (others.length > 0) return refusal('approval_malformed', 'more than one Agent-Approval field');
    if (text === undefined) return await askQueue(ask);
    return await verifyApprovalToken(text, approvals?.issuers ?? new Map(), clock() / 1000);
  }

  /** Once, and in time also after the store has answered: it may have forgotten an approval that ended meanwhile. */
  async function use({ claims }: FoundApproval): Promise<Refusal | undefined> {
    const { issuer, id, issuedAt } = claims;
    const now = clock() / 1000;
    const until = claims.expiresAt + clockSkewSeconds;
    try {
      const asked = { issuer, id, issuedAt, clockSkewSeconds, until, now };
      const result = await answerInTime(lookupTimeoutSeconds, () => uses.use(asked));
      if (!(clock() / 1000 < until)) return refusal('approval_expired', 'it ended while it was checked');
      switch (result) {
        case 'first':
          return undefined;
        case 'repeated':
          return refusal('approval_used');
        case 'before_epoch':
          return refusal('approval_used', 'the store began after it was given, so that it cannot tell');
        default:
          containRejections(result);
          return refusal('approvals_unavailable', result === 'full' ? 'the store is full' : 'the store gave no answer');
      }
    } catch (error) {
      return outage('approvals_unavailable', error);
    }
  }

  /** Uses an approval up unless it is revoked, also in the time that this takes, or policy has changed while people decided. */
  async function spend(found: FoundApproval, { changedSince }: ConsentQuestion): Promise<Refusal | undefined> {
    const revoked = revocations.ofApproval(found.claims, found.namespace);
    const refused = (await revoked()) ?? (await changedSince());
    if (refused !== undefined || observes) return refused;
    return (await use(found)) ?? (await revoked());
  }

  async function consent(question: ConsentQuestion, unit: ConsentUnit, ask: ApprovalAsk): Promise<Consent> {
    const { binding, request } = ask;
    const found = await find(unit, ask);
    if ('code' in found) return { ok: false, refused: found, approval: { binding } };
    const { claims, namespace, groups } = found;
    const { issuer, id } = claims;
    const breakGlass = approvals?.breakGlass ?? [];
    // Of now: people may have decided while their queue was asked.
    const now = clock() / 1000;
    const options = { now, clockSkewSeconds, breakGlass, namespace, ...(groups !== undefined && { groups }) };
    const problem = checkApproval(claims, request, options);
    const refused =
      problem === undefined ? await spend(found, question) : refusal(problemCodes[problem.kind], problem.detail);
    if (refused !== undefined) return { ok: false, refused, approval: { binding, id, issuer } };
    return { ok: true, approval: recorded(found, request) };
  }

  return async (question, unit) => {
    const { proof } = question.caller;
    if (unit.call?.argumentsDigest === undefined && proof.kind !== 'signature' && proof.kind !== 'local') {
      // Nothing binds its body to who sent it, so that nobody could say what was approved.
      return { ok: false, refused: refusal('approval_required', `not a signed request but ${proof.kind}`) };
    }
    if (unit.call?.argumentsDigest === undefined && unit.received?.request.body.isStreamed === true) {
      // Its reader would act by bytes that are not known to be those that were approved.
      return { ok: false, refused: refusal('approval_required', 'its body is streamed: hold it on this route') };
    }
    const unclear = bodyProblem(unit, approvals?.bodyTypes ?? []);
    if (unclear !== undefined) return { ok: false, refused: refusal('request_malformed', `for approval, ${unclear}`) };
    const chain = await hopsWithOwners(question.caller.chain, parts.agents, clock() / 1000);
    if ('code' in chain) return { ok: false, refused: chain };
    const request = approvalRequestFor(question, unit, { audience, fields: approvals?.fields ?? [], chain });
    if (!request.ok) return { ok: false, refused: refusal('policy_error', `for approval, ${request.problem}`) };
    const ask = { binding: approvalBinding(request.value), request: request.value, issuers: issuersFor(request.value) };
    const answer = await consent(question, unit, ask);
    return answer.ok || answer.refused.status !== 403 ? answer : { ...answer, refused: withAsk(answer.refused, ask) };
  };
}

function readAnswer(answer: QueueAnswer, ask: ApprovalAsk): Reading<FoundApproval | Refusal> {
  const { status, ...given } = (answer ?? {}) as QueueAnswer & { readonly url?: unknown; readonly reason?: unknown };
  switch (status) {
    case 'pending': {
      const { url } = given;
      if (url === undefined) return { ok: true, value: asking('approval_required', ask) };
      if (typeof url !== 'string' || !/^https?:/i.test(url) || !URL.canParse(url)) return failed("'url' is no URL");
      return { ok: true, value: asking('approval_required', { ...ask, url }) };
    }
    case 'denied': {
      const { reason } = given;
      if (reason !== undefined && typeof reason !== 'string') return failed("'reason' is no text");
      return { ok: true, value: asking('approval_denied', reason === undefined ? ask : { ...ask, reason }) };
    }
    case 'approved':
      return readDecision(given as unknown as ApprovalClaims, ask.request);
    default:
      return failed("'status' is none of pending, approved and denied");
  }
}

/** Held to the same form as an approval of an authority. */
function readDecision(given: ApprovalClaims, { audience }: ApprovalRequest): Reading<FoundApproval> {
  try {
    const claims = { ...given, issuer: ownIssuer, audience: [audience], breakGlass: given.breakGlass ?? false };
    const read = readApprovalClaims(approvalPayload(claims));
    return read.ok ? { ok: true, value: { claims: read.value, namespace: '', groups: undefined } } : read;
  } catch {
    return failed(
      'the approval is not { id, binding, askedAt, issuedAt, expiresAt, approvers: [{ id, groups, decidedAt }] } with an id of 8 to 256 characters and times in unix seconds',
    );
  }
}

function asking(code: RefusalCode, ask: ApprovalAsk): Refusal {
  return withAsk(refusal(code), ask);
}

/** What the agent asks people for: again, if what it has does not count. */
function withAsk(refused: Refusal, ask: ApprovalAsk): Refusal {
  return refused.approval === undefined ? Object.freeze({ ...refused, approval: ask }) : refused;
}

/** A record must fit into a line of the log, with the name of everybody who approved. */
const maxRecorded = 8;
const reasonBytes = 3000;

function recorded({ claims, namespace }: FoundApproval, { requirement }: ApprovalRequest): AuditApproval {
  const { binding, id, issuer, approvers, breakGlass } = claims;
  const asked = new Set(requirement.quorums.flatMap(({ groups }) => groups));
  return {
    binding,
    id,
    issuer,
    approvers: approvers.map(({ amr, authTime, acr, reason, decidedAt, groups, ...approver }, index) => ({
      id: namespace + approver.id,
      groups: groups.filter((group) => asked.has(group)).slice(0, maxRecorded),
      decidedAt,
      ...(reason !== undefined && { reason: boundJson(reason, Math.floor(reasonBytes / approvers.length)) }),
      ...(index < maxRecorded && {
        ...(amr !== undefined && { amr: amr.slice(0, maxRecorded) }),
        ...(acr !== undefined && { acr }),
        ...(authTime !== undefined && { authTime }),
      }),
    })),
    ...(breakGlass && { breakGlass }),
  };
}
