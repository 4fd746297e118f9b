import type { Permission, Resource } from '@countersign/core';
import { isTextOfMissing } from '@countersign/core/adapter';
import { pickArguments } from './arguments.js';
import { type Denial, notFound, resourceNotFound } from './denial.js';
import { errorCodes, isJsonObject, type JsonObject, type JsonRpcRequest, memberOf } from './json-rpc.js';
import type { CalledName, Catalogue } from './catalogue.js';
import { listActions, lists, type McpList } from './lists.js';
import { hasParameterFields } from './mirrored-fields.js';
import { foreignTask, malformed, type RefusedReading } from './refused-readings.js';
import type { ReadRules } from './rules.js';
import { callResource } from './tool-groups.js';
import { isPlainUri } from './uri.js';

/** One thing that policy is asked about. */
export interface Question {
  readonly permission: Permission;
  /** Whether the caller may know that it exists, and the answer if not. */
  readonly visible?: Permission;
  readonly hidden?: Denial;
  readonly onDeny?: 'error' | 'result';
  /** The arguments that policy sees. */
  readonly decidedBy?: readonly string[];
}

/** What a request asks for. */
export type McpReading =
  /** Of the protocol itself: it reveals and changes nothing. */
  | { readonly kind: 'open' }
  | { readonly kind: 'list'; readonly list: McpList }
  /** All must be permitted. */
  | {
      readonly kind: 'ask';
      readonly name?: string;
      /** The arguments. Absent: the params are. */
      readonly given?: JsonObject;
      readonly questions: readonly Question[];
      /** Tasks that must be the caller's. */
      readonly taskIds?: readonly string[];
    }
  | { readonly kind: 'tasks' }
  | RefusedReading;

const openMethods: ReadonlySet<string> = new Set(['initialize', 'ping', 'server/discover', 'logging/setLevel']);
const ownedTaskMethods: ReadonlySet<string> = new Set(['tasks/get', 'tasks/result', 'tasks/cancel', 'tasks/update']);

/** Longer names are no names. */
const longestName = 1024;
const mostSubscriptions = 100;

/** Reads a request. What cannot be read is refused: nothing that is not understood reaches the server. */
export function readRequest({ method, params }: JsonRpcRequest, rules: ReadRules, catalogue: Catalogue): McpReading {
  if (params !== undefined && !isJsonObject(params)) return malformed('params must be an object');
  if (openMethods.has(method)) return { kind: 'open' };
  const list = lists.get(method);
  if (list !== undefined) return { kind: 'list', list };
  if (method === 'tasks/list') return { kind: 'tasks' };
  if (ownedTaskMethods.has(method)) return readTask(params);
  switch (method) {
    case 'tools/call':
      return readToolCall(params, catalogue);
    case 'prompts/get':
      return readPrompt(memberOf(params, 'name'), memberOf(params, 'arguments') ?? {});
    case 'resources/read':
    case 'resources/subscribe':
    case 'resources/unsubscribe':
      return readResources([memberOf(params, 'uri')]);
    case 'subscriptions/listen':
      return readSubscriptions(memberOf(params, 'notifications') ?? {});
    case 'completion/complete':
      return readCompletion(memberOf(params, 'ref'));
    default:
      return readMethod(method, params ?? {}, rules);
  }
}

/** What the request calls by name, if the server is asked about it: `isInProcess` says that this costs little. */
export function calledByName(
  { method, params }: JsonRpcRequest,
  rules: ReadRules,
  { headers, isInProcess = false }: { readonly headers?: Headers; readonly isInProcess?: boolean },
): CalledName | undefined {
  const ref = memberOf(params, 'ref');
  const isCompletion = method === 'completion/complete' && memberOf(ref, 'type') === 'ref/prompt';
  const name = memberOf(isCompletion ? ref : params, 'name');
  if (!isName(name)) return undefined;
  if (isCompletion || method === 'prompts/get') {
    return { list: 'prompts/list', name, isDeclared: false, hasFields: false, isListedOnce: false };
  }
  if (method !== 'tools/call') return undefined;
  const isDeclared = rules.tools !== undefined;
  const hasFields = headers !== undefined && hasParameterFields(headers);
  const isWhole = rules.tools?.get(name)?.annotations !== undefined && !hasFields;
  // Before it is listed, a declared tool is destructive: to list it could only permit more.
  const isListedOnce = isDeclared && !isInProcess && !hasFields;
  return isWhole ? undefined : { list: 'tools/list', name, isDeclared, hasFields, isListedOnce };
}

/** The scope that the rule of the tool or method requires. */
export function requiredScope({ method, params }: JsonRpcRequest, rules: ReadRules): string | undefined {
  if (method !== 'tools/call') return rules.methods.get(method)?.requires;
  const name = memberOf(params, 'name');
  return typeof name === 'string' ? rules.tools?.get(name)?.requires : undefined;
}

function readToolCall(params: unknown, catalogue: Catalogue): McpReading {
  const name = memberOf(params, 'name');
  const sent = memberOf(params, 'arguments') ?? {};
  if (!isName(name)) return malformed('name must be the name of a tool');
  if (!isJsonObject(sent)) return malformed('arguments must be an object');
  return readNamedToolCall(name, sent, catalogue);
}

