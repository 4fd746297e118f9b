/**
 * A file by its name, and by the line at which it stops being JSON (`agents.json:3`). For files of the operator: nothing
 * of their content is quoted.
 */
export function brokenLine(file: string, bytes: Uint8Array): string {
  const lines = new TextDecoder().decode(bytes).split('\n');
  if (!isBroken(lines)) return file;
  // What is broken stays broken, whatever follows.
  let [whole, broken] = [0, lines.length];
  while (broken - whole > 1) {
    const middle = Math.floor((whole + broken) / 2);
    if (isBroken(lines.slice(0, middle))) broken = middle;
    else whole = middle;
  }
  return `${file}:${broken}`;
}

/** Whether lines cannot be the beginning of any JSON. Node does not always say where it stopped: only that it was not at the end. */
function isBroken(lines: readonly string[]): boolean {
  const text = `${lines.join('\n')}\n`;
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    const message = String(error);
    const position = / JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)?.[1];
    return position === undefined ? !message.endsWith('Unexpected end of JSON input') : Number(position) < text.length;
  }
}
