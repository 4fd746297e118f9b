import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { answerHasBegun } from '../../src/net/answer-has-begun.js';

it.each([false, true])(
  'answerHasBegun says what Node knows, also of a response with a member of its own: %s',
  async (owns) => {
    const said: boolean[] = [];
    const server = createServer((_request, response) => {
      // As @fastify/express does.
      if (owns) Object.defineProperty(response, 'headersSent', { get: () => false });
      said.push(answerHasBegun(response));
      response.writeHead(200);
      said.push(answerHasBegun(response));
      response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const [answer] = (await once(
      get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1' }),
      'response',
    )) as [IncomingMessage];
    answer.resume();
    expect(said).toEqual([false, true]);
    server.close();
  },
);
