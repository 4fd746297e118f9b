import { printable } from '../../text.js';

const WIDTH = 80;

/** Breaks a text between words so that it fits beside an indent. A word that does not fit stays whole. */
export function wrapped(text: string, indent: string, hanging = ''): string {
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

/** Lines that are already arranged keep their indents; what is too long goes on below. */
export function arranged(text: string, indent = ''): string {
  return text
    .split('\n')
    .map((line) => {
      const [own = ''] = /^ */.exec(line) ?? [];
      return wrapped(line.trim(), `${indent}${own}`, '  ');
    })
    .join('');
}

export function counted(count: number, what: string, many = `${what}s`): string {
  return `${count} ${count === 1 ? what : many}`;
}