function readNamedToolCall(name: string, given: JsonObject, catalogue: Catalogue): McpReading {
  const rule = catalogue.ruleOf(name);
  const hidden = notFound('Tool', name);
  if (rule === undefined)
    return { kind: 'refuse', name, code: 'policy_denied', detail: 'an undeclared tool', denial: hidden };
  const { action = 'tool.call', resource, call, requires, onDeny } = rule;
  // Once policy is asked: what the server says of its tools may be learnt meanwhile.
  const tool = () => catalogue.toolResource(name);
  function asked(): Resource | undefined {
    if (resource !== undefined) return named(resource(structuredClone(given)));
    if (call === undefined) return tool();
    const attributes = pickArguments(given, call.arguments);
    return attributes && callResource(tool(), call.type, attributes);
  }
  const question: Question = {
    permission: { action, resource: asked, ...(requires !== undefined && { requires }) },
    visible: { action: listActions.tool, resource: tool },
    hidden,
    ...(onDeny && { onDeny }),
    ...(call && { decidedBy: call.arguments }),
  };
  return { kind: 'ask', name, given, questions: [question] };
}

function readPrompt(name: unknown, given?: unknown): McpReading {
  if (!isName(name)) return malformed('name must be the name of a prompt');
  const resource = { type: 'Prompt', id: name };
  const visible = { action: listActions.prompt, resource };
  const permission = { action: 'prompt.get', resource };
  const questions = [{ permission, visible, hidden: notFound('Prompt', name) }];
  // The resource names it: a second name in the record would not be redacted with it.
  return { kind: 'ask', ...(isJsonObject(given) && { given }), questions };
}

function readResources(uris: readonly unknown[]): McpReading {
  // Handlers get the URI as it was sent: another spelling would be another resource for policy alone.
  if (!uris.every(isPlainUri)) return malformed('The URI of a resource is not in its plain form');
  const questions = uris.map((id) => resourceQuestion({ type: 'McpResource', id }));
  return { kind: 'ask', questions };
}

function resourceQuestion(resource: Resource): Question {
  return {
    permission: { action: 'resource.read', resource },
    visible: { action: listActions.resource, resource },
    hidden: resourceNotFound(resource.id),
  };
}

const streamMembers: readonly string[] = [
  'toolsListChanged',
  'promptsListChanged',
  'resourcesListChanged',
  'resourceSubscriptions',
  'taskIds',
];

/** A stream of notifications tells what happens to a resource or a task: who may not read it may not know. */
function readSubscriptions(notifications: unknown): McpReading {
  if (!isJsonObject(notifications) || Object.keys(notifications).some((name) => !streamMembers.includes(name))) {
    return malformed(`notifications may hold only ${streamMembers.join(', ')}`);
  }
  const { resourceSubscriptions: uris = [], taskIds = [] } = notifications;
  const isShort = [uris, taskIds].every((list) => Array.isArray(list) && list.length <= mostSubscriptions);
  if (!isShort) return malformed(`resourceSubscriptions and taskIds hold at most ${mostSubscriptions} each`);
  if (!(taskIds as unknown[]).every(isName)) return malformed('taskIds must be ids of tasks');
  const reading = readResources(uris as unknown[]);
  return reading.kind === 'ask' ? { ...reading, taskIds: taskIds as string[] } : reading;
}

/** Completions of a template are about the template: which resource would be read is not known yet. */
function readCompletion(ref: unknown): McpReading {
  const type = memberOf(ref, 'type');
  const uri = memberOf(ref, 'uri');
  if (type === 'ref/prompt') return readPrompt(memberOf(ref, 'name'));
  if (type !== 'ref/resource' || !isName(uri)) return malformed('ref must name a prompt or a resource template');
  // Named by the resource alone, as a prompt is.
  return { kind: 'ask', questions: [resourceQuestion({ type: 'McpResourceTemplate', id: uri })] };
}

function readTask(params: unknown): McpReading {
  const taskId = memberOf(params, 'taskId');
  return isName(taskId)
    ? { kind: 'ask', questions: [], taskIds: [taskId] }
    : malformed('taskId must be the id of a task');
}

/** Asked each time for what a tool began, since its caller may have lost the right: may it see the tool, with its scope? */
export function taskQuestion(tool: string, catalogue: Catalogue): Question {
  const requires = catalogue.ruleOf(tool)?.requires;
  const visible = { action: listActions.tool, resource: () => catalogue.toolResource(tool) };
  const permission = { ...visible, ...(requires !== undefined && { requires }) };
  return { permission, visible, hidden: foreignTask.denial };
}

function readMethod(method: string, params: JsonObject, rules: ReadRules): McpReading {
  const rule = rules.methods.get(method);
  if (rule === undefined) {
    const denial = { error: { code: errorCodes.methodNotFound, message: 'Method not found' } };
    return { kind: 'refuse', code: 'route_unmapped', detail: 'no rule for this method', denial };
  }
  const { action, resource, requires } = rule;
  const asked = typeof resource === 'function' ? () => named(resource(structuredClone(params))) : resource;
  const permission = { action, resource: asked, ...(requires !== undefined && { requires }) };
  return { kind: 'ask', questions: [{ permission }] };
}

/** Undefined for the text of an argument that is absent: a client chooses which it leaves out. */
function named(made: Resource | undefined): Resource | undefined {
  return typeof made?.id === 'string' && isTextOfMissing(made.id) ? undefined : made;
}

function isName(value: unknown): value is string {
  return typeof value === 'string' && value !== '' && value.length <= longestName;
}
