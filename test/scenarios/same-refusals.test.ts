import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hosts, nestHosts } from '../hosts/hosts.js';
import { Api } from '../support/api.js';
import type { RawResponse } from '../support/connection.js';
import { type RawRequest, tampered } from '../support/signed-request.js';
import { runner } from '../support/world.js';

const origin = 'https://api.acme.dev';

/** Header fields about the server and the connection. */
const theirs = new Set(['date', 'connection', 'keep-alive']);

function ours({ status, headers, body }: RawResponse): object {
  return { status, body, headers: Object.fromEntries(Object.entries(headers).filter(([name]) => !theirs.has(name))) };
}

describe('A refusal is the same, byte for byte, on every host', () => {
  const options = { config: { origin }, start: { guard: { maxBodyBytes: 4096 } } };
  const apis = [...hosts, ...nestHosts].map((host) => new Api(host, options));
  const [first] = apis;
  beforeAll(() => Promise.all(apis.map((api) => api.start())));
  afterAll(() => Promise.all(apis.map((api) => api.close())));

  const signed: Api['signed'] = (options) =>
    (first as Api).signed({ host: 'api.acme.dev', scheme: 'https', ...options });
  const plain: RawRequest = {
    method: 'GET',
    target: '/whoami',
    fields: [['Host', 'api.acme.dev']],
    body: Buffer.alloc(0),
  };
  const upload = { method: 'PUT', target: '/upload', body: 'some bytes' };

  it.each<[title: string, request: () => RawRequest]>([
    ['signature_required', () => plain],
    ['signature_invalid', () => signed({ sign: () => Buffer.alloc(64) })],
    ['signature_malformed', () => signed({ alsoCovered: ['"host"', '"host"'] })],
    ['signature_incomplete', () => signed({ covered: [] })],
    ['signature_expired', () => signed({ now: 1_700_000_000 })],
    ['credential_uncovered', () => signed({ fields: [['Agent-Approval', 'x']], uncovered: ['"agent-approval"'] })],
    ['digest_mismatch', () => tampered(signed(upload), { body: Buffer.from('some bytez') })],
    ['digest_required', () => signed({ ...upload, digest: null })],
    ['body_too_large', () => signed({ ...upload, body: 'x'.repeat(5000) })],
    ['origin_mismatch', () => signed({ host: 'evil.example' })],
    ['request_malformed', () => signed({ host: '' })],
    ['policy_denied', () => signed({ key: runner, target: '/invoices' })],
    ['policy_denied, with a body', () => signed({ key: runner, ...upload })],
  ])('%s', async (title, request) => {
    const sent = request();
    const answers = await Promise.all(apis.map(async (api) => [api.host, ours(await api.send(sent))] as const));
    const [[, expected] = []] = answers;
    expect(JSON.parse((expected as RawResponse).body)).toMatchObject({ code: title.split(',')[0] });
    for (const [, answer] of answers) expect(answer).toEqual(expected);
  });

  it('to HEAD it is the same without its body', async () => {
    for (const api of apis) {
      const get = await api.send(plain);
      const head = await api.send({ ...plain, method: 'HEAD' });
      expect(ours(head)).toEqual({ ...ours(get), body: '' });
    }
  });
});
