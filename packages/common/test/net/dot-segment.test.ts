import { expect, it } from 'vitest';
import { hasDotSegment } from '../../src/net/dot-segment.js';

const dots = ['.', '..', '%2e', '%2E%2e', '.%2e', '%2E.'];
const separators = ['/', '%2f', '%2F', '\\', '%5c', '%5C'];

it.each(dots)('finds the dot segment %s between any separators [H2]', (segment) => {
  expect(hasDotSegment(segment)).toBe(true);
  for (const before of separators) {
    expect(hasDotSegment(`/a${before}${segment}`)).toBe(true);
    for (const after of separators) expect(hasDotSegment(`/a${before}${segment}${after}b`)).toBe(true);
  }
});

it.each(dots)('finds the dot segment %s before a path parameter, which some servers drop [H2]', (segment) => {
  for (const parameter of [';', ';x=1', '%3b', '%3Bx']) {
    expect(hasDotSegment(`/a/${segment}${parameter}/b`)).toBe(true);
    expect(hasDotSegment(`/a/${segment}${parameter}`)).toBe(true);
  }
});

it.each([
  '/',
  '//a',
  '/...',
  '/a..b',
  '/a../b',
  '/..a',
  '/.well-known/x',
  '/a%2Fb',
  '/%2e%2e%2e/',
  '/a%2f..b',
  '/a..%2fb',
  '/a;..',
  '/a;b=..;c',
  // Only an application that decodes twice finds one here.
  '/..%252fb',
  '/%252e%252e/b',
])('finds no dot segment in %s', (path) => {
  expect(hasDotSegment(path)).toBe(false);
});
