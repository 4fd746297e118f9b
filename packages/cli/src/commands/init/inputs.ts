import type { Bindings } from './bindings.js';
import { type IsHandedOn, nameOf, namesIn } from './results.js';
import { isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

/** An input besides the parameters of the path, such as `query.id`. */
export interface OtherInput {
  readonly name: string;
  readonly at: number;
}

export const inputs: RegExp = /^(?:query|body|headers|searchParams|cookies|signedCookies)$/;
const addresses = /^(?:path|url|originalUrl|href|_parsedUrl|captures)$/;
export const requests: RegExp = /^(?:this\.)?(?:_?req|request|ctx|context|c)(?:\.(?:req|request|raw))?$/;
/** `body` of these is what another server returned, or what this one will. */
export const answers: RegExp = /^\(?(?:await\b|(?:_?res|response|resp|result|reply|answer|data)\b)/;
/** Functions that return what they get, or a part of it. */
export const checks: RegExp = /parse|valid|pick|omit|assign|merge|extend|defaults|clone/i;
const decorators = /^(?:Query|Body|Headers|Cookies)$/;

/** Those inputs that may name the resource of a route: its id from somewhere else, or the path itself. */
export function otherInputs(
  nodes: ReadonlySet<NestedNode>,
  isId: (key: string) => boolean,
  readsPath: boolean,
  { usesOf, declarationOf }: Bindings,
  isHandedOn: IsHandedOn,
  text: string,
): readonly OtherInput[] {
  const inputOf = readInputOf(isId, declarationOf, text);
  /** Of `const { id } = req.query` and `({ query: { id } }) => …`. */
  function inputOfPattern({ node, parent }: NestedNode): string | undefined {
    if (parent === undefined || parent.node.type === 'AssignmentPattern') return parent && inputOfPattern(parent);
    const decorated = decoratorOf(node);
    if (decorated !== undefined) return decorated;
    if (parent.node.type === 'VariableDeclarator' && parent.node['id'] === node) return inputOf(parent.node['init']);
    const key = parent.node.type === 'ObjectProperty' ? keyOf(parent.node) : undefined;
    return inputs.test(key ?? '') ? key : undefined;
  }
  function isUsed(nested: NestedNode): boolean {
    const { node, parent } = nested;
    const { type, operator, left } = parent?.node ?? node;
    if (/^(?:delete)$/.test(String(operator)) || (type === 'AssignmentExpression' && left === node)) return false;
    // `if (req.body.id !== req.params.id) return refuse();`
    if (type === 'BinaryExpression' && /^[!=]==?$/.test(String(operator))) return false;
    return isHandedOn(nested);
  }

  return [...nodes].flatMap((nested) => {
    const { node, parent } = nested;
    const found = (name: string): OtherInput[] => [{ name, at: node.start }];
    const key = keyOf(node);
    const { object, callee } = node;
    const given = Array.isArray(node['arguments']) ? (node['arguments'] as readonly SyntaxNode[]) : [];
    const named = given[0]?.type === 'StringLiteral' ? String(given[0]['value']) : undefined;
    if (isNode(object) && key !== undefined) {
      const input = isId(key) ? inputOf(object) : undefined;
      if (input !== undefined && isUsed(nested)) return found(`${input}.${key}`);
      const isAddress = readsPath && addresses.test(key) && requests.test(textOf(object, text));
      return isAddress && isHandedOn(nested) ? found(key) : [];
    }
    if (node.type === 'ObjectProperty' && parent?.node.type === 'ObjectPattern' && key !== undefined) {
      const uses = namesIn(node['value']).flatMap((name) => usesOf(name));
      const input = isId(key) ? inputOfPattern(parent) : undefined;
      if (input !== undefined && uses.some(isUsed)) return found(`${input}.${key}`);
      const isAddress = readsPath && addresses.test(key) && requests.test(textOf(parent.parent?.node['init'], text));
      return isAddress && uses.some(isHandedOn) ? found(key) : [];
    }
    if (named === undefined || !isId(named)) return [];
    const method = nameOf(callee);
    if (parent?.node.type === 'Decorator' && decorators.test(method)) return found(`${method.toLowerCase()}.${named}`);
    const owner = isNode(callee) ? callee['object'] : undefined;
    const isHeader = /^(?:get|header)$/.test(method) && requests.test(textOf(owner, text));
    const isQuery = method === 'get' && inputOf(owner) !== undefined;
    return (isHeader || isQuery) && isUsed(nested) ? found(`${isHeader ? 'header' : 'query'} ${named}`) : [];
  });
}

/** The name of an input that an expression is; undefined if it is none, or has an id of its own: `{ ...req.body, id }`. */
export function readInputOf(
  isId: (key: string) => boolean,
  declarationOf: Bindings['declarationOf'],
  text: string,
): (node: unknown) => string | undefined {
  const hasId = ({ properties }: SyntaxNode): boolean =>
    Array.isArray(properties) && (properties as readonly SyntaxNode[]).some((each) => isId(keyOf(each) ?? ''));
  /** Of what is copied into one object, where an id replaces those before it. */
  function inputAmong(copied: readonly SyntaxNode[], isOwnId: (each: SyntaxNode) => boolean): string | undefined {
    const values = copied.slice(copied.findLastIndex(isOwnId) + 1);
    return values.map((each) => inputOf(each['argument'] ?? each)).find((input) => input !== undefined);
  }
  function inputOf(node: unknown): string | undefined {
    if (!isNode(node)) return undefined;
    const { expression, object, properties } = node;
    if (wrappers.test(node.type)) return inputOf(expression ?? node['argument']);
    if (node.type === 'LogicalExpression') return inputOf(node['left']);
    const key = keyOf(node);
    if (Array.isArray(properties)) return inputAmong(properties, (each) => isId(keyOf(each) ?? ''));
    if (Array.isArray(node['arguments']))
      return checks.test(nameOf(node['callee'])) ? inputAmong(node['arguments'], hasId) : undefined;
    if (isNode(object) && /^(?:data|value)$/.test(key ?? '')) return inputOf(object);
    if (isNode(object)) return inputs.test(key ?? '') && !answers.test(textOf(object, text)) ? key : undefined;
    if (node.type !== 'Identifier') return undefined;
    const by = declarationOf(node)?.by.node;
    const made = by?.type === 'VariableDeclarator' && isNode(by['id']) && by['id'].type === 'Identifier';
    if (made) return inputOf(by['init']);
    const decorated = decoratorOf(declarationOf(node)?.name.node);
    if (decorated !== undefined) return decorated;
    const name = String(node['name']);
    return inputs.test(name) ? name : undefined;
  }
  return inputOf;
}

/** Of `@Query() query` on NestJS. */
export function decoratorOf(declared: SyntaxNode | undefined, called: RegExp = decorators): string | undefined {
  const found = Array.isArray(declared?.['decorators']) ? (declared['decorators'] as readonly SyntaxNode[]) : [];
  const names = found.map(({ expression }) => nameOf(isNode(expression) ? expression['callee'] : undefined));
  return names.find((name) => called.test(name))?.toLowerCase();
}

/** Whether a key names a resource: `id`, `orderId` and `x-order-id` for an `Order`, and the parameters of the path. */
export function idKeys(resource: string, names: readonly string[]): (key: string) => boolean {
  const type = plain(resource);
  const keys = new Set(['id', 'ids', 'uuid', `${type}id`, `${type}ids`, ...names.map(plain)]);
  return (key) => keys.has(plain(key));
}

function plain(key: string): string {
  return key
    .toLowerCase()
    .replace(/^x-/, '')
    .replaceAll(/[^a-z0-9]/g, '');
}
