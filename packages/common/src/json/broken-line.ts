/**
 * The name of a file, with the line and column (from 1) at which it stops being JSON, like `agents.json:3:5`. Nothing of
 * its content is quoted: it may hold secrets.
 */
export function brokenLine(file: string, bytes: Uint8Array): string {
  const lines = new TextDecoder().decode(bytes).split('\n');
  const beginning = (count: number): string => `${lines.slice(0, count).join('\n')}\n`;
  if (!isBroken(beginning(lines.length))) return file;
  const line = firstBroken(lines.length, (count) => isBroken(beginning(count)));
  const before = line === 1 ? '' : beginning(line - 1);
  const within = `${lines[line - 1] ?? ''}\n`;
  return `${file}:${line}:${firstBroken(within.length, (count) => isBroken(before + within.slice(0, count)))}`;
}

/** The least count that breaks, by binary search: a broken beginning stays broken, whatever follows. */
function firstBroken(count: number, breaks: (count: number) => boolean): number {
  let [whole, broken] = [0, count];
  while (broken - whole > 1) {
    const middle = Math.floor((whole + broken) / 2);
    if (breaks(middle)) broken = middle;
    else whole = middle;
  }
  return broken;
}

/** Whether a text cannot be the beginning of any JSON. Node does not always report the position of the fault. */
function isBroken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    const message = String(error);
    const position = / JSON at position (\d+)(?: \(line \d+ column \d+\))?$/.exec(message)?.[1];
    return position === undefined ? !message.endsWith('Unexpected end of JSON input') : Number(position) < text.length;
  }
}
