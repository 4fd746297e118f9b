import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { approvalDetails, type ApprovalRequest, argumentsDigest, readApprovalDetails } from '../src/index.js';
import { request } from './world.js';

const body = '{"hello": "world"}';
const base64 = Buffer.from(body).toString('base64');
const posted = withBody(body);
const binary = Buffer.from([0, 255, 254]);
const [bytes, empty] = [withBody(binary), withBody('')];
const given = { dataset: 'billing', 10: 'a', 9: 'b' };
const { http: _http, ...rest } = request;
const called: ApprovalRequest = {
  ...rest,
  call: { method: 'tools/call', name: 'query', argumentsDigest: argumentsDigest(given) ?? '' },
};

function withBody(content: string | Uint8Array): ApprovalRequest {
  return { ...request, http: { ...request.http!, contentDigest: `sha-256=:${hash('sha256', content, 'base64')}:` } };
}

/** Without a call, or with one without arguments, there is no digest to compare with. */
const { argumentsDigest: _digest, ...bare } = called.call!;
const uncalled = { ...called, call: bare };
const lone = { to: 'alice', reference: '\ud800' };
const many = { to: 'alice', x: Array(10_001).fill(0) };

describe('readApprovalDetails', () => {
  it.each([
    ['no disclosure', approvalDetails(posted)],
    ['the body as text', approvalDetails(posted, { text: body, why: 'the release waits' })],
    ['bytes that are no text', approvalDetails(bytes, { base64: binary.toString('base64') })],
    ['an empty body', approvalDetails(empty, { text: '' })],
    ['arguments', approvalDetails(called, { arguments: given })],
  ])('reads details with %s, through JSON', (_what, details) => {
    expect(readApprovalDetails(JSON.parse(JSON.stringify(details)))).toEqual({ ok: true, value: details });
  });

  it('reads a body of text in base64 as text', () => {
    const details = JSON.parse(JSON.stringify(approvalDetails(posted, { base64, why: 'so' })));
    expect(readApprovalDetails(details)).toMatchObject({ ok: true, value: { shown: { text: body, why: 'so' } } });
    const marked = '\ufeffa';
    const read = readApprovalDetails(
      approvalDetails(withBody(marked), { base64: Buffer.from(marked).toString('base64') }),
    );
    expect(read).toMatchObject({ ok: true, value: { shown: { text: marked } } });
  });

  it.each<[string, unknown]>([
    ['another type', { ...approvalDetails(posted), type: 'payment' }],
    ['the binding of another request', { ...approvalDetails(posted), binding: approvalDetails(called).binding }],
    ['another body', approvalDetails(posted, { text: '{"hello": "moon"}' })],
    ['an empty body', approvalDetails(posted, { text: '' })],
    ['two bodies', approvalDetails(posted, { text: body, base64: 'AA==' })],
    ['a body of a request without one', approvalDetails(called, { text: body })],
    ['other arguments', approvalDetails(called, { arguments: { ...given, dataset: 'payroll' } })],
    ['arguments of a request without any', approvalDetails(posted, { arguments: given })],
    ['arguments that have no digest, of a request without a call', approvalDetails(posted, { arguments: lone })],
    ['too many arguments, of a request without a call', approvalDetails(posted, { arguments: many })],
    ['arguments that have no digest, of a call without arguments', approvalDetails(uncalled, { arguments: lone })],
    ['an empty body in base64', approvalDetails(posted, { base64: '' })],
    ['an empty body of a request without one', approvalDetails(called, { text: '' })],
    ['an empty body in base64 of a request without one', approvalDetails(called, { base64: '' })],
    ['words behind base64', approvalDetails(withBody('a'), { base64: 'YQ==\n\nDecoded: { "to": "alice" }' })],
    ['words within base64', approvalDetails(posted, { base64: ` ${base64}` })],
    ['base64 without its padding', approvalDetails(withBody('a'), { base64: 'YQ' })],
    ['base64url', approvalDetails(bytes, { base64: binary.toString('base64url') })],
    ['base64 with other bits at its end', approvalDetails(withBody('a'), { base64: 'YR==' })],
    ['a disclosure that is not known', { ...approvalDetails(posted), shown: { html: '<b>' } }],
  ])('refuses %s [C11]', (_what, details) => {
    expect(readApprovalDetails(details)).toMatchObject({ ok: false });
  });
});

it('argumentsDigest is the SHA-256 of RFC 8785', () => {
  expect(argumentsDigest(given)).toBe(hash('sha256', '{"10":"a","9":"b","dataset":"billing"}', 'base64url'));
  expect(argumentsDigest({ a: [1, 2, 3] }, 4)).toBeUndefined();
});
