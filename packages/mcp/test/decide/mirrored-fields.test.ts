import { describe, expect, it } from 'vitest';
import { disagreeingField, disagreeingParameter } from '../../src/decide/mirrored-fields.js';

const call = {
  kind: 'request',
  id: 1,
  method: 'tools/call',
  params: { name: 'query', arguments: { dataset: 'orders', limit: 5, dry: true, where: { region: 'café' } } },
} as const;

function field(headers: Record<string, string>, request: Parameters<typeof disagreeingField>[1] = call) {
  const given = new Headers(headers);
  return disagreeingField(given, request) ?? disagreeingParameter(given, request.params);
}

const base64 = (text: string) => `=?base64?${Buffer.from(text).toString('base64')}?=`;

describe('disagreeingField', () => {
  it.each([
    ['no field', {}],
    ['both fields', { 'mcp-method': 'tools/call', 'mcp-name': 'query' }],
    ['a name in base64', { 'mcp-name': base64('query') }],
    ['fields for arguments', { 'mcp-param-set': 'orders', 'mcp-param-limit': '5', 'mcp-param-dry': 'true' }],
    ['a number with a decimal point', { 'mcp-param-limit': '5.0' }],
    ['a nested argument in base64', { 'mcp-param-region': base64('café') }],
  ])('accepts %s [E1]', (_what, headers) => {
    expect(field(headers)).toBeUndefined();
  });

  it.each([
    ['another method', { 'mcp-method': 'ping' }, 'Mcp-Method'],
    ['the method in another case', { 'mcp-method': 'Tools/Call' }, 'Mcp-Method'],
    ['an empty method', { 'mcp-method': '' }, 'Mcp-Method'],
    ['another name', { 'mcp-name': 'drop' }, 'Mcp-Name'],
    ['the name in another case', { 'mcp-name': 'Query' }, 'Mcp-Name'],
    ['another name in base64', { 'mcp-name': base64('drop') }, 'Mcp-Name'],
    ['base64 that is not canonical', { 'mcp-name': '=?base64?cXVlcnk?=' }, 'Mcp-Name'],
    ['base64 without its end', { 'mcp-name': '=?base64?cXVlcnk=' }, 'Mcp-Name'],
    ['base64 that is no UTF-8', { 'mcp-name': '=?base64?/w==?=' }, 'Mcp-Name'],
    ['an argument that the body has not', { 'mcp-param-set': 'customers' }, 'mcp-param-set'],
  ])('finds %s [E1]', (_what, headers, expected) => {
    expect(field(headers)).toBe(expected);
  });

  it('finds a name that stands twice [E1]', () => {
    const headers = new Headers([
      ['mcp-name', 'query'],
      ['mcp-name', 'query'],
    ]);
    expect(disagreeingField(headers, call)).toBe('Mcp-Name');
  });

  it('finds a name on a method that has none [E1]', () => {
    expect(field({ 'mcp-name': 'query' }, { ...call, method: 'tools/list', params: {} })).toBe('Mcp-Name');
  });

  it('compares the URI of a resource and the id of a task', () => {
    const read = { ...call, method: 'resources/read', params: { uri: 'file:///a', name: 'file:///b' } };
    expect(field({ 'mcp-name': 'file:///a' }, read)).toBeUndefined();
    expect(field({ 'mcp-name': 'file:///b' }, read)).toBe('Mcp-Name');
  });

  it('compares a field with the argument that the schema names, and with no other [E1]', () => {
    const declared = new Map([
      ['mcp-param-set', ['dataset']],
      ['mcp-param-region', ['where', 'region']],
      ['mcp-param-where', ['where']],
    ]);
    const find = (headers: Record<string, string>) => disagreeingParameter(new Headers(headers), call.params, declared);
    expect(find({ 'mcp-param-set': 'orders', 'mcp-param-region': base64('café') })).toBeUndefined();
    expect(find({ 'mcp-param-set': '5' })).toBe('mcp-param-set');
    expect(find({ 'mcp-param-region': 'orders' })).toBe('mcp-param-region');
    expect(find({ 'mcp-param-where': base64('café') })).toBe('mcp-param-where');
    expect(find({ 'mcp-param-other': 'orders' })).toBeUndefined();
  });

  it('lets a message without a method have no field [E1]', () => {
    for (const headers of [{ 'mcp-method': 'tools/call' }, { 'mcp-name': 'x' }, { 'mcp-param-a': 'b' }]) {
      expect(field(headers as Record<string, string>, {})).toBeDefined();
    }
  });
});

it('disagreeingParameter searches no deeper than 256 levels [E15]', () => {
  let deep: object = { seven: 7 };
  for (let level = 0; level < 20_000; level++) deep = { in: deep };
  const headers = new Headers({ 'mcp-param-seven': '7' });
  expect(disagreeingParameter(headers, { arguments: deep })).toBe('mcp-param-seven');
});
