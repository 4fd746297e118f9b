import type { Call, Caller } from '@countersign/core';
import type { Catalogue } from './catalogue.js';
import { type Denial, denialOf } from './denial.js';
import { isJsonObject, memberOf } from './json-rpc.js';
import { listsIn, type McpList, shortened } from './lists.js';
import type { TaskOwners } from './task-owners.js';

export type Answer = { readonly ok: true; readonly result: unknown } | { readonly ok: false; readonly denial: Denial };

/** The request that a result answers, as far as it is known. */
interface Answered {
  readonly isModern: boolean;
  readonly method?: string;
  /** By `performance.now()`. */
  readonly askedAt: number;
}

interface ListFilterParts {
  readonly catalogue: Catalogue;
  readonly owners: TaskOwners;
  readonly observes: boolean;
}

/** Takes out of results what their caller may not see. */
export class ListFilter {
  readonly #parts: ListFilterParts;

  constructor(parts: ListFilterParts) {
    this.#parts = parts;
  }

  /** The result without the tasks of others. */
  ownTasks(caller: Caller, result: unknown): unknown {
    const { owners, observes } = this.#parts;
    return observes ? result : owners.only(caller, result);
  }

  /** By what the result holds, not by what was asked: a server may answer another request that had the same id. */
  async filter(caller: Caller, call: Call, result: unknown, answered: Answered): Promise<Answer> {
    let answer: Answer = { ok: true, result: this.ownTasks(caller, result) };
    for (const list of listsIn(result)) {
      if (answer.ok) answer = await this.#filterList(call, list, answer.result, answered);
    }
    return answer;
  }

  async #filterList(
    call: Call,
    list: McpList,
    result: unknown,
    { isModern, method, askedAt }: Answered,
  ): Promise<Answer> {
    const { catalogue, observes } = this.#parts;
    const items = memberOf(result, list.member);
    if (!isJsonObject(result) || !Array.isArray(items)) return { ok: true, result };
    // A client may bring another request to answer with what looks like a list.
    if (list.learnt !== undefined && list.learnt === method) catalogue.learn(list.learnt, items, askedAt);
    const known = items.flatMap((item: unknown) => {
      const resource = list.resourceOf(item, catalogue);
      return resource === undefined ? [] : [{ ...resource, item }];
    });
    const filtered = await call.filter(list.action, known);
    if (!filtered.ok) return { ok: false, denial: denialOf(filtered.refusal) };
    if (observes) return { ok: true, result };
    const shown = new Set(filtered.permitted.map(({ item }) => item));
    return { ok: true, result: shortened(result, list, shown, isModern) };
  }
}
