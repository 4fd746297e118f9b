import { hash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { approvalDetails, type ApprovalRequest, argumentsDigest, readApprovalDetails } from '../src/index.js';
import { request } from './world.js';

const body = '{"hello": "world"}';
const posted: ApprovalRequest = {
  ...request,
  http: { ...request.http!, contentDigest: `sha-256=:${hash('sha256', body, 'base64')}:` },
};
const given = { dataset: 'billing', 10: 'a', 9: 'b' };
const { http: _http, ...rest } = request;
const called: ApprovalRequest = {
  ...rest,
  call: { method: 'tools/call', name: 'query', argumentsDigest: argumentsDigest(given) ?? '' },
};

describe('readApprovalDetails', () => {
  it.each([
    ['no disclosure', approvalDetails(posted)],
    ['the body as text', approvalDetails(posted, { text: body, why: 'the release waits' })],
    ['the body in base64', approvalDetails(posted, { base64: Buffer.from(body).toString('base64') })],
    ['arguments', approvalDetails(called, { arguments: given })],
  ])('reads details with %s, through JSON', (_what, details) => {
    expect(readApprovalDetails(JSON.parse(JSON.stringify(details)))).toEqual({ ok: true, value: details });
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
    ['a disclosure that is not known', { ...approvalDetails(posted), shown: { html: '<b>' } }],
  ])('refuses %s [C11]', (_what, details) => {
    expect(readApprovalDetails(details)).toMatchObject({ ok: false });
  });
});

it('argumentsDigest is the SHA-256 of RFC 8785', () => {
  expect(argumentsDigest(given)).toBe(hash('sha256', '{"10":"a","9":"b","dataset":"billing"}', 'base64url'));
  expect(argumentsDigest({ a: [1, 2, 3] }, 4)).toBeUndefined();
});
