import { withTimeout } from '@countersign/common';
import type { Resource } from '@countersign/core';
import { isJsonObject, memberOf } from './json-rpc.js';
import type { ReadRules, ToolRule } from './rules.js';
import { type AnnotatedGroup, groupOfAnnotations, moreDangerous } from './tool-groups.js';

/** The lists whose items are called by name. */
export type NamedList = 'tools/list' | 'prompts/list';

/** Something that is called by a name of a list. */
export interface CalledName {
  readonly list: NamedList;
  readonly name: string;
  /** A rule declares it, so the list need not hold it: the server is asked only what it says about it. */
  readonly isDeclared: boolean;
  /** Whether the request has fields that repeat arguments, so that the schema is needed. */
  readonly hasFields: boolean;
  /** Whether the server is asked about it only again: what it said once may count no longer. */
  readonly isListedOnce: boolean;
}

export type Offer = 'offered' | 'unknown' | 'unavailable';

/** Asks the server for the items of a list, all pages of it. Undefined if it gave no answer. */
export type ListItems = (method: NamedList) => Promise<readonly unknown[] | undefined>;

/** Where an argument stands, and which field of HTTP repeats it: `Mcp-Param-…` in lower case. */
export type ParameterFields = ReadonlyMap<string, readonly string[]>;

interface KnownTool {
  readonly group: AnnotatedGroup;
  /** Undefined: its schema was not listed yet. */
  readonly fields: ParameterFields | undefined;
  /** By `performance.now()`. */
  readonly learntAt: number;
}

/** More names than any server has; what is not remembered is not known. */
const maxRemembered = 10_000;

/** How long a list is taken for complete: unknown names must not make the server list again and again. */
const freshMilliseconds = 5000;

/** How long a group counts that the server gave a tool: it may call the tool destructive meanwhile. */
const staleMilliseconds = 60_000;

/** A server that does not list in time is taken for one that gave no answer. */
const timeoutMilliseconds = 10_000;

/**
 * The names that one server offers, and what it says about them. Learnt from its lists, before they are filtered. What it
 * says later can make a tool only more dangerous: its lists may differ by caller, or be passed on from somebody else.
 */
export class Catalogue {
  readonly #rules: ReadRules;
  readonly #tools = new Map<string, KnownTool>();
  readonly #prompts = new Set<string>();
  /** By list and asker. */
  readonly #lastListed = new Map<string, number>();
  readonly #underway = new Map<string, Promise<boolean>>();
  #expiredAt = -Infinity;

  constructor(rules: ReadRules) {
    this.#rules = rules;
  }

  /** `askedAt`: when the server was asked, by `performance.now()`. What it said before it expired counts as expired. */
  learn(method: NamedList, items: readonly unknown[], askedAt: number = performance.now()): void {
    for (const item of items) {
      const name = memberOf(item, 'name');
      const known = method === 'tools/list' ? this.#tools : this.#prompts;
      if (typeof name !== 'string' || (known.size >= maxRemembered && !known.has(name))) continue;
      if (method === 'tools/list') this.#tools.set(name, knownTool(item, this.#tools.get(name), askedAt));
      else this.#prompts.add(name);
    }
  }

