import { expect, it } from 'vitest';
import { filterFor } from '../../../src/commands/audit/filter.js';

it.each([
  ['203.0.113.7', '203.0.113.7', true],
  ['203.0.113.7', '::ffff:203.0.113.7', true],
  ['::ffff:203.0.113.7', '203.0.113.7', true],
  ['::FFFF:203.0.113.7', '::ffff:203.0.113.7', true],
  ['203.0.113.7', '::ffff:203.0.113.70', false],
  ['2001:db8::7', '2001:db8::7', true],
  ['203.0.113.7', undefined, false],
])('--address %s finds a record of %s: %s', (address, remoteAddress, found) => {
  expect(filterFor({ address }, Date.now())({ request: { remoteAddress } })).toBe(found);
});
