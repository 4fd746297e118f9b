import { isVariable, readBindings } from './bindings.js';
import { type Callees, readCallees } from './callees.js';
import type { FoundRoute } from './find-routes.js';
import { isFollowed } from './followed.js';
import { idKeys, otherInputs } from './inputs.js';
import { readInputsBeside } from './inputs-beside.js';
import { readJoins } from './joins.js';
import { type Reach, readReach } from './reach.js';
import { asText, type Code } from './read-use.js';
import { readResults } from './results.js';
import { shownPlace, type Source } from './sources.js';
import { isFunction, isNode, keyOf, type NestedNode, nodesIn, parsed, type SyntaxNode } from './syntax.js';
import { type Conversions, optionalIn, parametersOf } from './texts.js';
import { type FoundUse, usesIn } from './trace.js';
import { readWholeInputs } from './whole-inputs.js';

/** `/files/*`, `/files/(.*)`, but not `/:id(\\d+)`, `/:path*` and `/*path`. */
const wildcard = /(?<![\w)])\*(?!\w)|(?<!\w)\(/;

/** What the permit of a route names, or why a person has to say it. */
export type ResourceId = { readonly conversions: Conversions } | { readonly problem: string };

/**
 * Reads how the handlers of a file use the parameters of their paths. A handler that converts serves `/users/2` also at
 * `/users/02`, so the permit must name the very value that it uses: a `forbid` on `User::"2"` would miss any other.
 */
export function readHandlers(source: Source, found: readonly FoundRoute[]): (route: FoundRoute) => ResourceId {
  const program = parsed(source);
  const nodes = program === undefined ? [] : nodesIn(program);
  const bindings = readBindings(nodes);
  const callees = readCallees(nodes, bindings);
  const reachOf = readReach(nodes, bindings, callees);
  const joinOf = readJoins(nodes, bindings, callees, source.text);
  const besideOf = readInputsBeside(nodes, bindings, callees, source.text);
  const wholeOf = readWholeInputs(nodes, bindings, callees, source.text);
  const unnamed = new Set(nodes);
  for (const route of found.filter(({ file }) => file === source.path)) {
    for (const node of reachOf(route).nodes) unnamed.delete(node);
  }
  const decorated = [...unnamed]
    .map(({ node }) => node)
    .filter((node) => isFunction(node) && Array.isArray(node['decorators']));
  // A function that no route names is called in a way that is not known: `app.decorateRequest('id', …)`.
  const usesOf = (reach: Omit<Reach, 'outer'>): readonly FoundUse[] => {
    const isHandedOn = readResults(reach.handlers, bindings, source.text);
    return usesIn(reach, bindings, callees, isHandedOn, joinOf, besideOf(reach, isHandedOn), source.text);
  };
  const unnamedUses = usesOf({ nodes: unnamed, handlers: new Set(decorated) });
  const returned = unnamedUses.filter(({ isReturned }) => isReturned === true);
  return (route) => {
    const names = parametersOf(route.path);
    const [above] = parametersOf(route.listed).filter((name) => !names.includes(name));
    if (above !== undefined) return { problem: `its router is below ${above}, which may be a part of the key` };
    if (wildcard.test(route.path))
      return { problem: 'its path has a part without a name, which may be a part of the key' };
    const reach = reachOf(route);
    const isHandedOn = readResults(reach.handlers, bindings, source.text);
    const isId = idKeys(route.resource, names);
    const [other] = otherInputs(reach.nodes, isId, names.length > 0, bindings, isHandedOn, source.text);
    if (other !== undefined) {
      const which = names.length === 0 ? 'the' : 'another';
      const place = shownPlace(source, other.at);
      return { problem: `${place} reads ${other.name}, which may name ${which} ${route.resource}` };
    }
    if (names.length === 0) return { conversions: () => undefined };
    const whole = route.method === 'GET' ? undefined : wholeOf(reach, isId);
    if (whole !== undefined) {
      const place = shownPlace(source, whole.at);
      return { problem: `${place} passes on the whole ${whole.name}, which may name another ${route.resource}` };
    }
    const elsewhere = nodes.flatMap(({ node }) => usedBefore(node, names, callees, source.text));
    const uses = [...elsewhere, ...returned, ...usesOf(reach)];
    const unused = names.length === 1 ? [] : names.filter((name) => !uses.some((each) => isOf(name, each)));
    const parts = names.filter((name) => !unused.includes(name));
    const isRead = names.some((name) => uses.some((each) => isOf(name, each)));
    if (!isRead && isFollowed({ ...reach, outer: lastOf(reach, route) }, names, bindings, callees, source.text)) {
      return { problem: `its handler does not read ${names.join(' and ')}` };
    }
    const mayBeUsed = parts.length === 0 || unused.some((name) => unnamedUses.some((each) => isOf(name, each)));
    if (unused.length > 0 && (mayBeUsed || !isFollowed(reach, unused, bindings, callees, source.text))) {
      return { problem: `whether its handler uses ${unused.join(' and ')} is not known here` };
    }
    const codes = new Map<string, Code>();
    for (const name of parts) {
      const own = uses.filter((each) => isOf(name, each));
      const result = codeOf(name, own, source);
      if (result.problem !== undefined) return result;
      const problem = parts.length > 1 ? problemOfPart(name, result.code, own, route.path) : undefined;
      if (problem !== undefined) return { problem: `its id has ${parts.length} parts, ${problem}` };
      codes.set(name, result.code);
    }
    return { conversions: (name) => codes.get(name) };
  };
}

/** What a route names last: its handler. What stands before it may wrap it, or run before it. */
function lastOf({ outer }: Reach, { at, handler }: FoundRoute): ReadonlySet<NestedNode> {
  const last = [...outer].findLast(
    (each) => each.node.start >= at && each.node.start < at + handler.length && isNamed(each),
  );
  return new Set(last === undefined ? [] : [last]);
}

function isNamed(nested: NestedNode): boolean {
  const { node } = nested;
  return isFunction(node) || node.type === 'ThisExpression' || (node.type === 'Identifier' && isVariable(nested));
}

type CodeOrProblem =
  | { readonly code: Code; readonly problem?: undefined }
  | { readonly problem: string; readonly code?: undefined };

function codeOf(name: string, uses: readonly FoundUse[], source: Source): CodeOrProblem {
  const unknown = uses.find(({ use }) => use === undefined);
  if (unknown !== undefined) {
    const what = unknown.name === undefined ? 'passes on all parameters' : `does with ${name} what is not known here`;
    const joint = `uses ${name} together with ${unknown.beside}, which may be a part of the same key`;
    return { problem: `${shownPlace(source, unknown.at)} ${unknown.beside === undefined ? what : joint}` };
  }
  const known = uses.flatMap(({ use }) => use ?? []);
  const codes = new Map(
    known.filter(({ isCheck }) => !isCheck).map(({ code }) => [code.replace('Number.parse', 'parse'), code]),
  );
  const [code, other] = codes.values();
  if (code !== undefined && other !== undefined) {
    return { problem: `its handler uses ${shown(code, name)} and ${shown(other, name)}` };
  }
  const [constant] = known.flatMap((each) => each.constant ?? []);
  if (code === asText && constant !== undefined) {
    return { problem: `its handler does something else for the ${name} ${JSON.stringify(constant)}` };
  }
  const check = known.find(({ code }) => code !== asText);
  if (code === undefined && check !== undefined) {
    return { problem: `its handler checks ${shown(check.code, name)}, and what it uses is not known here` };
  }
  return { code: code ?? asText };
}

function isOf(name: string, use: FoundUse): boolean {
  return use.name === undefined || use.name === name;
}

/** Why a parameter cannot be joined with others. */
function problemOfPart(name: string, code: Code, uses: readonly FoundUse[], path: string): string | undefined {
  // Alone, a number that is no safe integer is refused. In a text, it would be one like any other.
  if (code !== asText) return `one is ${shown(code, name)}: refuse what is no safe integer`;
  if (optionalIn(path).has(name)) return `and ${name} may be missing`;
  return uses.every(({ use }) => use?.isCheck === true) ? `and its handler only checks ${name}` : undefined;
}

function shown(code: Code, name: string): string {
  return code === asText ? `${name} as text` : code.replace('String($)', name).replace('$', name);
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
