import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const folder = new URL('../', import.meta.url);
const readme = readFileSync(new URL('README.md', folder), 'utf8');
/** In the order in which the tables name them. */
const order = [...readme.matchAll(/^\| (`[a-z-]+\.ts`.*?) \|/gm)].flatMap(([, cell = '']) =>
  [...cell.matchAll(/`([a-z-]+\.ts)`/g)].map(([, file = '']) => file),
);

function source(file: string): string {
  return readFileSync(new URL(`src/${file}`, folder), 'utf8');
}

function lines(files: readonly string[]): number {
  return files.reduce((sum, file) => sum + source(file).split('\n').length - 1, 0);
}

function upTo(file: string): readonly string[] {
  return order.slice(0, order.indexOf(file) + 1);
}

describe('the reading list of the README', () => {
  it('names every file once', () => {
    expect(order.toSorted()).toEqual(readdirSync(new URL('src/', folder)).toSorted());
  });

  it('lists each file after those it uses', () => {
    for (const [index, file] of order.entries()) {
      const used = [...source(file).matchAll(/ from '\.\/([a-z-]+)\.js'/g)].map(([, name]) => `${name}.ts`);
      expect(order.slice(0, index), file).toEqual(expect.arrayContaining(used));
    }
  });

  it('gives the right number of lines', () => {
    const [proof, log] = [...readme.matchAll(/about ([0-9,]+) lines/g)].map(([, told = '']) =>
      Number(told.replace(',', '')),
    );
    expect(Math.abs(lines(upTo('proof.ts')) - Number(proof))).toBeLessThanOrEqual(50);
    const notOfLogs = new Set(['proof.ts', 'verify-proofs.ts']);
    const ofLogs = upTo('verify-log.ts').filter((file) => !notOfLogs.has(file));
    expect(Math.abs(lines(ofLogs) - Number(log))).toBeLessThanOrEqual(50);
  });

  it('covers everything but Node', () => {
    for (const file of order) {
      const used = [...source(file).matchAll(/ from '([^']+)'/g)].map(([, name = '']) => name);
      expect(
        used.filter((name) => !/^(?:node:|\.\/)/.test(name)),
        file,
      ).toEqual([]);
    }
  });
});
