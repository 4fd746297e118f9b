import { describe, expect, it } from 'vitest';
import {
  type ApprovalClaims,
  type ApprovalRequest,
  type Approver,
  approverProblem,
  checkApproval,
  missingApprovers,
} from '../src/index.js';
import { claimsFor, now, request, requirement } from './world.js';

const demanding = (change: Partial<ApprovalRequest['requirement']>): ApprovalRequest => ({
  ...request,
  requirement: { ...requirement, ...change },
});
const person = (id: string, groups: readonly string[] = ['release-managers'], reason?: string): Approver => ({
  id,
  groups,
  decidedAt: now - 10,
  ...(reason !== undefined && { reason }),
});

function check(approved: ApprovalRequest, change: Partial<ApprovalClaims>, breakGlass: readonly string[] = []) {
  return checkApproval(claimsFor(approved, change), approved, { now, clockSkewSeconds: 5, breakGlass });
}

describe('checkApproval', () => {
  it('accepts an approval of the very request', () => {
    expect(check(request, {})).toBeUndefined();
  });

  it.each<[string, string, ApprovalRequest, Partial<ApprovalClaims>]>([
    ['of another request', 'mismatch', request, { binding: 'A'.repeat(43) }],
    ['for another API', 'invalid', request, { audience: ['https://api.acme.test'] }],
    ['that has expired', 'expired', request, { expiresAt: now - 5 }],
    ['from the future', 'invalid', request, { issuedAt: now + 6, expiresAt: now + 60 }],
    ['that counts too long', 'invalid', request, { expiresAt: now + 591 }],
    ['that was decided too late', 'invalid', request, { askedAt: now - 86_411 }],
    ['that was decided before it was asked', 'invalid', request, { askedAt: now - 9 }],
    ['by nobody of the group', 'invalid', request, { approvers: [person('user_42', ['everybody'])] }],
    ['by too few', 'invalid', demanding({ quorums: [{ groups: ['release-managers'], count: 2 }] }), {}],
    ['by the acting agent', 'invalid', request, { approvers: [person('agent-code-reviewer-01')] }],
    ['by an agent of the chain', 'invalid', request, { approvers: [person('agent-orchestrator')] }],
    [
      'by the subject, if excluded',
      'invalid',
      demanding({ excluded: ['subject'] }),
      { approvers: [person('user_123')] },
    ],
    ['by the owner, if excluded', 'invalid', demanding({ excluded: ['owner'] }), { approvers: [person('user_7')] }],
    ['without a reason, if required', 'invalid', demanding({ reason: 'required' }), {}],
    ['of break-glass by anybody', 'invalid', request, { breakGlass: true, approvers: [person('user_42', [], 'fire')] }],
  ])('refuses an approval %s [C11]', (_what, kind, approved, change) => {
    expect(check(approved, change)).toMatchObject({ kind });
  });

  it('accepts subject and owner unless policy excludes them', () => {
    expect(check(request, { approvers: [person('user_123')] })).toBeUndefined();
    expect(check(request, { approvers: [person('user_7')] })).toBeUndefined();
  });

  it('knows the subject under the namespace of its issuer', () => {
    const approved = { ...demanding({ excluded: ['subject'] }), subject: { ...request.subject, id: 'acme:user_123' } };
    const claims = claimsFor(approved, { approvers: [person('user_123')] });
    const problem = checkApproval(claims, approved, { now, clockSkewSeconds: 5, namespace: 'acme:' });
    expect(problem).toMatchObject({ kind: 'invalid' });
  });

  it('counts people only in the groups for which their authority may approve [C11]', () => {
    const claims = claimsFor(request, { approvers: [person('user_7')] });
    const groups = request.requirement.quorums.flatMap((quorum) => quorum.groups);
    const asPartner = (own: readonly string[]) =>
      checkApproval(claims, request, { now, clockSkewSeconds: 5, groups: own });
    expect(asPartner(['partner-directors'])).toMatchObject({ kind: 'invalid' });
    expect(asPartner(['partner-directors', ...groups])).toBeUndefined();
  });

  it('excludes the owner by a group for which the authority may not approve', () => {
    const excluding = demanding({ excluded: ['owner'] });
    const owned = { ...excluding, actor: { ...excluding.actor, owner: 'platform-team' } };
    const groups = owned.requirement.quorums.flatMap((quorum) => quorum.groups);
    const claims = claimsFor(owned, { approvers: [person('user_7', [...groups, 'platform-team'])] });
    expect(checkApproval(claims, owned, { now, clockSkewSeconds: 5, groups })).toMatchObject({ kind: 'invalid' });
  });

  it('accepts a break-glass approval of a named person, with a reason, for minutes', () => {
    const change = { breakGlass: true, approvers: [person('user_1', [], 'production is down')] };
    const longer = demanding({ useWithinSeconds: 3600 });
    expect(check(request, change, ['user_1'])).toBeUndefined();
    expect(check(request, { ...change, approvers: [person('user_1', [])] }, ['user_1'])).toMatchObject({
      kind: 'invalid',
    });
    expect(check(longer, { ...change, expiresAt: now + 891 }, ['user_1'])).toMatchObject({ kind: 'invalid' });
  });
});

it('approverProblem takes the owner for a group, too', () => {
  const owned = { ...demanding({ excluded: ['owner'] }), actor: { id: 'agent-a', owner: 'platform' } };
  expect(approverProblem(owned, person('user_9', ['platform']))).toMatch('owner');
  expect(approverProblem(owned, person('user_9'))).toBeUndefined();
});

it('approverProblem excludes the owner of each agent of the chain, and everybody if one has none [C11]', () => {
  const excluding = demanding({ excluded: ['owner'] });
  const [user, before, actor] = excluding.chain;
  expect(approverProblem(excluding, person('user_9', ['ops-team']))).toMatch('owner of an agent');
  expect(approverProblem(excluding, person('user_9'))).toBeUndefined();
  const { owner: _owner, ...unowned } = before!;
  const unknown = { ...excluding, chain: [user!, unowned, actor!] };
  expect(approverProblem(unknown, person('user_9'))).toMatch('nobody knows the owner');
});

it('approverProblem lets nobody approve for an agent without the owner whom policy excludes [C11]', () => {
  const unowned = { ...demanding({ excluded: ['owner'] }), actor: { id: 'agent-a' } };
  expect(approverProblem(unowned, person('user_9'))).toMatch('owner');
  expect(approverProblem({ ...request, actor: { id: 'agent-a' } }, person('user_9'))).toBeUndefined();
});

it('missingApprovers counts each person once for each quorum', () => {
  const both = demanding({
    quorums: [
      { groups: ['release-managers', 'directors'], count: 2 },
      { groups: ['security'], count: 1 },
    ],
  });
  const first = person('user_1', ['release-managers', 'security']);
  expect(missingApprovers(both, [first])).toEqual([{ groups: ['release-managers', 'directors'], count: 1 }]);
  expect(missingApprovers(both, [first, first])).toHaveLength(1);
  expect(missingApprovers(both, [first, person('user_2', ['directors'])])).toEqual([]);
});
