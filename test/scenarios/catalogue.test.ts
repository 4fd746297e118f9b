import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { type RefusalCode, refusalCodes } from '@countersign/core';
import { describe, expect, it } from 'vitest';
import { hosts } from '../hosts/hosts.js';

/** What no route of the conformance hosts can bring about: an adapter's own tests reach it. */
const inAdapters: readonly string[] = [
  'insufficient_scope',
  'resource_unresolved',
  'route_unmapped',
  'body_consumed',
  'not_authenticated',
];

const root = new URL('../../', import.meta.url);

function testsIn(folder: string): string {
  const url = new URL(folder, root);
  if (!existsSync(url)) return '';
  return readdirSync(url, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.test.ts') && !file.endsWith('catalogue.test.ts'))
    .map((file) => readFileSync(new URL(file, url), 'utf8'))
    .join('\n');
}

/** Where a test demands this very code of an answer: with its status, or as a member of the problem details. */
function demands(tests: string, code: RefusalCode): boolean {
  return new RegExp(`\\b\\d{3},\\s*'${code}'|\\bcode: '${code}'`).test(tests);
}

describe('Every code of the catalogue', () => {
  const scenarios = testsIn('test/scenarios/');
  const adapters = ['express', 'fastify', 'koa', 'node-http']
    .map((name) => testsIn(`packages/${name}/test/`))
    .join('\n');

  it.each(refusalCodes.filter((code) => !inAdapters.includes(code)))('%s is reached over a socket', (code) => {
    expect(hosts.length).toBeGreaterThan(0);
    expect(demands(scenarios, code)).toBe(true);
  });

  it.each(refusalCodes.filter((code) => inAdapters.includes(code)))('%s is reached in an adapter', (code) => {
    expect(demands(adapters, code)).toBe(true);
  });

  it('a code that nobody demands is found out', () => {
    expect(demands(`${scenarios}${adapters}`, 'no_such_code' as RefusalCode)).toBe(false);
  });
});
