import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { serverDropsFields } from '../../../test/support/dropped-fields.js';
import { guarded, send, serve, signed } from '../../../test/support/guarded.js';
import { agentAuth } from '../src/index.js';
import { codeOf } from './support.js';

it('agentAuth answers a body whose framing Node dropped with 431, also after an asynchronous step [A4, H1]', async () => {
  const { guard } = await guarded();
  const auth = agentAuth(guard);
  const ran = vi.fn();
  const server = createServer((request, response) => {
    void (async () => {
      // Until the body lies in the stream.
      while (!request.complete) await setImmediate();
      if (!(await auth(request, response))) return;
      ran();
      response.end();
    })();
  });
  server.maxHeadersCount = 40;
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { fields, ...request } = signed({ target: '/x' });
  const fillers = Array.from({ length: 120 }, (_, at): [string, string] => [`x${at}`, '1']);
  const evil = {
    ...request,
    fields: [...fields, ...fillers, ['Transfer-Encoding', 'chunked'] as [string, string]],
    body: Buffer.from('5\r\nEVIL!\r\n0\r\n\r\n'),
  };
  const response = await send(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, evil);
  expect(response.status).toBe(431);
  if (serverDropsFields) expect(codeOf(response)).toBe('fields_too_large');
  expect(ran).not.toHaveBeenCalled();
  server.close();
});

it('agentAuth refuses again what it has refused, also when asked twice at once [D8, J4]', async () => {
  const { guard } = await guarded();
  const auth = agentAuth(guard, { everyRequest: true, onRefusal: 'throw' });
  const ran = vi.fn();
  await using served = await serve((request, response) => {
    void (async () => {
      await auth(request, response).catch(() => {});
      const again = await Promise.allSettled([auth(request, response), auth(request, response)]);
      if (again.some((each) => each.status === 'fulfilled' && each.value)) ran();
      response.end();
    })();
  });
  await send(served.url, signed({ target: '/forbidden' }));
  expect(ran).not.toHaveBeenCalled();
});

it('agentAuth ends a refusal whose request never came whole, so that its connection closes [G4]', async () => {
  const { guard } = await guarded();
  const auth = agentAuth(guard);
  await using served = await serve((request, response) => {
    void auth(request, response).then((isAdmitted) => isAdmitted && response.end());
  });
  const socket = connect(Number(new URL(served.url).port), '127.0.0.1');
  socket.write('POST /x HTTP/1.1\r\nHost: api.acme.dev\r\nContent-Length: 10\r\n\r\n12345');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(String(answer)).toMatch(/^HTTP\/1\.1 4\d\d /);
  socket.resume().write('67890');
  await once(socket, 'close');
});
