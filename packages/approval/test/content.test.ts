import { describe, expect, it } from 'vitest';
import { type ApprovalRequest, contentProblem, readBody } from '../src/index.js';
import { request } from './world.js';

function posted(fields: Readonly<Record<string, string>>): ApprovalRequest {
  return { ...request, http: { ...request.http!, fields } };
}

const json = 'application/json';
const form = 'application/x-www-form-urlencoded';

describe('contentProblem', () => {
  it.each([
    undefined,
    json,
    'Application/JSON; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/merge-patch+json; profile="a b"',
    'multipart/form-data; boundary=----x',
    'text/plain',
  ])('takes Content-Type: %s', (type) => {
    expect(contentProblem(type === undefined ? {} : { 'content-type': type })).toBeUndefined();
  });

  it.each([
    'application/json; charset=utf-7',
    'application/json; charset="UTF-16LE"',
    'application/json; charset=utf8',
    // WHATWG reads it as windows-1252.
    'text/plain; charset=us-ascii',
    'application/json; charset=utf-8; charset=utf-7',
    'application/json; charset=utf-8; charset=utf-8',
    'application/json; charset',
    'application/json; charset=',
    'application/json; charset =utf-8',
    "application/json; charset*=utf-8''utf-7",
    'application/json; x="charset=utf-7"',
    'application/json; x="; charset=utf-7"',
    String.raw`application/json; charset="utf\-8"`,
    'application/json; charset=utf-8, application/x-www-form-urlencoded',
    'application/json, text/plain',
    'application/json text/plain',
    'application/x-www-form-urlencoded; charset=iso-8859-1',
    'multipart/form-data; boundary=x; charset=utf-16',
    'json',
    'application/\u212ason',
    '',
    '*/*/*',
    // Parsers of Express 4 skip these.
    'application/json;',
    'application/json ; charset=utf-8',
    'application/json;\tx=1',
    'application/json; x=1;',
  ])('refuses Content-Type: %s [C13]', (type) => {
    expect(contentProblem({ 'content-type': type })).toEqual(expect.stringContaining('Content-Type'));
  });

  it.each(['gzip', 'deflate', 'br', 'identity, gzip', 'x-utf-7', ''])(
    'refuses Content-Encoding: %s [C13]',
    (coding) => {
      expect(contentProblem({ 'content-type': json, 'content-encoding': coding })).toContain('content coding');
    },
  );

  it.each([
    ['application/json', true],
    ['Application/JSON; charset=utf-8', true],
    ['application/vnd.api+json', true],
    ['application/problem+json', false],
    [form, false],
    [undefined, false],
  ])('takes the types that an API reads, and no other: %s [C13]', (type, isTaken) => {
    const fields = type === undefined ? {} : { 'content-type': type };
    const problem = contentProblem(fields, ['application/json', 'application/vnd.api+json']);
    expect(problem?.includes('none of those that the API reads') ?? false).toBe(!isTaken);
  });

  it('takes a body that says that it has no coding', () => {
    expect(contentProblem({ 'content-encoding': 'Identity' })).toBeUndefined();
  });
});

describe('readBody', () => {
  it.each([json, 'application/json; charset=utf-8', 'application/vnd.api+json'])(
    'reads JSON of the type %s',
    (type) => {
      const text = '{"to":"alice"}';
      expect(readBody(posted({ 'content-type': type }), { text })).toEqual({ format: 'json', text });
    },
  );

  it('reads a form of plain words as pairs, decoded and in order', () => {
    const text = 'to=%6dallory&note=1+2%263&empty=&sum_2=%E2%82%AC9.50&e-mail=a@b.example';
    const pairs = [
      ['to', 'mallory'],
      ['note', '1 2&3'],
      ['empty', ''],
      ['sum_2', '€9.50'],
      ['e-mail', 'a@b.example'],
    ];
    expect(readBody(posted({ 'content-type': form }), { text })).toEqual({ format: 'form', pairs });
  });

  it.each([
    ['to=alice&&', [['to', 'alice']]],
    [
      'to=alice&to=%6dallory',
      [
        ['to', 'alice'],
        ['to', 'mallory'],
      ],
    ],
    ['a%5Bb%5D=1', [['a[b]', '1']]],
    [
      'a[]=1&alone',
      [
        ['a[]', '1'],
        ['alone', ''],
      ],
    ],
    ['a.b=1', [['a.b', '1']]],
    [
      'sum=1&=2',
      [
        ['sum', '1'],
        ['', '2'],
      ],
    ],
    ['title=x]=', [['title', 'x]=']]],
    [
      'sum=1&valueOf=2',
      [
        ['sum', '1'],
        ['valueOf', '2'],
      ],
    ],
    ['_method=DELETE', [['_method', 'DELETE']]],
  ])('shows the pairs of %s, of which it does not know how they are read [C13]', (text, pairs) => {
    const problem = expect.stringMatching(/^as a form, /);
    expect(readBody(posted({ 'content-type': form }), { text })).toEqual({ format: 'unknown', text, problem, pairs });
  });

  it.each([
    ['no Content-Type', undefined, '{"to":"alice"}'],
    ['another type', 'text/plain', '{"to":"alice"}'],
    [
      'parts',
      'multipart/form-data; boundary=x',
      '--x\r\ncontent-disposition: form-data; name="_charset_"\r\n\r\nutf-7\r\n--x--',
    ],
    ['another charset', 'application/json; charset=utf-7', '{"to":"alice"}'],
    ['a member twice', json, '{"to":"alice","to":"mallory"}'],
    ['a byte order mark', json, '\ufeff{"to":"alice"}'],
    ['no JSON', json, 'to=alice'],
    ['an integer that a double cannot hold', json, '{"account":9007199254740993}'],
    ['a number that overflows', json, '{"amount":1e400}'],
    ['half of a surrogate pair', json, '{"to":"\\ud800"}'],
    ['a member named __proto__', json, '{"__proto__":{"to":"mallory"}}'],
    ['deep JSON', json, '['.repeat(33) + ']'.repeat(33)],
    ['JSON in a form', form, '{"to":"alice","x":"r&%74%6f=mallory"}'],
    ['a semicolon, at which some split', form, 'to=alice;to=mallory'],
    ['a charset of its own', form, '_charset_=utf-7&to=alice'],
    ['a sentinel', form, 'utf8=%26%2310003%3B&to=alice'],
    ['an escape that is not UTF-8', form, 'to=%ff'],
    ['half an escape', form, 'to=%f'],
    ['more values than parsers take', form, 'a=1&'.repeat(1001)],
    ['more separators than parsers count', form, `amount=5000${'&'.repeat(1000)}currency=JPY`],
  ])('does not know how %s is read [C13]', (_what, type, text) => {
    const fields = type === undefined ? {} : { 'content-type': type };
    expect(readBody(posted(fields), { text })).toMatchObject({ format: 'unknown', text });
  });

  it('does not know how a body with a content coding is read, which may be JSON as it stands [C13]', () => {
    const body = posted({ 'content-type': json, 'content-encoding': 'br' });
    expect(readBody(body, { text: '{"to":"alice"}' })).toMatchObject({ format: 'unknown' });
  });

  it('tells a body that is not shown, or is no text, from none', () => {
    expect(readBody(posted({}))).toEqual({ format: 'hidden' });
    expect(readBody(posted({}), { base64: '/w==' })).toEqual({ format: 'bytes', base64: '/w==' });
    expect(readBody(posted({}), { text: '' })).toEqual({ format: 'none' });
    const { http: _http, ...rest } = request;
    expect(readBody(rest as ApprovalRequest)).toEqual({ format: 'none' });
  });
});
