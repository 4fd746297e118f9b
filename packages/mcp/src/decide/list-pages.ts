import type { NamedList } from './catalogue.js';
import { isJsonObject, type JsonRpcRequest, memberOf } from './json-rpc.js';
import { isRelatedTask } from './task-owners.js';

const mostPages = 100;

const members: Readonly<Record<NamedList, string>> = { 'tools/list': 'tools', 'prompts/list': 'prompts' };

/** Names in `_meta` that are about the request alone: what tells of its progress, and the task that it belongs to. */
function isOfRequest(name: string): boolean {
  return name === 'progressToken' || isRelatedTask(name);
}

/**
 * All items of a list, asked for as the request was that names one of them. `ask` resolves to the result of a page, and to
 * undefined without an answer. A result that is no such list, as of a server without one, has no items.
 */
export async function listPages(
  method: NamedList,
  { params }: JsonRpcRequest,
  ask: (params: object) => Promise<unknown>,
): Promise<readonly unknown[] | undefined> {
  const given = memberOf(params, '_meta');
  const meta = isJsonObject(given) && Object.fromEntries(Object.entries(given).filter(([name]) => !isOfRequest(name)));
  const items: unknown[] = [];
  let cursor: unknown;
  for (let page = 0; page < mostPages; page += 1) {
    const result = await ask({ ...(meta && { _meta: meta }), ...(typeof cursor === 'string' && { cursor }) });
    if (result === undefined) return undefined;
    const listed = memberOf(result, members[method]);
    for (const item of Array.isArray(listed) ? (listed as unknown[]) : []) items.push(item);
    cursor = memberOf(result, 'nextCursor');
    if (typeof cursor !== 'string') break;
  }
  return items;
}
