import type { Bindings } from './bindings.js';
import type { Callees } from './callees.js';
import { calls, chainAround, isAnswered, isMerge, isQuestion, isText, mayBeChanged } from './input-calls.js';
import type { AreOfPath } from './made-of-path.js';
import type { Reach } from './reach.js';
import { koaAnswer } from './read-use.js';
import { functionAround, looksUp, nameOf } from './results.js';
import { isFunction, isIn, isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

/**
 * What becomes of an input. `asked`: only conditions, logs, errors and responses get it. `beside`: each function that
 * may keep it gets something made of the path, too. `elsewhere`: anything else, also what is not known.
 */
export type Fate = 'asked' | 'beside' | 'elsewhere';

/** How a value holds an input. */
interface Held {
  /** A function made the value of the input. */
  readonly isMade?: boolean;
  /** The input is a member or item of the value, and replaces none of its other members. */
  readonly isPart?: boolean;
}

interface Code extends Bindings, Callees {
  readonly nodes: readonly NestedNode[];
  readonly reach: Pick<Reach, 'nodes' | 'handlers'>;
  readonly areOfPath: AreOfPath;
  readonly isId: (key: string) => boolean;
  /** Whether the id in a value has been compared with the path's, or deleted. */
  readonly isSettled: (value: NestedNode) => boolean;
  readonly text: string;
}

export interface Fates {
  readonly ofValue: (value: NestedNode, held: Held) => Fate;
  /** Of the variables that a pattern declares. */
  readonly ofPattern: (pattern: unknown, held: Held) => Fate;
  readonly search: <T>(find: () => T) => T;
}

const conditions = /^(?:If|While|DoWhile|Switch|Throw|Expression)Statement$/;
const comparisons = /^(?:[!=]==?|[<>]=?|in|instanceof)$/;
/** Members of the result of a validation that are not the value. */
const reports = /^(?:errors?|issues|success|ok|valid|isValid|length)$/;

export function readFates(code: Code): Fates {
  const { nodes, reach, areOfPath, isId, isSettled, usesOf, declarationOf, calleesOf, text } = code;
  const known = new Map<string, Fate>();
  /** Values of which a path in them says nothing, as the input may replace it. */
  const replaced = new Set<SyntaxNode>();

  /** `data` of what a validation returns, and `item` of a body: they hold all of its members. */
  const isWhole = (key: string | undefined, { isMade }: Held): boolean =>
    key === undefined || /^(?:data|value)$/.test(key) || isId(`${key}Id`) || (isMade === true && !reports.test(key));
  const ofUses = (declared: unknown, held: Held): Fate => worst(usesOf(declared).map((use) => ofValue(use, held)));

  function ofValue(value: NestedNode, held: Held): Fate {
    const { node } = value;
    if (isSettled(value)) return 'asked';
    if (held.isPart !== true) replaced.add(node);
    const key = `${node.start} ${node.end} ${node.type} ${held.isMade} ${held.isPart}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    known.set(key, 'asked');
    const fate = ofPlace(value, held);
    known.set(key, fate);
    return fate;
  }
  function ofPlace(value: NestedNode, held: Held): Fate {
    const { node, parent } = value;
    if (parent === undefined) return 'elsewhere';
    const around = parent.node;
    const { type, operator } = around;
    if (wrappers.test(type)) return ofValue(parent, held);
    if (calls.test(type)) return ofArgument(value, parent);
    if (conditions.test(type)) return 'asked';
    switch (type) {
      case 'SpreadElement':
        return ofSpread(parent, held);
      case 'ObjectProperty':
        return around['value'] === node && parent.parent !== undefined
          ? ofValue(parent.parent, { ...held, isPart: true })
          : 'elsewhere';
      case 'ArrayExpression':
        return ofValue(parent, held);
      case 'TemplateLiteral':
        return ofValue(parent, { ...held, isPart: true });
      case 'TaggedTemplateExpression':
        return hasPath(parent) ? 'beside' : 'elsewhere';
      case 'LogicalExpression':
        return operator === '&&' && around['left'] === node ? 'asked' : ofValue(parent, held);
      case 'ConditionalExpression':
        return around['test'] === node ? 'asked' : ofValue(parent, held);
      case 'UnaryExpression':
        return 'asked';
      case 'BinaryExpression':
        return comparisons.test(String(operator)) ? 'asked' : ofValue(parent, { ...held, isPart: true });
      case 'MemberExpression':
      case 'OptionalMemberExpression':
        return around['object'] === node ? ofMember(parent, held) : 'elsewhere';
      case 'VariableDeclarator':
        return ofPattern(around['id'], held);
      case 'ForOfStatement':
        return ofPattern(around['left'], held);
      case 'AssignmentExpression':
        return around['left'] === node ? 'asked' : ofAssigned(parent, held);
      case 'ReturnStatement':
      case 'ArrowFunctionExpression':
        return ofReturned(parent, held);
      default:
        return 'elsewhere';
    }
  }
  function ofSpread(spread: NestedNode, held: Held): Fate {
    const { parent } = spread;
    if (parent === undefined) return 'elsewhere';
    if (parent.node.type !== 'ObjectExpression') return ofPlace(spread, held);
    const properties = parent.node['properties'] as readonly SyntaxNode[];
    // `{ ...req.body, id: req.params.id }`
    const isOwn = properties.slice(properties.indexOf(spread.node)).some(hasIdOfPath);
    return isOwn ? 'asked' : ofValue(parent, held);
  }
  function hasIdOfPath(property: SyntaxNode): boolean {
    return isId(keyOf(property) ?? '') && isNode(property['value']) && isOfPath(property['value']);
  }
  function isOfPath(part: SyntaxNode): boolean {
    return areOfPath(kept(nodesWithin(nodes, part)));
  }
  function kept(within: readonly NestedNode[]): readonly NestedNode[] {
    const parts = within.map(({ node }) => node).filter((node) => replaced.has(node));
    return within.filter(({ node }) => !parts.some((part) => isIn(node, part)));
  }
  function ofMember(member: NestedNode, held: Held): Fate {
    const { parent } = member;
    if (parent?.node['callee'] !== member.node) {
      return isWhole(keyOf(member.node), held) ? ofValue(member, held) : 'asked';
    }
    const callbacks = (parent.node['arguments'] as readonly SyntaxNode[]).filter(isFunction);
    const given = callbacks.map(({ params }) => ofPattern((params as readonly unknown[])[0], { isMade: true }));
    return worst([...given, ofCall(parent)]);
  }
  function ofAssigned(assignment: NestedNode, held: Held): Fate {
    const { left } = assignment.node;
    if (!isNode(left) || koaAnswer.test(textOf(left, text))) return 'asked';
    const { object, property, computed } = left;
    if (!isNode(object)) return worst([ofPattern(left, held), ofValue(assignment, held)]);
    // `rows[req.params.id] = …`, but not `row[key] = …`
    const place = computed === true && isNode(property) && keyOf(left) === undefined ? property : object;
    return isOfPath(place) && !isId(keyOf(left) ?? '') ? 'beside' : 'elsewhere';
  }
  function ofPattern(pattern: unknown, held: Held): Fate {
    if (!isNode(pattern)) return 'asked';
    const { declarations, id, left, argument, elements, properties } = pattern;
    if (pattern.type === 'Identifier') return ofUses(declarationOf(pattern)?.name.node ?? pattern, held);
    if (Array.isArray(properties)) return ofProperties(properties as readonly SyntaxNode[], held);
    const inner = [declarations, id, left, argument, elements].flat().filter(isNode);
    return inner.length === 0 ? 'elsewhere' : worst(inner.map((each) => ofPattern(each, held)));
  }
  function ofProperties(properties: readonly SyntaxNode[], held: Held): Fate {
    const hasId = properties.some((each) => isId(keyOf(each) ?? ''));
    const fates = properties.map((each) => {
      // `const { id, ...data } = req.body`
      if (each.type === 'RestElement') return hasId ? 'asked' : ofPattern(each, held);
      return isWhole(keyOf(each), held) ? ofPattern(each['value'], held) : 'asked';
    });
    return worst(fates);
  }
  function ofReturned(by: NestedNode, held: Held): Fate {
    const around = functionAround(by);
    if (around === undefined) return 'elsewhere';
    if (reach.handlers.has(around.node)) return 'asked';
    const { parent } = around;
    const given = parent?.node['arguments'];
    if (parent !== undefined && Array.isArray(given) && given.includes(around.node)) return ofCall(parent);
    const callers = [...reach.nodes].filter(({ node }) => calleesOf(node['callee']).includes(around.node));
    return callers.length === 0 ? 'elsewhere' : worst(callers.map((call) => ofValue(call, { ...held, isMade: true })));
  }
  function ofArgument({ node }: NestedNode, call: NestedNode): Fate {
    const given = call.node['arguments'] as readonly SyntaxNode[];
    if (!given.includes(node)) return 'elsewhere';
    const callees = calleesOf(call.node['callee']);
    if (callees.length > 0 && callees.every(isFunction) && node.type !== 'SpreadElement') {
      const index = given.indexOf(node);
      const own = worst(callees.map(({ params }) => ofPattern((params as readonly unknown[])[index], {})));
      return own === 'beside' ? ofCall(call, node) : own;
    }
    if (callees.length === 0 && isAnswered(call, text)) return 'asked';
    if (isText(call, text)) return ofValue(call, { isMade: true, isPart: true });
    if (isMerge(call)) return ofMerge(node, call);
    return callees.length === 0 && isQuestion(call, text) ? ofValue(call, { isMade: true }) : ofCall(call, node);
  }
  /** Of a function that keeps the input, or returns what it made of it. */
  function ofCall(call: NestedNode, node?: SyntaxNode): Fate {
    if (isAnswered(call, text)) return 'asked';
    const given = (call.node['arguments'] as readonly SyntaxNode[]).filter((each) => each !== node);
    const rows = given.filter((each) => mayBeChanged(each, code, text));
    const isBeside = hasPath(call, rows);
    if (isBeside && rows.length === 0) return 'beside';
    const changed = rows.flatMap((row) => usesOf(declarationOf(row)?.name.node));
    const later = changed.filter((use) => !isIn(use.node, call.node)).map((use) => ofValue(use, { isMade: true }));
    const result = isBeside || !looksUp(nameOf(call.node['callee'])) ? ofValue(call, { isMade: true }) : 'elsewhere';
    const fate = worst([result, ...later]);
    return isBeside && fate === 'asked' ? 'beside' : fate === 'beside' ? fate : 'elsewhere';
  }
  function ofMerge(node: SyntaxNode, call: NestedNode): Fate {
    const given = call.node['arguments'] as readonly SyntaxNode[];
    const [target] = given;
    const later = given.slice(given.indexOf(node) + 1).flatMap(({ properties }) => properties ?? []) as SyntaxNode[];
    if (later.some(hasIdOfPath)) return 'asked';
    const result = ofValue(call, { isMade: true });
    if (target === node || target?.type === 'ObjectExpression') return result === 'beside' ? result : 'elsewhere';
    if (target?.type !== 'Identifier') return 'elsewhere';
    return worst([result, ofUses(declarationOf(target)?.name.node, { isMade: true })]) === 'beside'
      ? 'beside'
      : 'elsewhere';
  }
  /** Whether a call, or the calls of its chain, get something made of the path that the input does not replace. */
  function hasPath(call: NestedNode, rows: readonly SyntaxNode[] = []): boolean {
    const within = nodesWithin(nodes, chainAround(call).node);
    // A callback runs after the call: `save(req.body, () => res.json(req.params.id))`.
    const own = isNode(call.node['callee']) ? call.node['callee'] : call.node;
    const later = within.map(({ node }) => node).filter((node) => isFunction(node) && !isIn(node, own));
    const others = [...kept(within), ...within.filter(({ node }) => rows.includes(node))];
    return areOfPath(others.filter(({ node }) => !later.some((each) => isIn(node, each))));
  }

  /** Searches again until nothing more is replaced: an earlier search took a path in it for one beside the input. */
  function search<T>(find: () => T): T {
    for (;;) {
      const { size } = replaced;
      known.clear();
      const found = find();
      if (replaced.size === size) return found;
    }
  }
  return { ofValue, ofPattern, search };
}

function worst(fates: readonly Fate[]): Fate {
  return fates.find((fate) => fate === 'elsewhere') ?? fates.find((fate) => fate === 'beside') ?? 'asked';
}
