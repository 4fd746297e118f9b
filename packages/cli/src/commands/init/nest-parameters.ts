import { asNumber, asText, type Code } from './read-use.js';
import { isNode, type NestedNode, type SyntaxNode } from './syntax.js';
import { textOf } from './values.js';

/** An argument of a method of NestJS that gets parameters of the path. */
export interface NestParameter {
  /** Undefined if it gets all of them. */
  readonly name: string | undefined;
  /** What pipes make of it; undefined if that is not known. */
  readonly code: Code | undefined;
  /** Its name or pattern. */
  readonly declared: SyntaxNode;
}

const integerPipe = /^(?:new )?ParseIntPipe\b/;
/** It accepts `0x10`, and makes 0 of it. */
const floatPipe = /^(?:new )?ParseFloatPipe\b/;
const textPipe = /^(?:new )?(?:ParseUUIDPipe|ParseEnumPipe|DefaultValuePipe)\b/;
/** It converts to a declared type, if it has that option. */
const validation = /^(?:new )?ValidationPipe\b/;

/** `@Param('id', ParseIntPipe) id: number`; undefined if a node is no such argument. */
export function nestParameter({ node, parent }: NestedNode, text: string): NestParameter | undefined {
  const [given] = decorations(node, 'Param', text);
  if (given === undefined) return undefined;
  const name = given[0]?.type === 'StringLiteral' ? String(given[0]['value']) : undefined;
  // Those of its class come first, and those of its method next.
  const outer = [parent?.parent?.parent, parent].flatMap((each) => decorations(each?.node, 'UsePipes', text).flat());
  const pipes = [...outer, ...given.slice(name === undefined ? 0 : 1)].map((pipe) => textOf(pipe, text));
  return { name, code: codeOf(pipes, typeOf(node, text)), declared: node };
}

/** The arguments of the decorators with a name. */
function decorations(node: SyntaxNode | undefined, name: string, text: string): readonly (readonly SyntaxNode[])[] {
  const decorators = Array.isArray(node?.['decorators']) ? (node['decorators'] as readonly SyntaxNode[]) : [];
  return decorators
    .map(({ expression }) => expression)
    .filter((each) => isNode(each) && textOf(each['callee'], text) === name)
    .map((each) => (each as SyntaxNode)['arguments'] as readonly SyntaxNode[]);
}

function codeOf(pipes: readonly string[], type: string): Code | undefined {
  const others = pipes.filter((pipe) => !textPipe.test(pipe) && !validation.test(pipe));
  if (others.length > 0) {
    if (others.every((pipe) => integerPipe.test(pipe))) return asNumber;
    return others.every((pipe) => floatPipe.test(pipe)) ? 'parseFloat(String($))' : undefined;
  }
  // `transform: true` makes a number of what is declared as one.
  if (type === 'number') return asNumber;
  const isText = /^(?:|string|any|unknown|Record<string, string>|\{(?:\s*\w+\??: string[;,]?)*\s*\})$/.test(type);
  return isText || pipes.some((pipe) => textPipe.test(pipe)) ? asText : undefined;
}

function typeOf({ typeAnnotation }: SyntaxNode, text: string): string {
  return textOf(typeAnnotation, text).replace(/^:\s*/, '');
}
