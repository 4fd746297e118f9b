import { once } from 'node:events';
import { expect, it, vi } from 'vitest';
import { guarded, send, serve, signed } from '../../../../test/support/guarded.js';
import { patiently } from '../../../../test/support/patiently.js';
import { tampered } from '../../../../test/support/signed-request.js';
import { admit } from '../../src/adapter/admit.js';

it('a body that would be refused is given back when its handler answers after a part of it [G4]', async () => {
  const { guard } = await guarded({ mode: 'observe', memoryBodyBytes: 10_000, bodyTimeoutSeconds: 1 });
  await using server = await serve((request, response) => {
    void admit(() => guard, { request, response, target: '/upload' }).then(async () => {
      await once(request, 'readable');
      request.read(1);
      request.pause();
      response.writeHead(415).end();
    });
  });
  const body = Buffer.alloc(3_000_000, 'o');
  const request = tampered(signed({ method: 'PUT', target: '/upload', body }), {
    body: Buffer.alloc(body.length, 'x'),
  });
  expect((await send(server.url, request)).status).toBe(415);
  await vi.waitFor(() => {
    expect(guard.status().heldBodies).toMatchObject({ memoryBytes: 0, diskBytes: 0 });
  }, patiently);
});
