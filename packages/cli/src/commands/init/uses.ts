import { type Bindings, isFunction, readBindings } from './bindings.js';
import { type Callees, readCallees } from './callees.js';
import type { FoundRoute } from './find-routes.js';
import { nestParameter } from './nest-parameters.js';
import { asText, type Code, type KnownUse, textOf, type Use, useOf, useOfPart, wrappers } from './read-use.js';
import { shownPlace, type Source } from './sources.js';
import { isNode, keyOf, type NestedNode, nodesIn, parsed, type SyntaxNode } from './syntax.js';
import { type Conversions, parametersOf } from './texts.js';

/** What the permit of a route names, or why a person has to say it. */
export type ResourceId = { readonly conversions: Conversions } | { readonly problem: string };

interface FoundUse {
  /** The parameter; undefined if it may be any. */
  readonly name: string | undefined;
  readonly at: number;
  /** Undefined if it is not known. */
  readonly use: Pick<KnownUse, 'code' | 'isCheck'> | undefined;
}

/**
 * Reads how the handlers of a file use the parameters of their paths. A handler that converts serves `/users/2` also at
 * `/users/02`, so the permit must name the very value that it uses: a `forbid` on `User::"2"` would miss any other.
 */
export function readHandlers(source: Source): (route: FoundRoute) => ResourceId {
  const program = parsed(source);
  const nodes = program === undefined ? [] : nodesIn(program);
  const bindings = readBindings(nodes);
  const callees = readCallees(nodes, bindings);
  return (route) => {
    const names = parametersOf(route.path);
    if (names.length === 0) return { conversions: () => undefined };
    const elsewhere = nodes.flatMap(({ node }) => usedBefore(node, names, callees, source.text));
    const uses = [...elsewhere, ...usesIn(nodesOf(route, nodes, bindings), bindings, callees, source.text)];
    const codes = new Map<string, Code>();
    for (const name of names) {
      const own = uses.filter((each) => each.name === undefined || each.name === name);
      const result = codeOf(name, own, source);
      if (result.problem !== undefined) return result;
      if (names.length > 1 && result.code !== asText) {
        // Alone, a number that is no safe integer is refused. In a text, it would be one like any other.
        const part = shown(result.code, name);
        return { problem: `its id has ${names.length} parts, one is ${part}: refuse what is no safe integer` };
      }
      codes.set(name, result.code);
    }
    return { conversions: (name) => codes.get(name) };
  };
}

type CodeOrProblem =
  | { readonly code: Code; readonly problem?: undefined }
  | { readonly problem: string; readonly code?: undefined };

function codeOf(name: string, uses: readonly FoundUse[], source: Source): CodeOrProblem {
  const unknown = uses.find(({ use }) => use === undefined);
  if (unknown !== undefined) {
    const what = unknown.name === undefined ? 'passes on all parameters' : `does with ${name} what is not known here`;
    return { problem: `${shownPlace(source, unknown.at)} ${what}` };
  }
  const known = uses.flatMap(({ use }) => use ?? []);
  const codes = new Map(
    known.filter(({ isCheck }) => !isCheck).map(({ code }) => [code.replace('Number.parse', 'parse'), code]),
  );
  const [code, other] = codes.values();
  if (code !== undefined && other !== undefined) {
    return { problem: `its handler uses ${shown(code, name)} and ${shown(other, name)}` };
  }
  const check = known.find(({ code }) => code !== asText);
  if (code === undefined && check !== undefined) {
    return { problem: `its handler checks ${shown(check.code, name)}, and what it uses is not known here` };
  }
  return { code: code ?? asText };
}

function shown(code: Code, name: string): string {
  return code === asText ? `${name} as text` : code.replace('String($)', name).replace('$', name);
}

type Argument = Extract<Use, { kind: 'argument' }>;
type Returned = Extract<Use, { kind: 'returned' }>;

/** The nodes of the handlers of a route, and of the functions of the same file that they name. */
function nodesOf({ at, handler }: FoundRoute, nodes: readonly NestedNode[], { namedBy }: Bindings): Set<NestedNode> {
  const parts: Pick<SyntaxNode, 'start' | 'end'>[] = [{ start: at, end: at + handler.length }];
  const found = new Set<NestedNode>();
  for (const { start, end } of parts) {
    const inside = nodes.filter((each) => each.node.start >= start && each.node.start < end && !found.has(each));
    for (const each of inside) {
      found.add(each);
      parts.push(...namedBy(each));
    }
  }
  return found;
}

/** `req.param('id')`, and functions of `app.param('id', …)` and `app.use('/items/:id', …)`: handlers may use their results. */
function usedBefore(
  { callee, arguments: given, start }: SyntaxNode,
  names: readonly string[],
  { hasFunctions }: Callees,
  text: string,
): readonly FoundUse[] {
  if (!isNode(callee) || !Array.isArray(given)) return [];
  const [first] = given as readonly SyntaxNode[];
  const method = keyOf(callee) ?? '';
  if (first === undefined || !/^(?:param|use|all)$/.test(method)) return [];
  const isOf = (name: string): boolean =>
    method === 'param'
      ? first.type !== 'StringLiteral' || first['value'] === name
      : parametersOf(text.slice(callee.start, first.end)).includes(name);
  const isGetter = method === 'param' && given.length === 1;
  return names
    .filter((name) => isOf(name) && (isGetter || given.some(hasFunctions)))
    .map((name) => ({ name, at: start, use: undefined }));
}

