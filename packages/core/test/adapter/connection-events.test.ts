import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { connect, createServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { tooManyWait } from '../../src/adapter/connection-events.js';
import { RawClient, serve } from './raw-http.js';

const gets = (count: number): string => 'GET / HTTP/1.1\r\nHost: test\r\n\r\n'.repeat(count);

/** A server that asks `tooManyWait` of each request, and answers when the test does. */
async function asking() {
  const responses: ServerResponse[] = [];
  const answers: boolean[] = [];
  const server = await serve((request, response) => {
    responses.push(response);
    answers.push(tooManyWait(request, response));
  });
  return { server, responses, answers };
}

describe('tooManyWait', () => {
  it('is true for each request beyond one in turn and 100 that wait [I6]', async () => {
    const { server, answers } = await asking();
    await using _server = server;
    using client = await RawClient.open(server);
    await client.send(gets(1000));
    await vi.waitFor(() => expect(answers).toHaveLength(1000), patiently);
    expect(answers.indexOf(true)).toBe(101);
    expect(answers.slice(101)).not.toContain(false);
  });

  it('counts the requests of each connection apart', async () => {
    const { server, answers } = await asking();
    await using _server = server;
    using one = await RawClient.open(server);
    using other = await RawClient.open(server);
    await Promise.all([one.send(gets(101)), other.send(gets(101))]);
    await vi.waitFor(() => expect(answers).toHaveLength(202), patiently);
    expect(answers).not.toContain(true);
  });

  it('counts a response no more when its turn has come', async () => {
    const { server, responses, answers } = await asking();
    await using _server = server;
    using client = await RawClient.open(server);
    await client.send(gets(101));
    await vi.waitFor(() => expect(answers).toHaveLength(101), patiently);
    for (let round = 0; round < 100; round++) {
      responses[round]?.end();
      await client.response();
      await client.send(gets(1));
      await vi.waitFor(() => expect(answers).toHaveLength(102 + round), patiently);
    }
    expect(answers).not.toContain(true);
    await client.send(gets(1));
    await vi.waitFor(() => expect(answers.at(201)).toBe(true), patiently);
  });

  it('counts a response once when it is asked twice', async () => {
    const answers: boolean[] = [];
    await using server = await serve((request, response) => {
      answers.push(tooManyWait(request, response), tooManyWait(request, response));
    });
    using client = await RawClient.open(server);
    await client.send(gets(101));
    await vi.waitFor(() => expect(answers).toHaveLength(202), patiently);
    expect(answers).not.toContain(true);
  });

  it('counts no response that was sent before', async () => {
    const answers: boolean[] = [];
    await using server = await serve((request, response) => {
      response.once('close', () => answers.push(tooManyWait(request, response)));
      response.end();
    });
    using client = await RawClient.open(server);
    for (let sent = 0; sent < 50; sent++) {
      await client.send(gets(1));
      await client.response();
    }
    await vi.waitFor(() => expect(answers).toHaveLength(50), patiently);
    expect(answers).not.toContain(true);
  });

  it('counts no stream of HTTP/2', async () => {
    const answers: boolean[] = [];
    const server = createServer((request, response) => {
      answers.push(tooManyWait(request as unknown as IncomingMessage, response as unknown as ServerResponse));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    for (let sent = 0; sent < 50; sent++) session.request().on('error', () => {});
    await vi.waitFor(() => expect(answers).toHaveLength(50), patiently);
    expect(answers).not.toContain(true);
    session.destroy();
    server.close();
    await once(server, 'close');
  });
});
