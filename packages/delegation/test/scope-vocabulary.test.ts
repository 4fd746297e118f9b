import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { closeScope, scopeCovers, type ScopeMatch } from '../src/scope.js';
import { ScopeVocabulary } from '../src/scope-vocabulary.js';

// Characters around the colon in order, and one beyond the first plane, where code units and code points differ.
const scope = fc.string({ unit: fc.constantFrom('a', 'b', '9', ':', ';', '!', '\uffff', '😀'), maxLength: 6 });
const scopes = fc.array(scope, { maxLength: 30 });
const match = fc.constantFrom<ScopeMatch>('hierarchical', 'exact');

it('ScopeVocabulary finds exactly the known scopes that are covered (law) [C6]', () => {
  fc.assert(
    fc.property(scopes, fc.array(scope, { maxLength: 5 }), match, (known, held, how) => {
      const found = new ScopeVocabulary(known).coveredBy(held, how);
      const expected = [...new Set(known)].filter((one) => scopeCovers(held, one, how));
      expect([...found].toSorted()).toEqual(expected.toSorted());
      expect(closeScope(held, found, how)).toEqual(closeScope(held, known, how));
    }),
    { numRuns: 500 },
  );
});

it('ScopeVocabulary does not depend on the order of the known scopes', () => {
  const known = Array.from({ length: 1000 }, (_, n) => `tool:${n}:use`);
  for (const order of [known, known.toReversed()]) {
    expect(new ScopeVocabulary(order).coveredBy(['tool:77'])).toEqual(['tool:77:use']);
    expect(new ScopeVocabulary(order).coveredBy(['tool', 'tool:7'])).toHaveLength(1000);
  }
});
