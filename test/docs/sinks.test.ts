import * as core from '@countersign/core';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../support/workspace.js';

const noSinks = ['auditPseudonym', 'auditRecordSchema'];
const sinks = Object.keys(core).filter((name) => /^audit[A-Z]/.test(name) && !noSinks.includes(name));

it('the sinks of core are found', () => {
  expect(sinks).toContain('auditFile');
});

it.each(['docs/reference/sinks.md', 'packages/core/README.md', 'test/support/audit-sinks.ts'])(
  '%s names every sink of core',
  (path) => {
    const text = readFileSync(join(root, path), 'utf8');
    expect(sinks.filter((name) => !text.includes(name))).toEqual([]);
  },
);