  /**
   * Whether the server offers something with exactly this name. Without that question, a server that folds names would run
   * `Delete` where policy forbids `delete`. `unavailable`: the server did not say. `asker`: who asks; nobody depends on the
   * session of another one.
   */
  async offers(called: CalledName, asker: string, ask: ListItems): Promise<Offer> {
    const { list, name, hasFields, isListedOnce } = called;
    const isKnown = hasFields ? this.fieldsOf(name) !== undefined : this.#knows(list, name);
    if (isKnown ? !this.#isStale(list, name) : isListedOnce) return 'offered';
    const isListed = await this.refresh(list, asker, ask);
    // What the server said counts until it says something else.
    if (isKnown) return 'offered';
    if (!isListed) return 'unavailable';
    return this.#knows(list, name) ? 'offered' : 'unknown';
  }

  /** Lists what the server offers, unless that was just done for the same asker. False: the server did not say. */
  async refresh(list: NamedList, asker: string, ask: ListItems): Promise<boolean> {
    const question = `${list} ${asker}`;
    if (performance.now() - (this.#lastListed.get(question) ?? -Infinity) <= freshMilliseconds) return true;
    const isListed = this.#underway.get(question) ?? this.#list(list, question, ask);
    this.#underway.set(question, isListed);
    try {
      return await isListed;
    } finally {
      if (this.#underway.get(question) === isListed) this.#underway.delete(question);
    }
  }

  /** What the server said of its tools is to be asked again. */
  expire(): void {
    this.#expiredAt = performance.now();
    this.#lastListed.clear();
    this.#underway.clear();
  }

  toolResource(name: string): Resource {
    // Complete, so that `entities` of the guard is not asked about what only the server knows.
    return { type: 'Tool', id: name, attributes: {}, parents: this.#groups(name) };
  }

  /** Undefined: the tool was not declared, although tools were. */
  ruleOf(name: string): ToolRule | undefined {
    return this.#rules.tools === undefined ? {} : this.#rules.tools.get(name);
  }

  /** Undefined: the schema of the tool is not known. */
  fieldsOf(name: unknown): ParameterFields | undefined {
    return typeof name === 'string' ? this.#tools.get(name)?.fields : undefined;
  }

  #knows(method: NamedList, name: string): boolean {
    return method === 'tools/list' ? this.#tools.has(name) : this.#prompts.has(name);
  }

  #isStale(method: NamedList, name: string): boolean {
    const learntAt = method === 'tools/list' ? this.#tools.get(name)?.learntAt : undefined;
    if (learntAt === undefined) return false;
    return learntAt <= this.#expiredAt || performance.now() - learntAt > staleMilliseconds;
  }

  async #list(method: NamedList, question: string, ask: ListItems): Promise<boolean> {
    const askedAt = performance.now();
    try {
      const items = await withTimeout(timeoutMilliseconds, ask(method), () => undefined);
      if (items === undefined) return false;
      this.learn(method, items, askedAt);
      if (this.#lastListed.size >= maxRemembered) this.#lastListed.clear();
      if (askedAt > this.#expiredAt) this.#lastListed.set(question, performance.now());
      return true;
    } catch {
      return false;
    }
  }

  #groups(name: string): NonNullable<Resource['parents']> {
    const { annotations, groups = [] } = this.ruleOf(name) ?? {};
    const annotated = annotations === undefined ? this.#tools.get(name)?.group : groupOfAnnotations(annotations);
    return [...new Set([annotated ?? 'destructive', ...groups])].map((id) => ({ type: 'ToolGroup', id }));
  }
}

/** Without a schema, as where a hook learns it, the fields stay as they were. A group only becomes more dangerous. */
function knownTool(item: unknown, before: KnownTool | undefined, learntAt: number): KnownTool {
  const schema = memberOf(item, 'inputSchema');
  const group = groupOfAnnotations(memberOf(item, 'annotations'));
  const isOlder = before !== undefined && learntAt < before.learntAt;
  return {
    group: moreDangerous(group, before?.group ?? group),
    fields: schema === undefined || isOlder ? before?.fields : fieldsIn(schema),
    learntAt: isOlder ? before.learntAt : learntAt,
  };
}

function fieldsIn(schema: unknown): ParameterFields {
  const fields = new Map<string, readonly string[]>();
  collectFields(schema, [], fields);
  return fields;
}

const deepestSchema = 16;

/** `x-mcp-header` may stand only at properties that a chain of `properties` leads to (MCP 2026-07-28). */
function collectFields(schema: unknown, path: readonly string[], fields: Map<string, readonly string[]>): void {
  const properties = memberOf(schema, 'properties');
  if (!isJsonObject(properties) || path.length >= deepestSchema) return;
  for (const [name, property] of Object.entries(properties)) {
    const field = memberOf(property, 'x-mcp-header');
    if (typeof field === 'string') fields.set(`mcp-param-${field.toLowerCase()}`, [...path, name]);
    collectFields(property, [...path, name], fields);
  }
}
