import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { yieldEvery } from '@countersign/common';
import { hashOf, type HashedParts } from '../../../src/cedar/load/policy-set-hash.js';
import type { KnownEntities } from '../../../src/cedar/request/entities.js';

const role = (id: string): [string, { uid: { type: string; id: string }; attrs: object; parents: [] }] => [
  `Role::"${id}"`,
  { uid: { type: 'Role', id }, attrs: {}, parents: [] },
];
const PIECE = 256 * 1024;

it.each<[string, HashedParts]>([
  ['no file', { files: [], schema: undefined, entities: new Map() }],
  [
    'two files',
    {
      files: [
        ['a', 'x"\n'],
        ['b', ''],
      ],
      schema: undefined,
      entities: new Map(),
    },
  ],
  ['a schema', { files: [['a', 'x']], schema: 'entity "é";', entities: new Map() }],
  ['entities', { files: [['a', 'x']], schema: undefined, entities: new Map([role('a'), role('b')]) as KnownEntities }],
  ['a text of several pieces', { files: [['a', 'é"'.repeat(PIECE)]], schema: undefined, entities: new Map() }],
  [
    'a pair of surrogates at the end of a piece',
    { files: [['a', `${'a'.repeat(PIECE - 1)}𝒳b`]], schema: undefined, entities: new Map() },
  ],
])('is that of the whole JSON: %s', async (_title, parts) => {
  const { files, schema, entities } = parts;
  const whole = JSON.stringify([files, schema ?? null, ...(entities.size === 0 ? [] : [[...entities]])]);
  expect(await hashOf(parts, yieldEvery())).toBe(createHash('sha256').update(whole).digest('hex'));
});
