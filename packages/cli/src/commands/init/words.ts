export function wordList(...lines: readonly string[]): ReadonlySet<string> {
  return new Set(lines.flatMap((line) => line.split(' ')));
}

export function wordsOf(text: string): readonly string[] {
  const words = text.split(/[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])/);
  return words.filter((word) => word !== '').map((word) => word.toLowerCase());
}

export function withoutPlural(word: string): string {
  return word.length > 2 ? word.replace(/s$/, '') : word;
}
