import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { guardRows } from './guard-rows.js';
import { wrongValues } from './option-row.js';
import { optionRows } from './option-rows.js';

const folder = mkdtempSync(join(tmpdir(), 'countersign-options-'));
afterAll(() => rmSync(folder, { recursive: true }));
const rows = [...guardRows, ...optionRows(folder)];

describe.each(rows)('the options of $name', ({ kinds, open, opens }) => {
  const refusal = async (change: object): Promise<string> => {
    try {
      await open(change);
    } catch (error) {
      return String(error);
    }
    return 'it opens';
  };

  it('refuse a name that does not exist [G5]', async () => {
    expect(await refusal({ misspelt: 1 })).toMatch(/unknown option 'misspelt'/);
  });

  for (const [name, kind] of Object.entries(kinds)) {
    it(`refuse what is no ${kind} for ${name} [G5]`, async () => {
      for (const value of wrongValues[kind]) {
        expect(await refusal({ [name]: value }), inspect(value)).toMatch(new RegExp(String.raw`\b${name}\b`));
      }
    });
  }

  if (!opens) return;
  it('have their defaults when they are undefined', async () => {
    expect(await refusal(Object.fromEntries(Object.keys(kinds).map((name) => [name, undefined])))).toBe('it opens');
  });
});
