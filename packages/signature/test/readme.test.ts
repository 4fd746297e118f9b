import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { signatureRefusals } from '../src/index.js';
import { accepted } from './support/readme-example.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

it('the README contains the compiled example', () => {
  const source = readFileSync(new URL('./support/readme-example.ts', import.meta.url), 'utf8');
  const published = source.replace("'../../src/index.js'", "'@countersign/signature'").replace('export const', 'const');
  expect(readme).toContain(`\`\`\`ts\n${published}\`\`\``);
  expect(accepted).toBe(true);
});

it('the README explains every refusal code', () => {
  const table = readme.replace(/ +/g, ' '); // the formatter aligns columns
  for (const [code, meaning] of Object.entries(signatureRefusals))
    expect(table).toContain(`| \`${code}\` | ${meaning} |`);
});
