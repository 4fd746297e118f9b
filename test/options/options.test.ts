import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it } from 'vitest';
import { publishedPackages } from '../support/workspace.js';
import { guardRows } from './guard-rows.js';
import { wrongValues } from './option-row.js';
import { optionRows } from './option-rows.js';

const folder = mkdtempSync(join(tmpdir(), 'countersign-options-'));
afterAll(() => rmSync(folder, { recursive: true }));
const rows = [...guardRows, ...optionRows(folder)];

/** Options that are refused when they are undefined. */
const restrictive = [
  'agentsOnly',
  'everyRequest',
  'scopeMatch',
  'subjectMustAlsoBePermitted',
  'nonce',
  'status',
  'keepPathSegments',
  'maxHops',
];

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
  const names = Object.keys(kinds);
  it('have their defaults when they are undefined', async () => {
    const given = names.filter((name) => !restrictive.includes(name)).map((name) => [name, undefined]);
    expect(await refusal(Object.fromEntries(given))).toBe('it opens');
  });

  for (const name of names.filter((each) => restrictive.includes(each))) {
    it(`refuse an undefined ${name}, because a value would restrict more [G5]`, async () => {
      expect(await refusal({ [name]: undefined })).toMatch(`'${name}' is undefined. Leave the member out`);
    });
  }
});

/** Types without a row of their own. */
const elsewhere: readonly string[] = [
  // Extended by others that have rows, or known here by another name.
  'RemoteOptions',
  'PdpOptions',
  'AdmissionOptions',
  'UserOptions',
  'ApprovalOptions',
  // Read without `common`; the tests of their packages have the wrong values.
  'MintDelegationOptions',
  'MintLinkOptions',
  'TokenOptions',
  // Of functions that no package exports to applications.
  'TokenVerifierOptions',
  'ParseOptions',
];

it('every type of options with a number, a boolean or a choice has its row', () => {
  const rowTexts = sourcesIn(import.meta.dirname).filter((text) => text.includes('optionRow('));
  const known = new Set([...elsewhere, ...rowTexts.flatMap((text) => text.match(/\w+Options\b/g) ?? [])]);
  const declared = publishedPackages()
    .filter(({ folder: path }) => basename(path) !== 'cli')
    .flatMap(({ folder: path }) => sourcesIn(join(path, 'src')))
    .flatMap((text) => [...text.matchAll(/export interface (\w+Options)\b[^{]*\{\n([^]*?)\n\}/g)])
    .filter(([, , members = '']) => /readonly \w+\?: (?:number|boolean|true|')/.test(members))
    .map(([, name = '']) => name);
  expect(declared.length).toBeGreaterThan(20);
  expect(declared.filter((name) => !known.has(name))).toEqual([]);
});

function sourcesIn(folder: string): readonly string[] {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => name.endsWith('.ts')).map((name) => readFileSync(join(folder, name), 'utf8'));
}
