import { once } from 'node:events';
import { createServer, request as httpRequest } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { readBounded, readRequest } from '../../src/net/read-bounded.js';

describe('readBounded', () => {
  it('returns all bytes when there are no more than allowed', async () => {
    const body = Readable.from([Buffer.from('ab'), new Uint8Array([0x63])]);
    expect(await readBounded(body, 3)).toEqual(new Uint8Array([0x61, 0x62, 0x63]));
    expect(await readBounded(null, 0)).toHaveLength(0);
  });

  it('stops reading when there are more', async () => {
    let produced = 0;
    let ended = false;
    async function* endless(): AsyncGenerator<Uint8Array> {
      try {
        for (;;) {
          produced += 1;
          yield await Promise.resolve(new Uint8Array(10));
        }
      } finally {
        ended = true;
      }
    }
    expect(await readBounded(endless(), 25)).toBeUndefined();
    expect([produced, ended]).toEqual([3, true]);
  });

  it('rejects when the stream yields text', async () => {
    await expect(readBounded(Readable.from(['text']), 100)).rejects.toThrow(TypeError);
  });
});

describe('readRequest', () => {
  it.each([
    ['whole', 100_000, 100_000],
    ['undefined', 1_000_000, 100_000],
  ])('gives a body %s, and leaves the connection to the request [G4]', async (_what, bytes, most) => {
    const logged: unknown[] = [];
    const server = createServer((request, response) => {
      response.on('finish', () => logged.push(request.socket.remoteAddress));
      void readRequest(request, most).then((body) => response.end(String(body?.length)));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    for (let round = 0; round < 2; round++) {
      const sent = httpRequest({ port, host: '127.0.0.1', method: 'POST' });
      sent.end(Buffer.alloc(bytes));
      const [response] = (await once(sent, 'response')) as [Readable];
      expect((await response.toArray()).join('')).toBe(bytes > most ? 'undefined' : String(bytes));
    }
    server.closeAllConnections();
    server.close();
    expect(logged).toEqual(['127.0.0.1', '127.0.0.1']);
  });
});
