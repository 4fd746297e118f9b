import { expect, it, vi } from 'vitest';
import { reportMissing } from '../support/required.js';

it('a missing program fails the tests instead of skipping them when COUNTERSIGN_REQUIRED names it', () => {
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  vi.stubEnv('COUNTERSIGN_REQUIRED', 'opa cerbos');
  expect(() => reportMissing('opa', 'OPA is missing')).toThrow('OPA is missing');
  vi.stubEnv('COUNTERSIGN_REQUIRED', 'cerbos');
  expect(reportMissing('opa', 'OPA is missing')).toBeUndefined();
});
