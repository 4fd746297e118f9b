import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

/** Published test vectors live beside the repository, not in it. */
const FOLDER = new URL('../../../../../shared/vectors/', import.meta.url);

/** Runs tests on published vectors; warns if the vectors are missing. */
export function describeVectors(name: string, path: string, tests: (read: VectorReader) => void): void {
  const folder = new URL(path, FOLDER);
  describe(name, () => {
    if (existsSync(folder)) return tests(new VectorReader(folder));
    console.warn(`NOT RUN: ${name}: the vectors ${path} are not beside the repository`);
    return it('was not run: no vectors here', () => expect(existsSync(folder)).toBe(false));
  });
}

export class VectorReader {
  readonly #folder: URL;

  constructor(folder: URL) {
    this.#folder = folder;
  }

  /** Reads one JSON file of the folder, or the path itself if it is a file. */
  json(file?: string): unknown {
    return JSON.parse(readFileSync(file === undefined ? this.#folder : new URL(file, this.#folder), 'utf8'));
  }

  jsonFiles(folder = ''): string[] {
    return readdirSync(new URL(folder, this.#folder))
      .filter((file) => file.endsWith('.json'))
      .map((file) => folder + file);
  }
}
