import { oneOfOption } from '@countersign/common';
import { checkOptionNames, ConfigError, type Resource } from '@countersign/core';
import { isJsonObject, type JsonObject } from './json-rpc.js';

/** How calls of one tool are decided. */
export interface ToolRule {
  /** The action. Default `tool.call`. */
  readonly action?: string;
  /**
   * The resource that the arguments name, like a data set. Undefined: there is no such resource. Arguments are
   * as they were sent: what the schema of the tool adds or transforms is not done yet. An id that is the text of an absent
   * one, like `undefined`, names nothing. Default: the tool itself, `Tool::"name"`.
   */
  readonly resource?: (given: JsonObject) => Resource | undefined;
  /**
   * Asks about the call itself: an entity of this type whose attributes are these arguments, in `Tool::"name"` and in the
   * groups of the tool. Declare the type in the schema.
   */
  readonly call?: { readonly type: string; readonly arguments: readonly string[] };
  /**
   * The annotations of the tool, which say if it reads, writes or destroys. Default: what the server lists; until it has
   * listed the tool, it counts as destructive, and a later list makes it only more dangerous. If given, the server is not
   * believed.
   */
  readonly annotations?: Readonly<Record<string, unknown>>;
  /** Groups of the tool besides the one of its annotations: it is in each `ToolGroup::"group"`. Default: none. */
  readonly groups?: readonly string[];
  /** The scope that the caller must hold besides policy's consent. */
  readonly requires?: string;
  /** `error` (default): a denial is a JSON-RPC error. `result`: a result with `isError`, which the model reads. */
  readonly onDeny?: 'error' | 'result';
}

/** How a method is decided that is not in the specification of MCP. */
export interface MethodRule {
  readonly action: string;
  readonly resource: Resource | ((params: JsonObject) => Resource | undefined);
  readonly requires?: string;
}

export interface McpRules {
  /**
   * The tools that may be called, by name; any other is hidden from everybody. Default: every tool of the server, each
   * decided as `tool.call` on `Tool::"name"`.
   */
  readonly tools?: Readonly<Record<string, ToolRule>>;
  /** Methods that are not in the specification. Default: none, so that they are refused. */
  readonly methods?: Readonly<Record<string, MethodRule>>;
}

/** The rules, checked. */
export interface ReadRules {
  /** Undefined: none were given. */
  readonly tools: ReadonlyMap<string, ToolRule> | undefined;
  readonly methods: ReadonlyMap<string, MethodRule>;
}

const toolRuleNames: readonly string[] = [
  'action',
  'resource',
  'call',
  'annotations',
  'groups',
  'requires',
  'onDeny',
] satisfies readonly (keyof ToolRule)[];
const methodRuleNames: readonly string[] = ['action', 'resource', 'requires'] satisfies readonly (keyof MethodRule)[];

/** @throws ConfigError which says what to do. */
export function readRules(owner: string, { tools, methods = {} }: McpRules): ReadRules {
  if (tools !== undefined) {
    for (const [name, rule] of Object.entries(tools)) checkToolRule(`${owner}: tool ${JSON.stringify(name)}`, rule);
  }
  for (const [name, rule] of Object.entries(methods)) {
    const where = `${owner}: method ${JSON.stringify(name)}`;
    checkOptionNames(where, rule, methodRuleNames);
    if (!isText(rule.action)) throw new ConfigError(`${where}: 'action' is missing, like 'index.rebuild'.`);
    if (typeof rule.resource !== 'function' && typeof rule.resource !== 'object') {
      throw new ConfigError(`${where}: 'resource' is missing, like { type: 'Index', id: 'main' }.`);
    }
  }
  // Maps, because a tool may be called `constructor`.
  return { tools: tools && new Map(Object.entries(tools)), methods: new Map(Object.entries(methods)) };
}

function checkToolRule(where: string, rule: ToolRule): void {
  checkOptionNames(where, rule, toolRuleNames);
  const { action, resource, call, annotations, groups = [], requires, onDeny = 'error' } = rule;
  if (action !== undefined && !isText(action)) throw new ConfigError(`${where}: 'action' must be a name.`);
  if (requires !== undefined && !isText(requires)) throw new ConfigError(`${where}: 'requires' must be a scope.`);
  if (resource !== undefined && typeof resource !== 'function') {
    throw new ConfigError(`${where}: 'resource' must be a function of the arguments.`);
  }
  if (call !== undefined) {
    checkOptionNames(`${where}, call`, call, ['type', 'arguments']);
    if (resource !== undefined) throw new ConfigError(`${where}: give 'resource' or 'call', not both.`);
    if (!isText(call.type) || !isTexts(call.arguments)) {
      throw new ConfigError(`${where}: write call: { type: 'Query', arguments: ['dataset'] }.`);
    }
  }
  if (annotations !== undefined && !isJsonObject(annotations)) {
    throw new ConfigError(`${where}: 'annotations' must be an object, like { readOnlyHint: true }.`);
  }
  if (!isTexts(groups)) throw new ConfigError(`${where}: 'groups' must be a list of names.`);
  oneOfOption(where, 'onDeny', onDeny, ['error', 'result']);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isTexts(values: unknown): values is readonly string[] {
  return Array.isArray(values) && values.every(isText);
}
