/** Members, objects and lists of one message. Each costs time before it is known whether the call may run. */
export const mostMembers = 20_000;

/** What ends a line for some reader: of Python, Java, .NET, JavaScript or Unicode. */
// oxlint-disable-next-line no-control-regex -- these are the characters that it is about
const lineEnds = /[\n\r\v\f\u001c-\u001e\u0085\u2028\u2029]/g;

/** Writes a message so that nothing in it ends a line for any reader. */
export function serialize(message: unknown): string {
  return onOneLine(JSON.stringify(message));
}

/** The same JSON without a character that ends a line. In JSON, CR and LF stand between tokens, the others in strings. */
export function onOneLine(json: string): string {
  return json.replace(lineEnds, (end) =>
    end === '\n' || end === '\r' ? ' ' : `\\u${end.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/** Whether some reader would end a line within the text. */
export function hasLineEnd(text: string): boolean {
  return text.search(lineEnds) !== -1;
}
