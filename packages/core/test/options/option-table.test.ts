import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { optionTable } from '../../src/options/option-table.js';

const docs = new URL('../../../../docs/', import.meta.url);

/** The rows of the table of options in the docs that has `trustedProxies`, wherever it stands: name and default. */
function documentedOptions(): readonly (readonly [name: string, byDefault: string])[] {
  const pages = readdirSync(docs, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.md'));
  const tables = pages.flatMap((page) => readFileSync(new URL(page, docs), 'utf8').split(/\n(?!\|)/));
  const table = tables.find((text) => text.includes('\n| `trustedProxies` |')) ?? '';
  return [...table.matchAll(/^\| `(\w+)` \|.*\| ([^|]*) \|$/gm)].map(([, name = '', byDefault = '']) => [
    name,
    byDefault,
  ]);
}

describe('the table of options', () => {
  it('has the rows that the reference prints, with the same defaults', () => {
    const rows = Object.entries(optionTable).map(([name, { byDefault }]) => [name, byDefault]);
    expect(new Map(documentedOptions())).toEqual(new Map(rows as [string, string][]));
  });
});
