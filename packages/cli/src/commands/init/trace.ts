import type { Bindings } from './bindings.js';
import type { Callees } from './callees.js';
import type { InputBeside } from './inputs-beside.js';
import type { JoinOf } from './joins.js';
import { nestParameter } from './nest-parameters.js';
import type { Reach } from './reach.js';
import { asText, type Code, type KnownUse, logs, returns, type Use, useOf, useOfPart } from './read-use.js';
import { callsOf, choiceAround, functionAround, type IsHandedOn, looksUp, nameOf } from './results.js';
import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { hasPattern, specialIdOf } from './special-ids.js';
import { isSameOrNothing, textOf, wrappers } from './values.js';

export interface FoundUse {
  /** The parameter; undefined if it may be any. */
  readonly name: string | undefined;
  readonly at: number;
  /** Undefined if it is not known. */
  readonly use: Pick<KnownUse, 'code' | 'isCheck' | 'constant'> | undefined;
  /** A function returns it, and who gets that is not known. */
  readonly isReturned?: boolean;
  /** Another input that may be a part of the same key. */
  readonly beside?: string;
}

type Argument = Extract<Use, { kind: 'argument' }>;
type Returned = Extract<Use, { kind: 'returned' }>;

/** A value that is, or has, a parameter. */
interface Traced {
  readonly name: string;
  readonly code: Code;
  /** It has the parameter, as a member or item. */
  readonly isPart?: boolean;
  /** The function that got it as an argument; undefined if it read the parameter itself. */
  readonly givenTo?: SyntaxNode | undefined;
}

