import { defined } from '@countersign/common';
import type { Call, CallResult, Caller, Guard } from '@countersign/core';
import { askAll } from './ask-all.js';
import { contentOf } from './approval-page.js';
import { digestOf } from './arguments.js';
import { concealed, refuseUnasked, refuseWith } from './call-end.js';
import { Catalogue, type ListItems, type NamedList } from './catalogue.js';
import { asAbsent, type Denial, denialOf } from './denial.js';
import { type Answer, ListFilter } from './filter-lists.js';
import { type JsonRpcError, type JsonRpcRequest, memberOf } from './json-rpc.js';
import { listsIn, uncached } from './lists.js';
import { isKnownNotification } from './notifications.js';
import { disagreeingField } from './mirrored-fields.js';
import { calledByName, type McpReading, readRequest, requiredScope, taskQuestion } from './reading.js';
import {
  foreignTask,
  headerMismatch,
  notOffered,
  notMcp,
  refusedByDetail,
  type RefusedReading,
  undigestible,
} from './refused-readings.js';
import { approvalOf, type AskedRequest, isModernRequest, type McpSurroundings, traceparentOf } from './request-meta.js';
import { openState, sealState } from './request-state.js';
import { type McpRules, type ReadRules, readRules } from './rules.js';
import type { Seal } from './seal.js';
import { callerKey, relatedTasks, TaskOwners } from './task-owners.js';

/** What was decided about a request. */
export type McpDecision =
  | { readonly ok: false; readonly denial: Denial }
  | {
      readonly ok: true;
      /** The server's own state, if the request carries one that was sealed for this caller and call. */
      readonly requestState: string | undefined;
      /** The request answers what the guard asked the user, of which the server does not know: see `openedParams`. */
      readonly isApproval: boolean;
      /** What the caller gets of a result of the server: lists are filtered, states are sealed. */
      answer(result: unknown): Promise<Answer>;
      /** What the caller gets of an error of the server: what is not there is answered like what it may not know of. */
      answerError(error: JsonRpcError): JsonRpcError;
      /** Records how the request ended. Call it, whatever happens. */
      end(result: CallResult): Promise<void>;
    };

/** Decides about requests of MCP, for a hook in a server and for a proxy alike. None of its methods rejects. */
export interface McpDecisions {
  /** Learns names, and the annotations of tools, as a server lists them. Lists that are filtered are learnt anyway. */
  learn(list: NamedList, items: readonly unknown[]): void;
  /** Decides about one request of a caller, before the server sees it. */
  decide(caller: Caller, request: JsonRpcRequest, surroundings?: McpSurroundings): Promise<McpDecision>;
  /** Why a notification of a caller must not reach the server, which is then recorded. */
  refuseNotification(caller: Caller, notification: JsonRpcRequest): Promise<Denial | undefined>;
  /** Why a message must not reach the server that `_meta` relates to a task of another caller, which is then recorded. */
  refuseForeignTask(caller: Caller, message: JsonRpcRequest): Promise<Denial | undefined>;
  /** The server says that its list of tools is another one now. */
  toolsChanged(): void;
  /** Filters whatever lists and tasks a result holds: for answers whose request is not known, such as those of a resumed stream. */
  filterUnasked(caller: Caller, result: unknown): Promise<Answer>;
  /** Whether any rule requires a scope. */
  readonly requiresScopes: boolean;
  /**
   * How the request will be refused because its rule requires a scope that the caller lacks, and the caller may know of what
   * it asks for. Undefined: not for that. Not recorded.
   */
  lacksScope(caller: Caller, request: JsonRpcRequest): Promise<'error' | 'result' | undefined>;
}

type GuardPart = Pick<Guard, 'begin' | 'missingScopes' | 'mode' | 'revalidate'>;

/**
 * Creates the decisions of one server.
 *
 * @throws ConfigError when a rule is wrong.
 */
export function createMcpDecisions(guard: GuardPart, rules: McpRules = {}): McpDecisions {
  return decisionsOf(guard, readRules('createMcpDecisions', rules));
}

