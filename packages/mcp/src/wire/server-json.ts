/** Members, items, objects and lists of one answer of a server. Parsing takes time for each, while everybody waits. */
export const mostServerMembers = 1_000_000;

/** How deep an answer is nested at most. */
export const deepestAnswer = 256;

/** As many messages as a server may send in a batch. */
export const mostServerMessages = 100;

const quote = 0x22;
const backslash = 0x5c;
const [comma, colon] = [0x2c, 0x3a];
const [openList, openObject, closeList, closeObject] = [0x5b, 0x7b, 0x5d, 0x7d];

/**
 * Parses what a server sent. It may be hostile, or pass on what a stranger wrote.
 *
 * @throws SyntaxError when it is no JSON; RangeError when it is nested too deep, or has too many parts.
 */
export function parseServerJson(text: string): unknown {
  const problem = problemOf(text);
  if (problem !== undefined) throw new RangeError(`a message of the server ${problem}`);
  const message: unknown = JSON.parse(text);
  if (Array.isArray(message) && message.length > mostServerMessages) {
    throw new RangeError(`a batch of the server has more than ${mostServerMessages} messages`);
  }
  return message;
}

/** Reads each character at most twice. */
function problemOf(text: string): string | undefined {
  let members = 0;
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charCodeAt(at);
    if (character === quote) {
      at = endOfString(text, at);
    } else if (character === closeList || character === closeObject) {
      depth -= 1;
    } else if (character === openList || character === openObject) {
      depth += 1;
      members += 1;
      if (depth > deepestAnswer) return `is nested more than ${deepestAnswer} deep`;
    } else if (character === comma || character === colon) {
      members += 1;
    }
    if (members > mostServerMembers) return `has more than ${mostServerMembers} members and items`;
  }
  return undefined;
}

/** The place of the quotation mark that ends a string, or the end of the text. */
function endOfString(text: string, start: number): number {
  for (let end = text.indexOf('"', start + 1); end !== -1; end = text.indexOf('"', end + 1)) {
    let before = end - 1;
    while (text.charCodeAt(before) === backslash) before -= 1;
    if ((end - before) % 2 === 1) return end;
  }
  return text.length;
}
