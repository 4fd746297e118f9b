import { expect, it } from 'vitest';
import { annotationProblem } from '../../../src/cedar/text/annotation-names.js';

it.each(['id', 'expires', 'approval', 'approval_count', 'description', 'note', 'note_owner'])(
  'annotationProblem takes @%s',
  (name) => {
    expect(annotationProblem({ id: 'a', [name]: 'b' })).toBeUndefined();
  },
);

it.each([
  ['aproval', "Did you mean 'approval'?"],
  ['approval_cuont', "Did you mean 'approval_count'?"],
  ['use_within', "Did you mean 'approval_use_within'?"],
  ['count', "Did you mean 'approval_count'?"],
  ['exipres', "Did you mean 'expires'?"],
  ['Expires', "Did you mean 'expires'?"],
  ['aprvoal', 'Known annotations: id, expires, approval'],
  ['requires_approval', 'Known annotations: '],
  ['valid_until', 'Known annotations: '],
  ['shadow_mode', 'Known annotations: '],
  ['notes', 'What people read is in @description, @note'],
])('annotationProblem refuses @%s, which would demand nothing [G5]', (name, hint) => {
  expect(annotationProblem({ id: 'a', [name]: 'b' })).toMatch(`@${name} is not known. `);
  expect(annotationProblem({ id: 'a', [name]: 'b' })).toContain(hint);
});
