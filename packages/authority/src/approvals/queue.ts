import { randomBytes } from 'node:crypto';
import { type ApprovalDetails, isApprovalId } from '@countersign/approval';
import { checkOptionNames } from '@countersign/common';
import type { RegisteredAgent } from '../agents/agent.js';
import type { AgentRegistry } from '../agents/registry.js';
import { AuthorityError } from '../authority-error.js';
import { type Grant, isEnded, notEnded, sinceLastEnd } from '../delegation/ends.js';
import { createSeal } from '../keys/seal.js';
import type { ApprovalSettings } from '../options/read-approvals.js';
import type { Settings } from '../options/read-options.js';
import { required, type Row, sql, type Statement } from '../storage/store.js';
import type { Trail, TrailEvent } from '../trail/trail.js';
import {
  type Approval,
  type ApprovalEvent,
  type ApproverIdentity,
  type Decision,
  reviewProblem,
  tenantOf,
} from './approval.js';
import { approvalEvent, decider, decisionName, type EventName } from './approval-event.js';
import { approvalsOf } from './approval-rows.js';
import { asking, tooMany, waiting } from './asking.js';
import { conflict, type DecisionInput, decisionOf, ended, invalid, outcomeOf } from './decisions.js';
import { checkReason } from './question.js';
import { recount } from './recount.js';
import { type ApprovalFilter, filterNames, selection } from './selection.js';
import { signing } from './sign-approval.js';

/** The statements that tell people of an event, as a part of the transaction in which it happens. */
export type Announce = (approval: Approval, event: ApprovalEvent) => readonly Statement[];

/** The questions to people, and their answers. Every change is one transaction. */
export interface ApprovalQueue {
  /** The same question twice is one question. @throws AuthorityError */
  ask(agent: RegisteredAgent, details: ApprovalDetails): Promise<Approval>;
  find(id: string): Promise<Approval | undefined>;
  /** For its own agent: approved only once the audit log has who decided. The agent has the approval from then on. */
  findForAgent(id: string, agent: string): Promise<Approval | undefined>;
  /** For `decide` and `review`, read before the person is asked who they are: the next revocation of the subject ends it. */
  since(subject: string): Promise<number>;
  /** @throws AuthorityError `approval_conflict` or `approval_forbidden` */
  decide(approver: ApproverIdentity, input: DecisionInput): Promise<Approval>;
  /** The agent takes its question back, as long as it is undecided. Undefined: it asked no such question. */
  withdraw(id: string, agent: string): Promise<Approval | undefined>;
  /** An administrator ends a question, also one that is approved, if its agent does not have the approval yet. */
  denyAsAdministrator(id: string, reason: string | undefined): Promise<Approval>;
  /** Marks an emergency as reviewed, by another person than the one who decided, whom the policy does not exclude. */
  review(id: string, reviewer: ApproverIdentity, since?: number): Promise<Approval>;
  /** Counts anew what people decided about who were revoked since. */
  recount(): Promise<void>;
  /** Without what the agents showed, which may be large: `find` has it. */
  list(filter: ApprovalFilter): Promise<readonly Approval[]>;
}

/** Decisions about one request at the same moment: each loses at most to all others. */
const mostAttempts = 50;
/** How decisions by the API of administrators are signed. */
const administrator = 'an administrator';

