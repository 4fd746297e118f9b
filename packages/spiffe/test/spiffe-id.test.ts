import { describe, expect, it } from 'vitest';
import { matchesSpiffeId, readSpiffeId, trustDomainOfPattern } from '../src/index.js';
import { hasVectors, readVectors } from './vectors.js';

describe('readSpiffeId', () => {
  it('reads trust domain and path', () => {
    expect(readSpiffeId('spiffe://example.org/agent/reviewer')).toEqual({
      id: 'spiffe://example.org/agent/reviewer',
      trustDomain: 'example.org',
      path: '/agent/reviewer',
    });
    expect(readSpiffeId('spiffe://example.org')?.path).toBe('');
  });

  it.each([
    ['another scheme', 'https://example.org/a'],
    ['an upper-case scheme', 'SPIFFE://example.org/a'],
    ['an upper-case trust domain', 'spiffe://Example.org/a'],
    ['a port', 'spiffe://example.org:8443/a'],
    ['user information', 'spiffe://user@example.org/a'],
    ['no trust domain', 'spiffe:///a'],
    ['a slash at the end', 'spiffe://example.org/a/'],
    ['an empty segment', 'spiffe://example.org/a//b'],
    ['a dot segment', 'spiffe://example.org/a/../b'],
    ['an escape', 'spiffe://example.org/%61'],
    ['a query', 'spiffe://example.org/a?b'],
    ['a fragment', 'spiffe://example.org/a#b'],
    ['a wildcard', 'spiffe://example.org/*'],
    ['a line break', 'spiffe://example.org/a\n'],
    ['more than 2048 bytes', `spiffe://example.org/${'a'.repeat(2048)}`],
  ])('refuses %s', (_what, id) => {
    expect(readSpiffeId(id)).toBeUndefined();
  });

  it.runIf(hasVectors)('agrees with go-spiffe about its vectors', () => {
    const vectors = readVectors('spiffe-ids.json') as {
      id: string;
      valid: boolean;
      trustDomain?: string;
      path?: string;
    }[];
    expect(vectors.length).toBeGreaterThan(500);
    for (const { id, valid, trustDomain, path } of vectors) {
      expect([id, readSpiffeId(id)]).toEqual([id, valid ? { id, trustDomain, path } : undefined]);
    }
  });
});

describe('a pattern of SPIFFE IDs', () => {
  it('names one ID, or all below a segment', () => {
    const open = 'spiffe://example.org/ci/*';
    expect(matchesSpiffeId('spiffe://example.org/ci/a', 'spiffe://example.org/ci/a')).toBe(true);
    expect(matchesSpiffeId('spiffe://example.org/ci/a', 'spiffe://example.org/ci/ab')).toBe(false);
    expect(matchesSpiffeId(open, 'spiffe://example.org/ci/a')).toBe(true);
    expect(matchesSpiffeId(open, 'spiffe://example.org/ci/a/b')).toBe(true);
    expect(matchesSpiffeId(open, 'spiffe://example.org/ci')).toBe(false);
    expect(matchesSpiffeId(open, 'spiffe://example.org/cid/a')).toBe(false);
    expect(matchesSpiffeId('spiffe://example.org/*', 'spiffe://example.org.evil/a')).toBe(false);
  });

  it('belongs to one trust domain', () => {
    expect(trustDomainOfPattern('spiffe://example.org/ci/*')).toBe('example.org');
    expect(trustDomainOfPattern('spiffe://example.org/*')).toBe('example.org');
    for (const wrong of [
      'spiffe://*/a',
      'spiffe://example.org/*/a',
      'spiffe://example.org/a*',
      'spiffe://example.org',
      '*',
    ]) {
      expect([wrong, trustDomainOfPattern(wrong)]).toEqual([wrong, undefined]);
    }
  });
});
