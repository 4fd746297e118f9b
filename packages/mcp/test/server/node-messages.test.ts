import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { expect, it, onTestFinished, vi } from 'vitest';
import { whenClosed } from '../../src/server/node-messages.js';

const patiently = { timeout: 20_000, interval: 10 };

it('a response of HTTP/1 ends with its connection, also one that waits for its turn [E11]', async () => {
  const responses: ServerResponse[] = [];
  const ended: number[] = [];
  const server = createServer((_request, response) => {
    const at = responses.push(response) - 1;
    whenClosed(response, () => void ended.push(at));
  });
  onTestFinished(() => void server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(20));
  await vi.waitFor(() => expect(responses).toHaveLength(20), patiently);
  expect(ended).toEqual([]);
  const [first] = responses;
  first?.end();
  await vi.waitFor(() => expect(ended).toEqual([0]), patiently);
  socket.destroy();
  await vi.waitFor(() => expect(ended).toHaveLength(20), patiently);
  const late = vi.fn();
  whenClosed(responses[9]!, late);
  expect(late).toHaveBeenCalledOnce();
});
