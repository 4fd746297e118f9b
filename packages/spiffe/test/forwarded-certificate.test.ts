import { expect, it } from 'vitest';
import { splitUnquoted } from '../src/forwarded-certificate.js';

it('splits a field outside of quotes only', () => {
  expect(splitUnquoted(String.raw`a,"b,\",c",d`, ',')).toEqual(['a', String.raw`"b,\",c"`, 'd']);
  expect(splitUnquoted('a,"b', ',')).toBeUndefined();
});
