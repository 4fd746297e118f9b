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
    'Application/JSON ; charset=UTF-8',
    'application/json;charset="utf-8"',
    'application/json;',
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
  ])('refuses Content-Type: %s [C13]', (type) => {
    expect(contentProblem({ 'content-type': type })).toEqual(expect.stringContaining('Content-Type'));
  });

  it.each(['gzip', 'deflate', 'br', 'identity, gzip', 'x-utf-7', ''])(
    'refuses Content-Encoding: %s [C13]',
    (coding) => {
      expect(contentProblem({ 'content-type': json, 'content-encoding': coding })).toContain('content coding');
    },
  );

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

  it('reads a form as pairs, in order and with repetitions', () => {
    const text = 'to=alice&to=%6dallory&a%5Bb%5D=1+2%263&empty=&alone&&c[]=%E2%82%AC';
    expect(readBody(posted({ 'content-type': form }), { text })).toEqual({
      format: 'form',
      pairs: [
        ['to', 'alice'],
        ['to', 'mallory'],
        ['a[b]', '1 2&3'],
        ['empty', ''],
        ['alone', ''],
        ['c[]', '€'],
      ],
    });
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
    ['JSON in a form', form, '{"to":"alice","x":"r&%74%6f=mallory"}'],
    ['a semicolon, at which some split', form, 'to=alice;to=mallory'],
    ['a charset of its own', form, '_charset_=utf-7&to=alice'],
    ['a sentinel', form, 'utf8=%26%2310003%3B&to=alice'],
    ['an escape that is not UTF-8', form, 'to=%ff'],
    ['half an escape', form, 'to=%f'],
    ['more values than parsers take', form, 'a=1&'.repeat(1001)],
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
