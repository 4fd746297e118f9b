import type { RequestListener } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type Agent, createAgent, generateAgentKey } from '../src/index.js';
import { digestMatches, field, type RecordingServer, recordingServer, verify } from './recording-server.js';

const key = generateAgentKey();
let server: RecordingServer;
let agent: Agent;
/** What the server answers, in order; then `ok`. */
let answers: RequestListener[] = [];

beforeAll(async () => {
  server = await recordingServer((request, response) => {
    const answer = answers.shift();
    if (answer === undefined) response.end('ok');
    else answer(request, response);
  });
  agent = await createAgent({ id: 'agent-a', key });
});
beforeEach(() => {
  server.requests.length = 0;
});
afterAll(() => server.close());

interface Refused {
  readonly status?: number;
  readonly type?: string;
  readonly retryAfter?: string;
  readonly body?: string;
}

function refused(answer: Refused = {}): RequestListener {
  const { status = 503, type = 'application/problem+json', retryAfter = '0' } = answer;
  const { body = '{"code":"replay_unknown"}' } = answer;
  return (_request, response) => {
    response.writeHead(status, { 'content-type': type, 'retry-after': retryAfter }).end(body);
  };
}

const nonces = () => server.requests.map((seen) => /nonce="([^"]+)"/.exec(field(seen, 'signature-input') ?? '')?.[1]);

describe('fetch, answered with replay_unknown', () => {
  it.each<[string, () => string | ReadableStream]>([
    ['text', () => '{"title":"x"}'],
    ['a stream', () => new Blob(['first ', 'second']).stream()],
  ])('signs a request with %s anew and sends it again', async (_title, body) => {
    answers = [refused()];
    const response = await agent.withToken('a.b.c').fetch(server.url, { method: 'POST', body: body() });
    expect([response.status, await response.text()]).toEqual([200, 'ok']);
    expect(server.requests).toHaveLength(2);
    expect(new Set(nonces()).size).toBe(2);
    for (const seen of server.requests) {
      expect(await verify(seen, key)).toMatchObject({ ok: true });
      expect(digestMatches(seen)).toBe(true);
      expect(field(seen, 'authorization')).toBe('Bearer a.b.c');
    }
  });

  it('does so three times, and then hands the refusal over, whole', async () => {
    answers = [refused(), refused(), refused(), refused()];
    const response = await agent.fetch(server.url);
    expect([response.status, await response.json()]).toEqual([503, { code: 'replay_unknown' }]);
    expect(server.requests).toHaveLength(4);
    expect(new Set(nonces()).size).toBe(4);
  });

  it('waits as long as Retry-After says, and no longer than its caller', async () => {
    const controller = new AbortController();
    const headers = { 'content-type': 'application/problem+json', 'retry-after': '5' };
    const fetchOnce = vi.fn(async () => {
      setImmediate(() => controller.abort(new Error('no time')));
      return new Response('{"code":"replay_unknown"}', { status: 503, headers });
    });
    const hurried = await createAgent({ id: 'agent-a', key, fetch: fetchOnce });
    await expect(hurried.fetch(server.url, { signal: controller.signal })).rejects.toThrow('no time');
    expect(fetchOnce).toHaveBeenCalledOnce();
  });
});

describe('fetch sends nothing again where the answer', () => {
  it.each<[string, Refused]>([
    ['is another outage', { body: '{"code":"replay_store_unavailable"}' }],
    ['is of another kind', { type: 'application/json' }],
    ['has another status', { status: 401 }],
    ['names no time', { retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }],
    ['names a long time', { retryAfter: '6' }],
    ['cannot be read', { body: '{"code":' }],
    ['is null', { body: 'null' }],
    ['is longer than a refusal', { body: `{"code":"replay_unknown","more":"${'x'.repeat(100_000)}"}` }],
  ])('%s', async (_title, answer) => {
    answers = [refused(answer)];
    const response = await agent.fetch(server.url);
    expect(response.status).toBe(answer.status ?? 503);
    expect(await response.text()).toBe(answer.body ?? '{"code":"replay_unknown"}');
    expect(server.requests).toHaveLength(1);
  });
});
