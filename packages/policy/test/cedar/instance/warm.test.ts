import { expect, it } from 'vitest';
import { freshCedar } from '../../../src/cedar/instance/instance.js';
import { decideOnce } from '../../../src/cedar/instance/warm.js';

it('the decision that warms Cedar evaluates a policy', () => {
  expect(decideOnce(freshCedar())).toMatchObject({ type: 'success', response: { decision: 'allow' } });
});
