import { type Bindings, readBindings } from './bindings.js';
import type { FoundRoute } from './find-routes.js';
import { nestParameter } from './nest-parameters.js';
import { asText, type Code, textOf, type Use, useOf, wrappers } from './read-use.js';
import { shownPlace, type Source } from './sources.js';
import { isNode, type NestedNode, nodesIn, parsed, type SyntaxNode } from './syntax.js';
import { type Conversions, parametersOf } from './texts.js';

/** What the permit of a route names, or why a person has to say it. */
export type ResourceId = { readonly conversions: Conversions } | { readonly problem: string };

interface FoundUse {
  /** The parameter; undefined if it may be any. */
  readonly name: string | undefined;
  readonly at: number;
  /** Undefined if it is not known. */
  readonly use: Pick<Extract<Use, { isCheck: boolean }>, 'code' | 'isCheck'> | undefined;
}

/**
 * Reads how the handlers of a file use the parameters of their paths. A handler that converts serves `/users/2` also at
 * `/users/02`, so the permit must name the very value that it uses: a `forbid` on `User::"2"` would miss any other.
 */
export function readHandlers(source: Source): (route: FoundRoute) => ResourceId {
  const program = parsed(source);
  const nodes = program === undefined ? [] : nodesIn(program);
  const bindings = readBindings(nodes);
  return (route) => {
    const names = parametersOf(route.path);
    const uses = names.length === 0 ? [] : usesIn(nodesOf(route, nodes, bindings), bindings, source.text);
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

function usesIn(nodes: ReadonlySet<NestedNode>, { usesOf }: Bindings, text: string): readonly FoundUse[] {
  const found: FoundUse[] = [];
  const followed = new Set<string>();
  const isFollowed = ({ start }: SyntaxNode, code: Code): boolean => {
    const isKnown = followed.has(`${start} ${code}`);
    followed.add(`${start} ${code}`);
    return isKnown;
  };
  const unknown = (name: string | undefined, { start }: SyntaxNode): void =>
    void found.push({ name, at: start, use: undefined });

  function readOne(value: NestedNode, name: string, code: Code): void {
    if (isLogged(value, text)) return;
    const use = useOf(value, code, text);
    if (use?.declares === undefined) found.push({ name, at: value.node.start, use });
    else readVariable(use.declares, name, use.code);
  }
  function readVariable(declared: SyntaxNode, name: string, code: Code): void {
    const variable = declared.type === 'AssignmentPattern' ? declared['left'] : declared;
    if (!isNode(variable) || variable.type !== 'Identifier') return unknown(name, declared);
    if (isFollowed(variable, code)) return;
    const uses = usesOf(variable);
    if (uses.length === 0) found.push({ name, at: variable.start, use: { code, isCheck: true } });
    for (const use of uses) readOne(use, name, code);
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

function unwrapped(value: NestedNode): NestedNode {
  return value.parent !== undefined && wrappers.test(value.parent.node.type) ? unwrapped(value.parent) : value;
}

/** The literal key of a property, or of what reads one. */
function keyOf({ computed, property, key }: SyntaxNode): string | undefined {
  const found = property ?? key;
  if (!isNode(found)) return undefined;
  if (found.type === 'StringLiteral') return String(found['value']);
  return found.type === 'Identifier' && computed !== true ? String(found['name']) : undefined;
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
