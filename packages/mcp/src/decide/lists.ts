import type { Resource } from '@countersign/core';
import { isJsonObject, type JsonObject, memberOf } from './json-rpc.js';
import type { Catalogue, NamedList } from './catalogue.js';
import { normalUri } from './uri.js';

/** A list of MCP: which member of its result has the items, and how policy knows each of them. */
export interface McpList {
  readonly member: 'tools' | 'prompts' | 'resources' | 'resourceTemplates';
  readonly action: string;
  /** If its items are called by name. */
  readonly learnt?: NamedList;
  /** Undefined: not even its name can be read, so nobody sees it. */
  readonly resourceOf: (item: unknown, catalogue: Catalogue) => Resource | undefined;
}

export const listActions = { tool: 'tool.list', prompt: 'prompt.list', resource: 'resource.list' } as const;

export const lists: ReadonlyMap<string, McpList> = new Map<string, McpList>([
  ['tools/list', { member: 'tools', action: listActions.tool, learnt: 'tools/list', resourceOf: toolOf }],
  [
    'prompts/list',
    {
      member: 'prompts',
      action: listActions.prompt,
      learnt: 'prompts/list',
      resourceOf: (item) => named('Prompt', memberOf(item, 'name')),
    },
  ],
  [
    'resources/list',
    {
      member: 'resources',
      action: listActions.resource,
      resourceOf: (item) => named('McpResource', normalUri(memberOf(item, 'uri'))),
    },
  ],
  [
    'resources/templates/list',
    {
      member: 'resourceTemplates',
      action: listActions.resource,
      resourceOf: (item) => named('McpResourceTemplate', memberOf(item, 'uriTemplate')),
    },
  ],
]);

function toolOf(item: unknown, catalogue: Catalogue): Resource | undefined {
  const name = memberOf(item, 'name');
  if (typeof name !== 'string' || name === '' || catalogue.ruleOf(name) === undefined) return undefined;
  return catalogue.toolResource(name);
}

function named(type: string, id: unknown): Resource | undefined {
  return typeof id === 'string' && id !== '' ? { type, id } : undefined;
}

/** The lists that a result holds, by its shape. */
export function listsIn(result: unknown): readonly McpList[] {
  return [...lists.values()].filter(({ member }) => Array.isArray(memberOf(result, member)));
}

/** A result with only the items that are shown. */
export function shortened(
  result: JsonObject,
  { member }: McpList,
  shown: ReadonlySet<unknown>,
  cacheable: boolean,
): JsonObject {
  const items = memberOf(result, member);
  if (!isJsonObject(result) || !Array.isArray(items)) return result;
  return {
    ...result,
    [member]: items.filter((item) => shown.has(item)),
    // A shared cache must not give the list of one caller to another.
    ...(cacheable && { cacheScope: 'private' }),
  };
}

/** A shared cache must not give what one caller may read to another. */
export function uncached(result: unknown): unknown {
  return isJsonObject(result) && 'contents' in result ? { ...result, cacheScope: 'private' } : result;
}
