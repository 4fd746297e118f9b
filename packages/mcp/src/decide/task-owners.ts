import type { Caller } from '@countersign/core';
import { folded } from '../wire/message.js';
import { isJsonObject, memberOf } from './json-rpc.js';

/** What makes a caller the same one over several requests: who acts, and for whom. */
export function callerKey({ actor, subject }: Caller): string {
  return JSON.stringify([actor.id, subject.type, subject.id, subject.issuer ?? null]);
}

const maxRemembered = 100_000;

/** Who began a task, and by which tool. */
interface Ownership {
  /** Empty: nobody. */
  readonly owner: string;
  readonly tool: string | undefined;
}

/** Whose task is whose. Stores of tasks do not know callers, so that anybody could read any task. */
export class TaskOwners {
  readonly #max: number;
  readonly #owners = new Map<string, Ownership>();
  /** The tasks that each agent has begun, oldest first. */
  readonly #begun = new Map<string, Set<string>>();

  constructor(max: number = maxRemembered) {
    this.#max = max;
  }

  /**
   * Notes the task that a result announces, and the tool that was called. One that is announced to two callers, as by a
   * server that restarted and counts anew, is nobody's: either could read what belongs to the other.
   */
  note(caller: Caller, result: unknown, tool: string | undefined): void {
    const taskId = announcedIn(result);
    if (typeof taskId !== 'string' || this.owns(caller, taskId)) return;
    if (this.#owners.has(taskId)) {
      this.#owners.set(taskId, { owner: '', tool });
      return;
    }
    this.#owners.set(taskId, { owner: callerKey(caller), tool });
    const begun = this.#begun.get(caller.actor.id) ?? new Set();
    this.#begun.set(caller.actor.id, begun.add(taskId));
    if (this.#owners.size > this.#max) this.#forgetOne();
  }

  /** The oldest task of the agent that has most, so that it is nobody's: who begins many loses no task of another. */
  #forgetOne(): void {
    const [agent, begun] = [...this.#begun].reduce((most, each) => (each[1].size > most[1].size ? each : most));
    const [oldest = ''] = begun;
    begun.delete(oldest);
    this.#owners.delete(oldest);
    if (begun.size === 0) this.#begun.delete(agent);
  }

  /** The result without the tasks of others that it lists. */
  only(caller: Caller, result: unknown): unknown {
    const tasks = memberOf(result, 'tasks');
    if (!isJsonObject(result) || !Array.isArray(tasks)) return result;
    return { ...result, tasks: tasks.filter((task) => this.owns(caller, memberOf(task, 'taskId'))) };
  }

  owns(caller: Caller, taskId: unknown): boolean {
    return typeof taskId === 'string' && this.#owners.get(taskId)?.owner === callerKey(caller);
  }

  /** The tools that began tasks. */
  toolsOf(taskIds: readonly unknown[]): readonly string[] {
    const tools = taskIds.map((taskId) => (typeof taskId === 'string' ? this.#owners.get(taskId)?.tool : undefined));
    return [...new Set(tools.filter((tool) => tool !== undefined))];
  }
}

/** Revision 2025-11-25 puts the task in a member, 2026-07-28 makes the result itself one. */
function announcedIn(result: unknown): unknown {
  return memberOf(result, 'resultType') === 'task'
    ? memberOf(result, 'taskId')
    : memberOf(memberOf(result, 'task'), 'taskId');
}

const relatedTask = 'io.modelcontextprotocol/related-task';

/** Whether a name in `_meta`, in any case, relates a request to a task. */
export function isRelatedTask(name: string): boolean {
  return folded(name) === relatedTask;
}

/**
 * The tasks that `_meta` relates a request to: a server puts what the request makes it send into the queue of that task.
 * Undefined among them: no reader is sure which task it is.
 */
export function relatedTasks(params: unknown): readonly unknown[] {
  const meta = memberOf(params, '_meta');
  if (!isJsonObject(meta)) return [];
  return Object.entries(meta).flatMap(([name, related]) => {
    if (!isRelatedTask(name)) return [];
    const isPlain = name === relatedTask && isJsonObject(related) && Object.keys(related).length === 1;
    return [isPlain ? memberOf(related, 'taskId') : undefined];
  });
}