export function createApprovalQueue(services: {
  readonly settings: Settings & { readonly approvals: ApprovalSettings };
  readonly agents: AgentRegistry;
  readonly announce: Announce;
  readonly trail: Trail;
  /** The transaction of an event is done. */
  readonly announced: () => void;
  readonly now: () => number;
}): ApprovalQueue {
  const { settings, agents, announce, announced, trail, now } = services;
  const { store, approvals: options, resources, issuerName: issuer } = settings;
  const seal = createSeal(settings.secret, 'approvals');

  function happened(
    approval: Approval,
    name: EventName,
    by: TrailEvent['event']['by'],
    detail?: string,
  ): readonly Statement[] {
    return trail.record(approvalEvent(approval, name, by, { issuer, detail }));
  }

  const read = async (rows: readonly Row[]) => await approvalsOf(rows, { store, seal, now });

  async function find(id: string): Promise<Approval | undefined> {
    if (!isApprovalId(id)) return undefined;
    const [approval] = await read(await store.run(sql`SELECT * FROM countersign_approvals WHERE id = ${id}`));
    return approval;
  }

  async function findForAgent(id: string, agent: string): Promise<Approval | undefined> {
    const found = await find(id);
    if (found?.agent !== agent) return undefined;
    if (found.status !== 'approved') return found;
    const counts = (await trail.isWritten(id)) && (await store.run(signing(found, now()))).length > 0;
    return counts ? found : { ...found, status: 'pending' };
  }

  async function known(id: string): Promise<Approval> {
    const approval = await find(id);
    if (approval === undefined) throw new AuthorityError('approval_unknown', 'there is no such approval');
    return approval;
  }

  async function grantOf(subject: string, since?: number): Promise<Grant> {
    return { subject, agent: '', grantedAt: since ?? (await sinceLastEnd(store, subject)) };
  }

  /** Records a decision, and what it leads to. False: another one came first, or the person was revoked. */
  async function record(approval: Approval, decision: Decision, grant: Grant): Promise<boolean> {
    const { id, version, askedAt } = approval;
    const { status, brokeGlass, endedAt, useBy } = outcomeOf(approval, decision, options.denials);
    const { approver, verdict, decidedAt, ...facts } = decision;
    const event = brokeGlass ? 'break_glass' : status === 'pending' ? undefined : status;
    const done = await store.batch([
      ...notEnded(grant),
      required(sql`
        UPDATE countersign_approvals SET version = version + 1, status = ${status}, ended_at = ${endedAt},
          use_by = ${useBy}, broke_glass = ${brokeGlass ? 1 : 0}
        WHERE id = ${id} AND version = ${version} AND signed_at IS NULL
          AND (status = 'approved' OR (status = 'pending' AND decide_by > ${Math.max(now(), askedAt)})) RETURNING id`),
      required(sql`
        INSERT INTO countersign_approval_decisions (approval_id, approver, verdict, facts, decided_at)
        VALUES (${id}, ${approver}, ${verdict}, ${JSON.stringify(facts)}, ${decidedAt})
        ON CONFLICT (approval_id, approver) DO NOTHING RETURNING approver`),
      ...(event === undefined ? [] : announce(approval, event)),
      ...happened(approval, decisionName(decision, status), decider(decision), decision.reason),
    ]);
    if (done !== undefined) announced();
    return done !== undefined;
  }

  /** Decides as long as others decide at the same moment. */
  async function decide(
    id: string,
    grant: Grant,
    decisionOn: (approval: Approval) => Decision | Promise<Decision>,
  ): Promise<Approval> {
    const { subject: approver } = grant;
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const approval = await known(id);
      const { status, decisions, signedAt, useBy = 0 } = approval;
      const isUnsigned = status === 'approved' && signedAt === undefined && useBy > now();
      if (status !== 'pending' && !(isUnsigned && approver === administrator))
        throw conflict(`it is ${status} already`);
      if (decisions.some((one) => one.approver === approver)) throw conflict('you have decided already');
      if (await record(approval, await decisionOn(approval), grant)) return await known(id);
      if (await isEnded(store, grant)) throw ended();
    }
    throw conflict('too many decide at the same moment');
  }

  return {
    find,
    findForAgent,

    async ask(agent, { binding, request, shown }) {
      if (request.actor.id !== agent.id) throw invalid('the actor of the request is another agent');
      if (!resources.some(({ audience }) => audience === request.audience)) {
        throw invalid('the request is for an API that this authority does not serve');
      }
      const at = now();
      const approval: Approval = {
        id: randomBytes(16).toString('hex'),
        binding,
        agent: agent.id,
        tenant: tenantOf(agent),
        request,
        ...(shown !== undefined && { shown }),
        status: 'pending',
        version: 0,
        askedAt: at,
        decideBy: at + request.requirement.decideWithinSeconds,
        brokeGlass: false,
        decisions: [],
      };
      const sealed = shown === undefined ? null : seal.seal(JSON.stringify(shown));
      const asked = happened(approval, 'asked', { id: agent.id, type: 'agent' });
      const statements = [...asking(approval, sealed), ...announce(approval, 'asked'), ...asked];
      for (let attempt = 0; attempt < 2; attempt++) {
        const [same] = await read(await store.run(waiting(agent.id, binding, now())));
        if (same !== undefined) return same;
        if ((await store.batch(statements)) === undefined) continue;
        announced();
        return approval;
      }
      throw new AuthorityError('approvals_full', tooMany);
    },

    since: async (subject) => await sinceLastEnd(store, subject),

    async decide(approver, input) {
      return await decide(input.id, await grantOf(approver.subject, input.since), async (approval) => {
        const owner = (await agents.get(approval.agent))?.owner;
        return decisionOf(approval, approver, input, { named: options.breakGlass, owner, now: now() });
      });
    },

    async denyAsAdministrator(id, reason) {
      checkReason(reason);
      return await decide(id, await grantOf(administrator), ({ askedAt }) => ({
        approver: administrator,
        name: administrator,
        groups: [],
        verdict: 'deny',
        ...(reason !== undefined && { reason }),
        decidedAt: Math.max(now(), askedAt),
      }));
    },

    async withdraw(id, agent) {
      const before = await find(id);
      if (before?.agent !== agent) return undefined;
      // What nobody decided about is not kept: an agent could fill the store with it.
      const done = await store.batch([
        required(sql`
          UPDATE countersign_approvals SET status = 'withdrawn', ended_at = ${now()}, version = version + 1,
            shown = CASE WHEN version = 0 THEN NULL ELSE shown END
          WHERE id = ${id} AND agent = ${agent} AND status = 'pending' AND decide_by > ${now()} RETURNING id`),
        ...happened(before, 'withdrawn', { id: agent, type: 'agent' }),
      ]);
      if (done !== undefined) announced();
      return await findForAgent(id, agent);
    },

    async review(id, reviewer, since) {
      const grant = await grantOf(reviewer.subject, since);
      const approval = await known(id);
      const problem = reviewProblem(approval, reviewer, options.breakGlass, (await agents.get(approval.agent))?.owner);
      if (problem !== undefined) throw new AuthorityError('approval_forbidden', problem);
      const done = await store.batch([
        ...notEnded(grant),
        required(sql`
          UPDATE countersign_approvals SET reviewed_by = ${reviewer.subject}, reviewed_at = ${now()}
          WHERE id = ${id} AND broke_glass = 1 AND reviewed_at IS NULL RETURNING id`),
        ...happened(approval, 'reviewed', { id: reviewer.subject, type: 'user' }),
      ]);
      if (done === undefined) throw (await isEnded(store, grant)) ? ended() : conflict('there is nothing to review');
      announced();
      return await known(id);
    },

    recount: async () => await recount({ store, read, happened, announce, announced, now }),

    async list(filter) {
      checkOptionNames('approvals.list', filter, filterNames);
      return await read(await store.run(selection(filter, now())));
    },
  };
}
