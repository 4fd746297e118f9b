import { describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../src/model/request.js';
import { incomingRequest } from '../../src/adapter/incoming-request.js';
import { RawClient, serve } from './raw-http.js';

async function received(bytes: string): Promise<HttpRequest> {
  let seen: HttpRequest | undefined;
  await using server = await serve((request, response) => {
    seen = incomingRequest(request, request.url ?? '');
    response.end();
  });
  using client = await RawClient.open(server);
  await client.send(bytes);
  await client.response();
  if (seen === undefined) throw new Error('the request did not arrive');
  return seen;
}

describe('incomingRequest', () => {
  it('keeps the target undecoded, and each field line as received', async () => {
    const request = await received(
      'GET /a/../b%2Fc?q=1&q=2 HTTP/1.1\r\nHost: test\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n',
    );
    expect(request).toMatchObject({
      method: 'GET',
      target: '/a/../b%2Fc?q=1&q=2',
      rawHeaders: ['Host', 'test', 'X-Twice', '1', 'x-twice', '2'],
    });
  });

  it('takes the remote address from the connection, never from a field [A13]', async () => {
    const request = await received('GET / HTTP/1.1\r\nHost: test\r\nX-Forwarded-For: 10.9.8.7\r\n\r\n');
    expect(request.remoteAddress).toBe('127.0.0.1');
  });

  it('keeps an absolute-form target [A13]', async () => {
    expect(await received('GET http://evil.example/x HTTP/1.1\r\nHost: test\r\n\r\n')).toMatchObject({
      target: 'http://evil.example/x',
    });
  });
});
