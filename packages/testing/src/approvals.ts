import { randomUUID } from 'node:crypto';
import type { ApprovalQueue, ApprovalRequest, QueueAnswer } from '@countersign/core';
import type { Outages } from './outages.js';
import { secondsOf, type TestClock } from './clock.js';

/** Who approves, and why. */
export interface TestApprover {
  /** The groups of the person. Default: those that the policy asks for. */
  readonly groups?: readonly string[];
  readonly reason?: string;
}

/** The people who approve: a queue that tests answer. */
export interface TestApprovals {
  /** What waits for people, oldest first. */
  readonly pending: readonly ApprovalRequest[];
  /** This person approves everything that waits. The agent then sends the same request again. */
  approve(person: string, options?: TestApprover): void;
  /** Everything that waits is denied. */
  deny(options?: { readonly reason?: string }): void;
  /** Forgets every question and answer, so that the same request is asked about anew. */
  clear(): void;
}

interface Asked {
  readonly request: ApprovalRequest;
  readonly askedAt: number;
  answer: QueueAnswer;
  readonly approvers: { id: string; groups: readonly string[]; decidedAt: number; reason?: string }[];
}

/** The queue of a guard, and what tests see of it. */
export function testApprovals(
  clock: TestClock,
  outages: Outages,
): { readonly approvals: TestApprovals; readonly queue: ApprovalQueue } {
  const asked = new Map<string, Asked>();
  const pending = (): [string, Asked][] => [...asked].filter(([, { answer }]) => answer.status === 'pending');

  return {
    queue: async ({ binding, request }) => {
      outages.check('approvals');
      const known = asked.get(binding);
      if (known !== undefined) return known.answer;
      const answer = { status: 'pending' } as const;
      asked.set(binding, { request, askedAt: secondsOf(clock), answer, approvers: [] });
      return answer;
    },
    approvals: {
      get pending() {
        return pending().map(([, { request }]) => request);
      },
      approve(person, options = {}) {
        const waiting = pending();
        if (waiting.length === 0) throw new Error('approvals.approve: nothing waits. Send the request first.');
        for (const [binding, entry] of waiting) consent(binding, entry, person, options, secondsOf(clock));
      },
      deny({ reason } = {}) {
        const waiting = pending();
        if (waiting.length === 0) throw new Error('approvals.deny: nothing waits. Send the request first.');
        for (const [, entry] of waiting) entry.answer = { status: 'denied', ...(reason !== undefined && { reason }) };
      },
      clear: () => asked.clear(),
    },
  };
}

/** The policy may ask several people: the request stays pending until each quorum is met. */
function consent(binding: string, entry: Asked, id: string, { groups, reason }: TestApprover, decidedAt: number): void {
  const { quorums, useWithinSeconds } = entry.request.requirement;
  const all = [...new Set(quorums.flatMap((quorum) => quorum.groups))];
  if (entry.approvers.some((approver) => approver.id === id)) return;
  entry.approvers.push({ id, groups: groups ?? all, decidedAt, ...(reason !== undefined && { reason }) });
  const isMet = quorums.every(
    (quorum) =>
      entry.approvers.filter((approver) => approver.groups.some((group) => quorum.groups.includes(group))).length >=
      quorum.count,
  );
  // With other groups than the policy asks for, the guard itself says what is missing.
  if (!isMet && groups === undefined) return;
  entry.answer = {
    status: 'approved',
    id: randomUUID(),
    binding,
    askedAt: entry.askedAt,
    issuedAt: decidedAt,
    expiresAt: decidedAt + useWithinSeconds,
    approvers: entry.approvers,
  };
}
