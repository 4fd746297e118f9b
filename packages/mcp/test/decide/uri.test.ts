import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isPlainUri } from '../../src/decide/uri.js';

describe('isPlainUri', () => {
  it.each([
    'file:///a/secret',
    'file:///a/b/',
    'test://t/secret',
    'test://t',
    'https://api.acme.dev/a?x=1&y=a+b',
    'docs://guide/caf%C3%A9',
    'docs://guide/two%20words',
    'urn:isbn:0451450523',
    'postgres://db.internal:5432/orders/schema',
    'http://[::1]/a',
  ])('accepts %s', (uri) => {
    expect(isPlainUri(uri)).toBe(true);
  });

  it.each([
    ['a dot segment', 'file:///a/../secret'],
    ['a dot segment that the URL standard keeps', 'urn:a/../secret'],
    ['an encoded dot segment', 'test://w/%2E%2E/secret'],
    ['a capital scheme', 'FILE:///secret'],
    ['a host that the URL standard drops', 'file://localhost/secret'],
    ['a capital host', 'test://Secret/x'],
    ['an encoded letter', 'test://t/%73ecret'],
    ['an encoded slash', 'test://w/a%2F..%2Fsecret'],
    ['an encoded slash in small letters', 'test://w/a%2fsecret'],
    ['an encoded backslash', 'test://w/a%5Csecret'],
    ['a backslash', 'test://w/a\\secret'],
    ['an encoded per cent sign', 'test://w/%2573ecret'],
    ['an encoded colon', 'test://w/a%3Ab'],
    ['an encoded question mark', 'docs://guide/what%3F'],
    ['an overlong slash', 'file:///a%C0%AFsecret'],
    ['bytes that are no UTF-8', 'test://t/%80'],
    ['an encoded NUL', 'file:///secret%00.txt'],
    ['an encoded line break', 'file:///secret%0A'],
    ['two spellings of one byte', 'docs://guide/caf%c3%a9'],
    ['a broken escape', 'test://w/%zz'],
    ['an unencoded letter', 'file:///é'],
    ['a space', 'urn:two words'],
    ['space around it', ' file:///secret'],
    ['a line break', 'file:///sec\nret'],
    ['a tab that the URL standard drops', 'https://acme.dev/sec\tret'],
    ['an empty segment', 'file:///a//secret'],
    ['a bracket', 'urn:]a'],
    ['a bracket in the query', 'test://t/list?a[]=1'],
    ['a fragment', 'test://t/secret#x'],
    ['a default port', 'https://acme.dev:443/secret'],
    ['no scheme', '/secret'],
    ['an empty text', ''],
    ['no text', 5],
    ['nothing', undefined],
  ])('refuses %s', (_what, uri) => {
    expect(isPlainUri(uri)).toBe(false);
  });

  it('two plain URIs that any usual reader takes for the same one are the same text', () => {
    const piece = fc.oneof(
      fc.constantFrom(
        'a',
        'S',
        's',
        '/',
        '.',
        '..',
        '%',
        '%73',
        '%2F',
        '%2f',
        '%5C',
        '%3A',
        ':',
        '[',
        ']',
        '%5B',
        '%5D',
        '\\',
        'é',
        '%C3%A9',
        '%c3%a9',
        '?',
        '#',
        ' ',
        '%20',
        '//',
      ),
      fc.string({ maxLength: 2 }),
    );
    const uris = fc.tuple(
      fc.constantFrom('file:///', 'test://t/', 'test://T/', 'urn:', 'https://acme.dev/'),
      fc.array(piece, { maxLength: 6 }),
    );
    const known = new Map<string, string>();
    fc.assert(
      fc.property(uris, ([start, pieces]) => {
        const uri = start + pieces.join('');
        if (!isPlainUri(uri)) return;
        const meant = asReadLeniently(uri);
        expect(known.get(meant) ?? uri).toBe(uri);
        known.set(meant, uri);
      }),
      { numRuns: 20_000 },
    );
    expect(known.size).toBeGreaterThan(100);
  });
});

/** What a reader could make of it that decodes everything, resolves dots, merges slashes and ignores the case of the host. */
function asReadLeniently(uri: string): string {
  const [, scheme = '', host = '', path = '', query = ''] = /^([^:]*):(\/\/[^/?]*)?([^?]*)(.*)$/s.exec(uri) ?? [];
  const segments: string[] = [];
  for (const segment of decodeURIComponent(path).replaceAll('\\', '/').split('/')) {
    if (segment === '..') segments.pop();
    else if (segment !== '.' && segment !== '') segments.push(segment);
  }
  const leading = path.startsWith('/') ? '/' : '';
  const trailing = path.length > 1 && path.endsWith('/') ? '/' : '';
  return `${scheme.toLowerCase()}:${host.toLowerCase()}${leading}${segments.join('/')}${trailing}${query}`;
}
