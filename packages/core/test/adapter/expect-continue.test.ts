import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { Connection } from '../../../../test/support/connection.js';
import { agentId, guarded, signed, unsigned } from '../../../../test/support/guarded.js';
import { type RawRequest, serialized } from '../../../../test/support/signed-request.js';
import { continueAfterVerification } from '../../src/stages/body/expect-continue.js';
import { ConfigError } from '@countersign/common';
import type { GuardOptions } from '../../src/options/guard-options.js';
import { admissionOf } from '../../src/adapter/admission.js';
import { admit } from '../../src/adapter/admit.js';
import type { AdmissionOptions } from '../../src/adapter/options.js';

interface Served extends AsyncDisposable {
  readonly url: string;
}

/** A guarded server; paths below `/open` are not guarded. */
async function serve(
  prepare: (server: Server) => void = continueAfterVerification,
  options: AdmissionOptions = {},
  guardOptions: Partial<GuardOptions> = {},
): Promise<Served> {
  const { guard } = await guarded(guardOptions);
  async function serveOne(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const open = request.url?.startsWith('/open') === true;
    if (!open && !(await admit(() => guard, { request, response, target: request.url ?? '' }, options))) return;
    if (request.url?.endsWith('unread') === true) {
      response.end('unread');
      return;
    }
    let text = '';
    for await (const part of request) text += String(part);
    response.end(`${admissionOf(request)?.caller?.actor.id}: ${text}`);
  }
  const server = createServer((request, response) => void serveOne(request, response));
  prepare(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const expectation = [['Expect', '100-continue']] as const;
const post = (target = '/') => signed({ method: 'POST', target, body: 'the body', fields: expectation });
const plain = (target: string) =>
  unsigned({
    method: 'POST',
    target,
    fields: [['Host', 'api.acme.dev'], ['Content-Length', '8'], ...expectation],
    body: Buffer.from('the body'),
  });

/** Sends the head, and the body only after `100 Continue`. Returns the first line received, and the body of the response. */
async function patiently(connection: Connection, request: RawRequest): Promise<[first: string, body: string]> {
  connection.write(serialized({ ...request, body: Buffer.alloc(0) }));
  const first = await connection.nextLine();
  if (first.includes(' 100 ')) connection.write(request.body);
  return [first, (await connection.read()).body];
}

const continued = 'HTTP/1.1 100 Continue';

describe('Expect: 100-continue', () => {
  it('is answered by Node at once without continueAfterVerification, and the request is verified as usual [G4]', async () => {
    await using server = await serve(() => {});
    const connection = await Connection.open(server.url);
    expect(await patiently(connection, post())).toEqual([continued, `${agentId}: the body`]);
    const [first, body] = await patiently(connection, plain('/'));
    expect([first, JSON.parse(body)]).toEqual([continued, expect.objectContaining({ code: 'signature_required' })]);
    connection.destroy();
  });

  it.each([false, true])('is answered after the signature has verified (streamed: %s) [G4]', async (streamed) => {
    await using server = await serve(continueAfterVerification, { streamBody: () => streamed });
    const connection = await Connection.open(server.url);
    for (let round = 0; round < 2; round++) {
      expect(await patiently(connection, post())).toEqual([continued, `${agentId}: the body`]);
    }
    connection.destroy();
  });

  it('is not answered for a refused request, whose connection is closed [G4]', async () => {
    await using server = await serve();
    const connection = await Connection.open(server.url);
    connection.write(serialized({ ...plain('/'), body: Buffer.alloc(0) }));
    const { status, text } = await connection.read();
    expect(status).toBe(401);
    expect(text.toLowerCase()).toContain('connection: close');
    expect(text).not.toContain('100 Continue');
    await connection.closed();
    expect(await connection.nextLine()).toBe('');
  });

  it('is optional: the body of a client that does not wait is drained, and the client gets its refusal', async () => {
    await using server = await serve();
    const connection = await Connection.open(server.url);
    connection.write(serialized(plain('/')));
    expect((await connection.read()).status).toBe(401);
    connection.destroy();
  });

  it('is answered outside the guard when the handler reads the body', async () => {
    await using server = await serve();
    const connection = await Connection.open(server.url);
    expect(await patiently(connection, plain('/open'))).toEqual([continued, 'undefined: the body']);
    expect(await patiently(connection, plain('/open/unread'))).toEqual(['HTTP/1.1 200 OK', 'unread']);
    connection.destroy();
  });

  it('is answered for an unmarked request in mixed traffic when the handler reads the body', async () => {
    await using server = await serve(continueAfterVerification, {}, { traffic: 'mixed' });
    const connection = await Connection.open(server.url);
    expect(await patiently(connection, plain('/'))).toEqual([continued, 'undefined: the body']);
    connection.destroy();
  });

  it('is set up once for each server [G5]', () => {
    const server = createServer();
    continueAfterVerification(server);
    expect(() => continueAfterVerification(server)).toThrow(ConfigError);
  });
});