/** How what a route runs uses the parameters of its path. */
export function usesIn(
  { nodes, handlers }: Omit<Reach, 'outer'>,
  { usesOf, declarationOf }: Bindings,
  { calleesOf }: Callees,
  isHandedOn: IsHandedOn,
  joinOf: JoinOf,
  besideOf: InputBeside,
  text: string,
): readonly FoundUse[] {
  const found: FoundUse[] = [];
  const followed = new Set<string>();
  const isFollowed = ({ name, code, isPart, givenTo }: Traced, ...places: readonly SyntaxNode[]): boolean => {
    const offsets = [...places, givenTo].map((place) => `${place?.start}-${place?.end}`);
    return followed.size === followed.add([name, code, isPart === true, ...offsets].join(' ')).size;
  };
  /** Of functions that get the parameter: how to go on where they are called, and what they return of it. */
  const results = new Map<
    string,
    { readonly calls: ((returned: Returned) => void)[]; readonly returned: Returned[] }
  >();
  const unknown = (name: string | undefined, { start }: SyntaxNode): void =>
    void found.push({ name, at: start, use: undefined });
  const isHandler = (nested: NestedNode): boolean => handlers.has(functionAround(nested)?.node ?? nested.node);

  function readOne(value: NestedNode, of: Traced): void {
    if (isLogged(value, text)) return;
    const around = [choiceAround(value, of.isPart === true, text), joinOf(value)];
    if (around.some((each) => each !== undefined && isHandedOn(each))) return unknown(of.name, value.node);
    const use = (of.isPart === true ? useOfPart : useOf)(value, of.code, text);
    const constant = of.isPart === true ? undefined : specialIdOf(value, declarationOf, text);
    if (use !== undefined && constant !== undefined) {
      return void found.push({ name: of.name, at: value.node.start, use: { code: of.code, isCheck: true, constant } });
    }
    if (use?.kind === 'argument' && hasPattern(use.call, declarationOf, text)) return unknown(of.name, value.node);
    const isChecked = use === undefined || (use.kind === 'known' && use.isCheck);
    const beside = isChecked ? undefined : besideOf(value);
    if (beside !== undefined) return void found.push({ name: of.name, at: value.node.start, use: undefined, beside });
    if (use?.kind === 'variable') readVariable(use.declares, { ...of, code: use.code, isPart: use.isPart });
    else if (use?.kind === 'argument') readArgument(use, of, value.node);
    else if (use?.kind === 'returned') readResult(use, of, value.node);
    else if (use?.kind === 'derived') {
      const isCheck = !isHandedOn(use.call);
      found.push({ name: of.name, at: value.node.start, use: isCheck ? { code: use.code, isCheck } : undefined });
    } else found.push({ name: of.name, at: value.node.start, use });
  }
  function readVariable(declared: SyntaxNode, of: Traced): void {
    const variable = declared.type === 'AssignmentPattern' ? declared['left'] : declared;
    if (!isNode(variable) || variable.type !== 'Identifier') return unknown(of.name, declared);
    if (isFollowed(of, variable)) return;
    const uses = usesOf(variable);
    if (uses.length === 0 && of.code !== asText)
      found.push({ name: of.name, at: variable.start, use: { code: of.code, isCheck: true } });
    for (const use of uses) readOne(use, of);
  }
  function readArgument({ code, call, index, isPart }: Argument, { name, givenTo }: Traced, at: SyntaxNode): void {
    const callees = calleesOf(call.node['callee']).filter((callee) => {
      const by = callee.type === 'Identifier' ? declarationOf(callee)?.by : undefined;
      // A parameter of a handler, or of what is around the route, is a function of another file.
      return callee.type !== 'Identifier' || (by !== undefined && nodes.has(by) && !handlers.has(by.node));
    });
    if (callees.length === 0) {
      const called = nameOf(call.node['callee']);
      const isStored = !isHandler(call) && (stores.test(called) || (called === 'set' && index > 0));
      const isUsed = !isStored && (looksUp(called) || !isHandedOn(call));
      found.push({ name, at: at.start, use: isUsed ? { code, isCheck: false } : undefined });
    }
    for (const callee of callees) {
      const declared = isFunction(callee) && !isPart ? (callee['params'] as readonly SyntaxNode[])[index] : undefined;
      if (declared === undefined) {
        unknown(name, at);
        continue;
      }
      const { calls, returned } = resultsOf(callee, name);
      if (!isFollowed({ name, code: '', givenTo }, callee, call.node)) {
        const goOn = (result: Returned): void =>
          readOne(call, { name, code: result.code, isPart: result.isPart, givenTo });
        calls.push(goOn);
        for (const result of returned) goOn(result);
      }
      readVariable(declared, { name, code, givenTo: callee });
    }
  }
  function resultsOf({ start }: SyntaxNode, name: string): NonNullable<ReturnType<typeof results.get>> {
    const key = `${start} ${name}`;
    const result = results.get(key) ?? { calls: [], returned: [] };
    results.set(key, result);
    return result;
  }
  /** Goes on at the calls that gave the value to the function, or at all calls if the function read it itself. */
  function readResult(use: Returned, { name, givenTo }: Traced, at: SyntaxNode): void {
    const { code, by, isPart } = use;
    const around = functionAround(by)?.node;
    if (around === undefined || isHandler(by)) {
      found.push({ name, at: at.start, use: { code, isCheck: false } });
    } else if (isFollowed({ name, code, isPart, givenTo }, around)) return;
    else if (!isPart && returnsOther(around, by.node)) unknown(name, at);
    else if (around === givenTo) {
      const { calls, returned } = resultsOf(around, name);
      returned.push(use);
      for (const goOn of calls) goOn(use);
    } else {
      const calls = callsOf(functionAround(by), usesOf);
      if (calls === undefined) found.push({ name, at: at.start, use: undefined, isReturned: true });
      for (const call of calls ?? []) if (nodes.has(call)) readOne(call, { name, code, isPart, givenTo });
    }
  }
  /** Whether a function may return another value than here. */
  function returnsOther(around: SyntaxNode, by: SyntaxNode): boolean {
    const isSame = ({ argument }: SyntaxNode): boolean => isSameOrNothing(argument, by['argument'], text);
    return [...nodes].some(
      (each) => each.node.type === 'ReturnStatement' && functionAround(each)?.node === around && !isSame(each.node),
    );
  }
  /** All parameters. */
  function readAll(value: NestedNode): void {
    const { node, parent } = unwrapped(value);
    const name = parent?.node['object'] === node ? keyOf(parent.node) : undefined;
    const declared = parent?.node['init'] === node ? parent.node['id'] : undefined;
    if (isNode(declared)) readVariables(declared);
    else if (parent !== undefined && name !== undefined) readOne(parent, { name, code: asText });
    else if (!isLogged(value, text)) {
      found.push({ name, at: node.start, use: undefined, isReturned: returns.test(parent?.node.type ?? '') });
    }
  }
  function readVariables(declared: SyntaxNode): void {
    if (declared.type === 'Identifier') {
      if (!isFollowed({ name: '', code: 'all' }, declared)) for (const use of usesOf(declared)) readAll(use);
      return;
    }
    const properties = declared.type === 'ObjectPattern' ? declared['properties'] : undefined;
    for (const property of Array.isArray(properties) ? (properties as readonly SyntaxNode[]) : [declared]) {
      const name = keyOf(property);
      if (name === undefined || !isNode(property['value'])) unknown(undefined, property);
      else readVariable(property['value'], { name, code: asText });
    }
  }

  for (const nested of nodes) {
    const { node, parent } = nested;
    const isParams = keyOf(node) === 'params';
    if (isParams && isNode(node['object'])) readAll(nested);
    if (isParams && parent?.node.type === 'ObjectPattern' && isNode(node['value'])) readVariables(node['value']);
    const parameter = nestParameter(nested, text);
    if (parameter === undefined) continue;
    const { name, code, declared } = parameter;
    if (code === undefined) unknown(name, node);
    else if (name === undefined) readVariables(declared);
    else {
      if (code !== asText) found.push({ name, at: node.start, use: { code, isCheck: false } });
      readVariable(declared, { name, code });
    }
  }
  return found;
}

function unwrapped(value: NestedNode): NestedNode {
  return value.parent !== undefined && wrappers.test(value.parent.node.type) ? unwrapped(value.parent) : value;
}

/** Methods that put a value into what others may read. */
const stores = /^(?:push|unshift|splice|add)$/;

/** Whether a log gets it, also as a part of a text or an object. */
export function isLogged({ node, parent }: NestedNode, text: string): boolean {
  if (parent === undefined || /(?:Function|Call|New)Expression$|Statement$/.test(node.type)) return false;
  return (
    (/^(?:Optional)?CallExpression$/.test(parent.node.type) && logs.test(textOf(parent.node['callee'], text))) ||
    isLogged(parent, text)
  );
}
