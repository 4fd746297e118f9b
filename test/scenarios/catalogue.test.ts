import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { refusalCodes } from '@countersign/core';
import { describe, expect, it } from 'vitest';
import { hosts } from '../hosts/hosts.js';

/** Codes that no route of the conformance hosts can cause, and the adapter whose own tests reach them. */
const inAdapters: ReadonlyMap<string, string> = new Map([
  ['insufficient_scope', 'express'],
  ['resource_unresolved', 'express'],
  ['body_consumed', 'express'],
  ['not_authenticated', 'express'],
  // Only a host that knows its routes can find one without a permit.
  ['route_unmapped', 'fastify'],
]);

const root = new URL('../../', import.meta.url);

function testsIn(folder: string): string {
  const url = new URL(folder, root);
  if (!existsSync(url)) return '';
  return readdirSync(url, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.endsWith('catalogue.test.ts'))
    .map((file) => readFileSync(new URL(file, url), 'utf8'))
    .join('\n');
}

/** Matches a test that expects this code: with its status, or as a member of the problem details. */
function demands(tests: string, code: string): boolean {
  return new RegExp(`\\b\\d{3},\\s*'${code}'|\\bcode: '${code}'`).test(tests);
}

describe('Every code of the catalogue', () => {
  const scenarios = testsIn('test/scenarios/');
  it.each(refusalCodes.filter((code) => !inAdapters.has(code)))('%s is reached over a socket', (code) => {
    expect(hosts.length).toBeGreaterThan(0);
    expect(demands(scenarios, code)).toBe(true);
  });

  for (const [code, adapter] of inAdapters) {
    const tests = testsIn(`packages/${adapter}/test/`);
    // An adapter that does not exist yet has no tests.
    if (tests === '') continue;
    it(`${code} is reached in ${adapter}`, () => {
      expect(demands(tests, code)).toBe(true);
    });
  }

  it('a code that no test expects is detected', () => {
    expect(demands(scenarios, 'no_such_code')).toBe(false);
  });
});