/**
 * `seal`: for states of the server that clients keep. Default: they pass as they are. `owners`: of servers that know the
 * same tasks. What a server says of its tools is never shared.
 */
export function decisionsOf(
  guard: GuardPart,
  rules: ReadRules,
  ownSeal?: Seal,
  owners: TaskOwners = new TaskOwners(),
): McpDecisions {
  const catalogue = new Catalogue(rules);
  const observes = guard.mode === 'observe';
  // A state that cannot be opened could not go on.
  const seal = observes ? undefined : ownSeal;
  const filter = new ListFilter({ catalogue, owners, observes });

  /** Why a request is refused without asking policy. */
  async function refusedBefore(
    caller: Caller,
    reading: McpReading,
    asked: AskedRequest,
  ): Promise<RefusedReading | undefined> {
    const { request, list = listsNothing, headers } = asked;
    if (asked.isUndigestible) return undigestible;
    const field = headers && disagreeingField(headers, request);
    if (field !== undefined) return headerMismatch(field);
    if (reading.kind === 'refuse') return reading;
    const called = calledByName(request, rules, asked);
    const offer = called && (await catalogue.offers(called, callerKey(caller), list));
    if (called !== undefined && offer !== undefined && offer !== 'offered') {
      // Without the schema of the tool nobody knows which argument a field repeats.
      if (!called.isDeclared || (called.hasFields && offer === 'unavailable')) return notOffered(called, offer);
    }
    return undefined;
  }

  const ownsAll = (caller: Caller, taskIds: readonly unknown[]): boolean =>
    taskIds.every((taskId) => owners.owns(caller, taskId));

  async function refuseMessage(
    caller: Caller,
    { method, params }: JsonRpcRequest,
    problem?: RefusedReading,
  ): Promise<Denial | undefined> {
    const found = ownsAll(caller, relatedTasks(params)) ? problem : foreignTask;
    return found && (await refuseUnasked(guard.begin(caller, { method }), found))?.denial;
  }

  /** The time of an answer must not tell what is hidden from what is absent, for which the server lists. */
  async function delayHidden(caller: Caller, reading: McpReading, denial: Denial, asked: AskedRequest): Promise<void> {
    const called = calledByName(asked.request, rules, asked);
    if (called === undefined || called.isDeclared || reading.kind !== 'ask') return;
    if (reading.questions.every(({ hidden }) => hidden !== denial)) return;
    await catalogue.refresh(called.list, callerKey(caller), asked.list ?? listsNothing);
  }

  async function decideCall(
    caller: Caller,
    call: Call,
    reading: McpReading,
    asked: AskedRequest,
  ): Promise<McpDecision> {
    const { request, isModern } = asked;
    const questions = reading.kind === 'ask' ? reading.questions : [];
    // A caller over HTTP was verified with this request. For a local one, nothing else asks if there is no question.
    const isAsked = reading.kind === 'list' || reading.kind === 'refuse' || questions.length > 0;
    const lapsed = isAsked || caller.proof.kind !== 'local' ? undefined : await guard.revalidate(caller);
    const ended = lapsed && (await call.refuse(lapsed.code));
    if (ended !== undefined) return await refuseWith(call, denialOf(ended));
    const refused = await refusedBefore(caller, reading, asked);
    // Whether the server could be asked what it offers tells of what it had listed before.
    const told = refused?.code === 'policy_unavailable' ? await concealed(refused, questions, call) : refused;
    const early = told && (await refuseUnasked(call, told));
    if (early !== undefined) return early;
    const opened = seal === undefined ? noState : openState(asked, seal, caller);
    const tasks = [...relatedTasks(request.params), ...((reading.kind === 'ask' && reading.taskIds) || [])];
    const isOwner = ownsAll(caller, tasks);
    const fields = catalogue.fieldsOf(memberOf(request.params, 'name'));
    const found = isOwner ? refusedByDetail(asked, fields, opened.ok) : foreignTask;
    if (found !== undefined && (refused === undefined || !opened.ok)) {
      const detail = await concealed(found, questions, call);
      const denied = await refuseUnasked(call, detail);
      if (denied !== undefined) return denied;
      if (!opened.ok) return await refuseWith(call, detail.denial);
    }
    if (reading.kind === 'ask' && refused === undefined && found === undefined) {
      const asksOfTasks = owners.toolsOf(tasks).map((tool) => taskQuestion(tool, catalogue));
      const denial = await askAll(guard, call, [...questions, ...asksOfTasks], {
        caller,
        asked,
        seal,
        state: opened.ok ? opened.state : undefined,
      });
      if (denial !== undefined) return await refuseWith(call, denial);
    }
    // The server may change what it offers before it answers.
    const askedAt = performance.now();
    return {
      ok: true,
      requestState: opened.ok ? opened.state : undefined,
      isApproval: opened.ok && opened.isApproval,
      async answer(result) {
        const { method } = request;
        if (reading.kind === 'ask' && reading.taskIds === undefined) {
          owners.note(caller, result, method === 'tools/call' ? reading.name : undefined);
        }
        const answer = await filter.filter(caller, call, result, { isModern, method, askedAt });
        if (!answer.ok) return answer;
        const own = isModern && method === 'resources/read' ? uncached(answer.result) : answer.result;
        return { ok: true, result: seal === undefined ? own : sealState(own, asked, seal, caller) };
      },
      answerError: (error) => asAbsent(error, observes ? [] : questions),
      end: (result) => call.end(result),
    };
  }

  return {
    learn: (list, items) => catalogue.learn(list, items),
    async decide(caller, request, surroundings: McpSurroundings = {}) {
      const reading = readRequest(request, rules, catalogue);
      const given = reading.kind === 'ask' ? contentOf(request.params, reading.given) : undefined;
      const argumentsDigest = given && digestOf(given);
      const call = guard.begin(
        caller,
        defined({
          method: request.method,
          name: 'name' in reading ? reading.name : undefined,
          argumentsDigest,
          traceparent: traceparentOf(request),
          approval: approvalOf(request, surroundings),
        }),
      );
      const isUndigestible = given !== undefined && argumentsDigest === undefined;
      const { isModern = isModernRequest(request) } = surroundings;
      const asked = { ...surroundings, request, isUndigestible, isModern };
      const decision = await decideCall(caller, call, reading, asked);
      if (!decision.ok) await delayHidden(caller, reading, decision.denial, asked);
      return decision;
    },
    async refuseNotification(caller, notification) {
      return await refuseMessage(caller, notification, isKnownNotification(notification) ? undefined : notMcp);
    },
    refuseForeignTask: (caller, message) => refuseMessage(caller, message),
    toolsChanged: () => catalogue.expire(),
    async filterUnasked(caller, result) {
      if (listsIn(result).length === 0) return { ok: true, result: filter.ownTasks(caller, result) };
      const call = guard.begin(caller, { method: 'lists' });
      const answer = await filter.filter(caller, call, result, { isModern: false, askedAt: performance.now() });
      await call.end({ result: answer.ok ? 'finished' : 'not_started' });
      return answer;
    },
    requiresScopes:
      !observes && [...(rules.tools?.values() ?? []), ...rules.methods.values()].some(({ requires }) => requires),
    async lacksScope(caller, request) {
      const required = requiredScope(request, rules);
      if (observes || required === undefined || guard.missingScopes(caller, required).length === 0) return undefined;
      const reading = readRequest(request, rules, catalogue);
      if (reading.kind !== 'ask') return undefined;
      const call = guard.begin(caller, { method: request.method });
      for (const { visible } of reading.questions) {
        if (visible !== undefined && !(await call.wouldPermit(visible))) return undefined;
      }
      return reading.questions.every(({ onDeny }) => onDeny === 'result') ? 'result' : 'error';
    },
  };
}

const listsNothing: ListItems = async () => [];
const noState = { ok: true, state: undefined, isApproval: false } as const;
