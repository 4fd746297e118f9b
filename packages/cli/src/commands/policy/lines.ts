import { printable } from '../../text.js';

const WIDTH = 80;

/** Wraps text to 80 columns at blanks, including the indent. Longer words are not broken. */
export function wrapText(text: string, indent: string, hanging = ''): string {
  const lines: string[] = [];
  let line = '';
  for (const word of printable(text.replaceAll(/\s+/g, ' ')).split(' ')) {
    if (line !== '' && indent.length + line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = `${hanging}${word}`;
    } else {
      line = line === '' ? word : `${line} ${word}`;
    }
  }
  return [...lines, line].map((part) => `${indent}${part}\n`).join('');
}

/** Wraps each line of a text and keeps the indent of the line. */
export function wrapLines(text: string, indent = ''): string {
  return text
    .split('\n')
    .map((line) => {
      const [own = ''] = /^ */.exec(line) ?? [];
      return wrapText(line.trim(), `${indent}${own}`, '  ');
    })
    .join('');
}

export function countText(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}
