import { asNumber, asText, type Code, textOf } from './read-use.js';
import { isNode, type SyntaxNode } from './syntax.js';

/** An argument of a method of NestJS that gets parameters of the path. */
export interface NestParameter {
  /** Undefined if it gets all of them. */
  readonly name: string | undefined;
  /** What pipes make of it; undefined if that is not known. */
  readonly code: Code | undefined;
  /** Its name or pattern. */
  readonly declared: SyntaxNode;
}

const numberPipe = /\bParse(?:Int|Float)Pipe\b/;
const textPipe = /^(?:new )?(?:ParseUUIDPipe|ParseEnumPipe|DefaultValuePipe|ValidationPipe)\b/;

/** `@Param('id', ParseIntPipe) id: number`; undefined if a node is no such argument. */
export function nestParameter(node: SyntaxNode, text: string): NestParameter | undefined {
  const decorators = Array.isArray(node['decorators']) ? (node['decorators'] as readonly SyntaxNode[]) : [];
  const call = decorators
    .map(({ expression }) => expression)
    .find((each) => isNode(each) && textOf(each['callee'], text) === 'Param');
  const given = isNode(call) ? (call['arguments'] as readonly SyntaxNode[]) : undefined;
  if (given === undefined) return undefined;
  const name = given[0]?.type === 'StringLiteral' ? String(given[0]['value']) : undefined;
  const pipes = given.slice(name === undefined ? 0 : 1).map((pipe) => textOf(pipe, text));
  return { name, code: codeOf(pipes, typeOf(node, text)), declared: node };
}

function codeOf(pipes: readonly string[], type: string): Code | undefined {
  if (pipes.some((pipe) => numberPipe.test(pipe))) return asNumber;
  if (!pipes.every((pipe) => textPipe.test(pipe))) return undefined;
  // `transform: true` makes a number of what is declared as one.
  if (type === 'number') return asNumber;
  const isText = /^(?:|string|any|unknown|Record<string, string>|\{(?:\s*\w+\??: string[;,]?)*\s*\})$/.test(type);
  return isText || pipes.length > 0 ? asText : undefined;
}

function typeOf({ typeAnnotation }: SyntaxNode, text: string): string {
  return textOf(typeAnnotation, text).replace(/^:\s*/, '');
}
