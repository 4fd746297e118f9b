import { describe, expect, it } from 'vitest';
import { pathOf } from '../../src/model/request.js';

describe('pathOf', () => {
  it.each([
    ['/a/b', '/a/b'],
    ['/a%2Fb?x=1#y', '/a%2Fb'],
    ['//a/b', '//a/b'],
    ['/?x', '/'],
    ['', '/'],
    ['*', '*'],
    ['/x/http://user:secret@host/y', '/x/http://user:secret@host/y'],
  ])('%s', (target, path) => {
    expect(pathOf(target)).toBe(path);
  });

  it.each([
    'http://user:secret@host/a?x',
    'HTTPS://user:secret@host/a',
    'ws://user:secret@host/a',
    'git+ssh://user:secret@host/a#x',
    'a1.-://user:secret@host/a',
  ])('whatever the scheme, no authority: %s [F2]', (target) => {
    expect(pathOf(target)).toBe('/a');
  });

  it.each(['ws://user:secret@host', 'ws://user:secret@host?x', 'ws://user:secret@host#x'])(
    'nor where no path follows: %s [F2]',
    (target) => {
      expect(pathOf(target)).toBe('/');
    },
  );
});
