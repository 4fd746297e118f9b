import { createHash } from 'node:crypto';
import { eachInTurn, type Turns } from '@countersign/common';
import type { KnownEntities } from '../request/entities.js';

/** The parts of a policy set that its hash covers. */
export interface HashedParts {
  /** Name and text, in order. */
  readonly files: readonly (readonly [string, string])[];
  readonly schema: string | undefined;
  readonly entities: KnownEntities;
}

/** Characters that are hashed at once: about a millisecond. */
const PIECE = 256 * 1024;

/** SHA-256 of the JSON of the parts, in hex. The JSON is made and hashed in pieces. */
export async function hashOf(parts: HashedParts, turns: Turns): Promise<string> {
  const hash = createHash('sha256');
  await eachInTurn(jsonOf(parts), turns, (piece) => void hash.update(piece));
  return hash.digest('hex');
}

function* jsonOf({ files, schema, entities }: HashedParts): Generator<string, void> {
  yield '[[';
  for (const [index, [name, text]] of files.entries()) {
    yield `${index === 0 ? '' : ','}[${JSON.stringify(name)},"`;
    for (const piece of piecesOf(text)) yield JSON.stringify(piece).slice(1, -1);
    yield '"]';
  }
  yield `],${schema === undefined ? 'null' : JSON.stringify(schema)}`;
  let separator = ',[';
  for (const entity of entities) {
    yield `${separator}${JSON.stringify(entity)}`;
    separator = ',';
  }
  yield entities.size === 0 ? ']' : ']]';
}

/** No piece ends within a surrogate pair: as two halves, its JSON would be another. */
function* piecesOf(text: string): Generator<string, void> {
  for (let start = 0; start < text.length; ) {
    let end = start + PIECE;
    if (/[\ud800-\udbff]/.test(text[end - 1] ?? '')) end++;
    yield text.slice(start, end);
    start = end;
  }
}
