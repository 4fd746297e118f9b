import { ambiguityOfJson } from '@countersign/common';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMessage } from '../../src/wire/message.js';

const call = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'query', arguments: { dataset: 'a' } } };

describe('readMessage', () => {
  it('reads a request, a notification and an answer', () => {
    expect(readMessage(JSON.stringify(call))).toEqual({
      ok: true,
      message: { kind: 'request', id: 1, method: 'tools/call', params: call.params },
      value: call,
    });
    expect(readMessage('{"jsonrpc":"2.0","method":"notifications/initialized"}')).toEqual({
      ok: true,
      message: { kind: 'notification', method: 'notifications/initialized', params: {} },
      value: { jsonrpc: '2.0', method: 'notifications/initialized' },
    });
    expect(readMessage('{"jsonrpc":"2.0","id":"1","result":{}}')).toEqual({
      ok: true,
      message: { kind: 'response', id: '1' },
      value: { jsonrpc: '2.0', id: '1', result: {} },
    });
  });

  it.each([
    ['no JSON', '{"jsonrpc":'],
    ['bytes that are no UTF-8', Uint8Array.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a member that stands twice', '{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}'],
    [
      'an argument that stands twice',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"q","arguments":{"a":1,"\\u0061":2}}}',
    ],
    ['a name that stands twice', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"q","name":"r"}}'],
    ['__proto__', '{"jsonrpc":"2.0","id":1,"method":"ping","params":{"__proto__":{}}}'],
    ['a byte order mark', '\ufeff{"jsonrpc":"2.0","id":1,"method":"ping"}'],
  ])('refuses %s as unparsable [E3]', (_what, text) => {
    expect(readMessage(text)).toMatchObject({ ok: false, code: -32700, id: null });
  });

  it.each([
    ['a batch [E2]', [call, call]],
    ['an empty batch [E2]', []],
    ['a number', 1],
    ['null', null],
    ['no version', { ...call, jsonrpc: undefined }],
    ['another version', { ...call, jsonrpc: '1.0' }],
    ['an id of null', { ...call, id: null }],
    ['an id that is a fraction', { ...call, id: 1.5 }],
    ['an id that loses digits', { ...call, id: 2 ** 53 }],
    ['an id that is an object', { ...call, id: {} }],
    ['a method that is no text', { ...call, method: 5 }],
    ['an empty method', { ...call, method: '' }],
    ['params in a list', { ...call, params: ['query'] }],
    ['params of null', { ...call, params: null }],
    ['a request with a result', { ...call, result: {} }],
    ['a method in another case [E3]', { ...call, Method: 'ping' }],
    ['params in another case [E3]', { ...call, Params: {} }],
    ['params with a long s, an s for Go [E3]', { ...call, [`param\u017f`]: {} }],
    ['a name in another case [E3]', { ...call, params: { ...call.params, Name: 'drop' } }],
    ['only a name in another case [E3]', { ...call, params: { NAME: 'drop' } }],
    ['a listened resource in another case', { ...call, params: { notifications: { ResourceSubscriptions: ['a:b'] } } }],
    ['the type of a reference in another case', { ...call, params: { ref: { Type: 'ref/prompt', name: 'x' } } }],
    [
      'two arguments that differ in case',
      { ...call, params: { name: 'q', arguments: { dataset: 'a', Dataset: 'b' } } },
    ],
    ['_meta that is no object [E6]', { ...call, params: { ...call.params, _meta: [] } }],
    ['_meta in another case [E6]', { ...call, params: { ...call.params, _Meta: {} } }],
    ['the version of a tool [E6]', { ...call, params: { ...call.params, _meta: { 'FastMCP/version': '1.0' } } }],
    ['an answer without id', { jsonrpc: '2.0', result: {} }],
    ['an answer with result and error', { jsonrpc: '2.0', id: 1, result: {}, error: {} }],
    ['an answer with neither', { jsonrpc: '2.0', id: 1 }],
  ])('refuses %s as invalid', (_what, value) => {
    expect(readMessage(JSON.stringify(value))).toMatchObject({ ok: false, code: -32600 });
  });

  it.each(['9007199254740993', '1e400', '"\\ud800"', '{"\\udc00":1}'])('refuses %s under its own id [E3]', (value) => {
    const text = JSON.stringify({ ...call, id: 'x' }).replace('"a"', value);
    expect(readMessage(text)).toMatchObject({ ok: false, code: -32600, id: 'x' });
  });

  it.each([
    ['members', Object.fromEntries(Array.from({ length: 360_000 }, (_, n) => [String(n), 0]))],
    ['items', { list: Array.from({ length: 360_000 }, () => 0) }],
  ])('refuses a message with more %s than are read in a moment [E15]', (_what, many) => {
    const text = JSON.stringify({ ...call, params: { name: 'query', arguments: many } });
    expect(readMessage(text)).toMatchObject({ ok: false, code: -32600, id: null });
  });

  it('keeps of _meta only what MCP defines: a server may let the rest choose what runs [E6]', () => {
    const defined = {
      progressToken: 1,
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=1',
      baggage: 'b=2',
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    };
    const vendors = {
      'acme/version': '1.0',
      version: '1.0',
      ProgressToken: 2,
      'IO.modelcontextprotocol/protocolVersion': '1',
    };
    const params = { ...call.params, _meta: { ...vendors, ...defined } };
    const plain = { ...call.params, _meta: defined };
    expect(readMessage(JSON.stringify({ ...call, params }))).toEqual({
      ok: true,
      message: { kind: 'request', id: 1, method: 'tools/call', params: plain },
      value: { ...call, params: plain },
    });
  });

  it('answers an invalid request under its own id', () => {
    expect(readMessage('{"jsonrpc":"2.0","id":"x","method":5}')).toMatchObject({ id: 'x' });
  });

  it('never throws, and a message that it accepts is what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string(), fc.uint8Array()), (input) => {
        expect(readMessage(input).ok).toBe(false);
      }),
    );
    const values = fc.record({
      name: fc.string(),
      arguments: fc.dictionary(fc.stringMatching(/^[a-z]{1,8}$/), fc.jsonValue({ maxDepth: 3 })),
    });
    fc.assert(
      fc.property(
        fc.oneof(fc.string(), fc.maxSafeInteger()),
        fc.string({ minLength: 1 }),
        values,
        (id, method, params) => {
          const text = JSON.stringify({ jsonrpc: '2.0', id, method, params });
          const reading = readMessage(text);
          if (!text.includes('__proto__') && ambiguityOfJson(text) === undefined) {
            expect(reading).toEqual({
              ok: true,
              message: {
                kind: 'request',
                id: id === 0 ? 0 : id,
                method,
                params: (JSON.parse(text) as { params: object }).params,
              },
              value: JSON.parse(text) as unknown,
            });
          }
        },
      ),
    );
  });
});