function usesIn(
  nodes: ReadonlySet<NestedNode>,
  { usesOf, declarationOf }: Bindings,
  { calleesOf }: Callees,
  text: string,
): readonly FoundUse[] {
  const found: FoundUse[] = [];
  const followed = new Set<string>();
  const isFollowed = (...key: readonly unknown[]): boolean => followed.size === followed.add(key.join(' ')).size;
  /** Of functions that get the parameter: where they are called, and what they return of it. */
  const results = new Map<string, { readonly calls: Set<NestedNode>; readonly codes: Set<Code> }>();
  const unknown = (name: string | undefined, { start }: SyntaxNode): void =>
    void found.push({ name, at: start, use: undefined });

  /** `isPart`: the value has the parameter, as a member or item. */
  function readOne(value: NestedNode, name: string, code: Code, isPart = false): void {
    if (isLogged(value, text)) return;
    const use = (isPart ? useOfPart : useOf)(value, code, text);
    if (use?.kind === 'variable') readVariable(use.declares, name, use.code, use.isPart);
    else if (use?.kind === 'argument') readArgument(use, name, value.node);
    else if (use?.kind === 'returned') readResult(use, name, value.node);
    else found.push({ name, at: value.node.start, use });
  }
  function readVariable(declared: SyntaxNode, name: string, code: Code, isPart = false): void {
    const variable = declared.type === 'AssignmentPattern' ? declared['left'] : declared;
    if (!isNode(variable) || variable.type !== 'Identifier') return unknown(name, declared);
    if (isFollowed(variable.start, name, code, isPart)) return;
    const uses = usesOf(variable);
    if (uses.length === 0) found.push({ name, at: variable.start, use: { code, isCheck: true } });
    for (const use of uses) readOne(use, name, code, isPart);
  }
  function readArgument({ code, call, index, isPart }: Argument, name: string, at: SyntaxNode): void {
    const callees = calleesOf(call.node['callee']).filter(
      // A parameter of a function that is not followed is a function of another file.
      (callee) => callee.type !== 'Identifier' || results.has(`${declarationOf(callee)?.by.node.start} ${name}`),
    );
    if (callees.length === 0) found.push({ name, at: at.start, use: { code, isCheck: false } });
    for (const callee of callees) {
      const declared = isFunction(callee) && !isPart ? (callee['params'] as readonly SyntaxNode[])[index] : undefined;
      if (declared === undefined) {
        unknown(name, at);
        continue;
      }
      const key = `${callee.start} ${name}`;
      const result = results.get(key) ?? { calls: new Set(), codes: new Set() };
      results.set(key, result);
      if (!result.calls.has(call)) {
        result.calls.add(call);
        for (const returned of result.codes) readOne(call, name, returned);
      }
      readVariable(declared, name, code);
    }
  }
  /** Goes on where the function was called. */
  function readResult({ code, by }: Returned, name: string, at: SyntaxNode): void {
    const result = results.get(`${functionAround(by)?.node.start} ${name}`);
    if (result === undefined) found.push({ name, at: at.start, use: { code, isCheck: false } });
    else if (!result.codes.has(code)) {
      result.codes.add(code);
      for (const call of result.calls) readOne(call, name, code);
    }
  }
  /** All parameters. */
  function readAll(value: NestedNode): void {
    const { node, parent } = unwrapped(value);
    const name = parent?.node['object'] === node ? keyOf(parent.node) : undefined;
    const declared = parent?.node['init'] === node ? parent.node['id'] : undefined;
    if (isNode(declared)) readVariables(declared);
    else if (parent !== undefined && name !== undefined) readOne(parent, name, asText);
    else if (!isLogged(value, text)) unknown(undefined, node);
  }
  function readVariables(declared: SyntaxNode): void {
    if (declared.type === 'Identifier') {
      if (!isFollowed(declared, 'all')) for (const use of usesOf(declared)) readAll(use);
      return;
    }
    const properties = declared.type === 'ObjectPattern' ? declared['properties'] : undefined;
    for (const property of Array.isArray(properties) ? (properties as readonly SyntaxNode[]) : [declared]) {
      const name = keyOf(property);
      if (name === undefined || !isNode(property['value'])) unknown(undefined, property);
      else readVariable(property['value'], name, asText);
    }
  }

  for (const nested of nodes) {
    const { node, parent } = nested;
    const isParams = keyOf(node) === 'params';
    if (isParams && isNode(node['object'])) readAll(nested);
    if (isParams && parent?.node.type === 'ObjectPattern' && isNode(node['value'])) readVariables(node['value']);
    const parameter = nestParameter(node, text);
    if (parameter === undefined) continue;
    const { name, code, declared } = parameter;
    if (code === undefined) unknown(name, node);
    else if (name === undefined) readVariables(declared);
    else {
      if (code !== asText) found.push({ name, at: node.start, use: { code, isCheck: false } });
      readVariable(declared, name, code);
    }
  }
  return found;
}

function functionAround(nested: NestedNode | undefined): NestedNode | undefined {
  return nested === undefined || isFunction(nested.node) ? nested : functionAround(nested.parent);
}

function unwrapped(value: NestedNode): NestedNode {
  return value.parent !== undefined && wrappers.test(value.parent.node.type) ? unwrapped(value.parent) : value;
}

const logs = /(?:^|\.)(?:console|log|[lL]ogger)\??\.(?:log|trace|debug|verbose|info|warn|error|fatal)$/;

/** Whether a log gets it, also as a part of a text or an object. */
function isLogged({ node, parent }: NestedNode, text: string): boolean {
  if (parent === undefined || /(?:Function|Call|New)Expression$|Statement$/.test(node.type)) return false;
  return (
    (/^(?:Optional)?CallExpression$/.test(parent.node.type) && logs.test(textOf(parent.node['callee'], text))) ||
    isLogged(parent, text)
  );
}
