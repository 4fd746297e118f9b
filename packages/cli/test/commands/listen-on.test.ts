import { once } from 'node:events';
import { createServer } from 'node:http';
import { expect, it } from 'vitest';
import { answerLater, listenOn } from '../../src/commands/listen-on.js';

it('a request that comes before the server can answer is answered then', async () => {
  const server = createServer();
  const serve = answerLater(server);
  const url = await listenOn(server, '127.0.0.1:0');
  const early = fetch(url, { method: 'POST', body: 'early' });
  await once(server, 'request');
  serve(async (request, response) => {
    const chunks = await request.toArray();
    response.end(Buffer.concat(chunks));
  });
  expect(await (await early).text()).toBe('early');
  expect(await (await fetch(url, { method: 'POST', body: 'late' })).text()).toBe('late');
  server.close();
  server.closeAllConnections();
});
