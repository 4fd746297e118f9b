import type { Call, CallResult, Caller, Guard } from '@countersign/core';
import { digestOf } from './arguments.js';
import { type Denial, denialOf, invalidParams } from './denial.js';
import { isJsonObject, type JsonRpcRequest, memberOf } from './json-rpc.js';
import { listsIn, type McpList, shortened } from './lists.js';
import { type McpReading, type Question, readRequest } from './reading.js';
import { type McpRules, readRules } from './rules.js';
import { TaskOwners } from './task-owners.js';
import { ToolGroups } from './tool-groups.js';

/** What was decided about a request. */
export type McpDecision =
  | { readonly ok: false; readonly denial: Denial }
  | {
      readonly ok: true;
      /** What the caller gets of a result of the server: lists are filtered. */
      answer(result: unknown): Promise<Answer>;
      /** Records how the request ended. Call it, whatever happens. */
      end(result: CallResult): Promise<void>;
    };

export type Answer = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly denial: Denial };

/** Decides about requests of MCP, for a hook in a server and for a proxy alike. None of its methods rejects. */
export interface McpDecisions {
  /** Learns the annotations of tools, as a server lists them: they say in which group a tool is. Lists are learnt anyway. */
  learn(tools: readonly unknown[]): void;
  /** Decides about one request of a caller, before the server sees it. */
  decide(caller: Caller, request: JsonRpcRequest): Promise<McpDecision>;
  /** Filters whatever lists and tasks a result holds: for answers whose request is not known, such as those of a resumed stream. */
  filterUnasked(caller: Caller, result: unknown): Promise<Answer>;
}

/**
 * Creates the decisions of one server.
 *
 * @throws ConfigError when a rule is wrong.
 */
export function createMcpDecisions(guard: Pick<Guard, 'begin'>, given: McpRules = {}): McpDecisions {
  const rules = readRules('guardTools', given);
  const groups = new ToolGroups(rules);
  const owners = new TaskOwners();

  async function filterList(call: Call, list: McpList, result: unknown, isModern: boolean): Promise<Answer> {
    const items = memberOf(result, list.member);
    if (!isJsonObject(result) || !Array.isArray(items)) return { ok: true, result };
    if (list.member === 'tools') groups.learn(items);
    const known = items.flatMap((item: unknown) => {
      const resource = list.resourceOf(item, groups);
      return resource === undefined ? [] : [{ ...resource, item }];
    });
    const filtered = await call.filter(list.action, known);
    if (!filtered.ok) return { ok: false, denial: denialOf(filtered.refusal) };
    const shown = new Set(filtered.permitted.map(({ item }) => item));
    return { ok: true, result: shortened(result, list, shown, isModern) };
  }

  /** By what the result holds, not by what was asked: a server may answer another request that had the same id. */
  async function filterAnswer(caller: Caller, call: Call, result: unknown, isModern: boolean): Promise<Answer> {
    let answer: Answer = { ok: true, result: ownTasks(caller, result) };
    for (const list of listsIn(result)) {
      if (answer.ok) answer = await filterList(call, list, answer.result, isModern);
    }
    return answer;
  }

  async function decideCall(caller: Caller, call: Call, reading: McpReading, isModern: boolean): Promise<McpDecision> {
    const end = (result: CallResult) => call.end(result);
    const answer = (result: unknown) => filterAnswer(caller, call, result, isModern);
    switch (reading.kind) {
      case 'open':
        return { ok: true, answer, end };
      case 'refuse': {
        const refused = await call.refuse(reading.code, reading.detail);
        return await refuseWith(call, refused.code === reading.code ? reading.denial : denialOf(refused));
      }
      case 'list':
      case 'tasks':
        return { ok: true, answer, end };
      case 'task': {
        if (owners.owns(caller, reading.taskId)) return { ok: true, answer, end };
        await call.refuse('policy_denied', 'a task of another caller, or of none');
        return await refuseWith(call, invalidParams('Task not found'));
      }
      case 'ask': {
        const denial = await askAll(call, reading.questions);
        if (denial !== undefined) return await refuseWith(call, denial);
        return { ok: true, answer: (result) => (owners.note(caller, result), answer(result)), end };
      }
    }
  }

  function ownTasks(caller: Caller, result: unknown): unknown {
    const tasks = memberOf(result, 'tasks');
    if (!isJsonObject(result) || !Array.isArray(tasks)) return result;
    return { ...result, tasks: tasks.filter((task) => owners.owns(caller, memberOf(task, 'taskId'))) };
  }

  return {
    learn: (tools) => groups.learn(tools),
    async decide(caller, request) {
      const reading = readRequest(request, rules, groups);
      const given = reading.kind === 'ask' ? reading.given : undefined;
      const argumentsDigest = given && digestOf(given);
      const name = 'name' in reading ? reading.name : undefined;
      const traceparent = traceparentOf(request);
      const call = guard.begin(caller, {
        method: request.method,
        ...(name !== undefined && { name }),
        ...(argumentsDigest !== undefined && { argumentsDigest }),
        ...(traceparent !== undefined && { traceparent }),
      });
      if (given !== undefined && argumentsDigest === undefined) {
        const denial = invalidParams('the arguments are nested too deep');
        return await decideCall(caller, call, tooDeep(denial), false);
      }
      return await decideCall(caller, call, reading, isModernRequest(request));
    },
    async filterUnasked(caller, result) {
      if (listsIn(result).length === 0) return { ok: true, result: ownTasks(caller, result) };
      const call = guard.begin(caller, { method: 'lists' });
      const answer = await filterAnswer(caller, call, result, false);
      await call.end({ result: answer.ok ? 'finished' : 'not_started' });
      return answer;
    },
  };
}

async function askAll(call: Call, questions: readonly Question[]): Promise<Denial | undefined> {
  for (const { permission, visible, hidden, onDeny } of questions) {
    const authorization = await call.authorize(permission);
    if (authorization.ok) continue;
    const { refusal } = authorization;
    // Our own outage says nothing about what exists, and a missing scope is told to those who may know of it.
    const conceals = refusal.status === 403 && hidden !== undefined && visible !== undefined;
    if (conceals && !(await call.wouldPermit(visible))) return hidden;
    return denialOf(refusal, onDeny);
  }
  return undefined;
}

async function refuseWith(call: Call, denial: Denial): Promise<McpDecision> {
  await call.end({ result: 'not_started' });
  return { ok: false, denial };
}

function tooDeep(denial: Denial): McpReading {
  return { kind: 'refuse', code: 'request_malformed', detail: denial.error.message, denial };
}

/** From the revision 2026-07-28 on each request says its version, and answers may be cached. */
function isModernRequest({ params }: JsonRpcRequest): boolean {
  return typeof memberOf(memberOf(params, '_meta'), 'io.modelcontextprotocol/protocolVersion') === 'string';
}

function traceparentOf({ params }: JsonRpcRequest): string | undefined {
  const given = memberOf(memberOf(params, '_meta'), 'traceparent');
  const isTraceparent = typeof given === 'string' && /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/.test(given);
  return isTraceparent ? given : undefined;
}

/** How the request ended, by its result: a tool that failed says `isError`. */
export function outcomeOf(result: unknown): CallResult {
  return { result: memberOf(result, 'isError') === true ? 'failed' : 'finished' };
}
