import { ConfigError, type Guard, refusal, RefusalError } from '@countersign/core';
import { EventEmitter, once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { agentId, guarded, host, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { sendHttp2, serveHttp2 } from '../../../test/support/http2.js';
import { serialized, tampered } from '../../../test/support/signed-request.js';
import { type AgentAuthOptions, agentAuth, getCaller, permit, type Step } from '../src/index.js';
import { codeOf } from './support.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

const json = { method: 'POST', body: '{"a":[1]}' };

// Two equivalent notations.
const styles: readonly (readonly [name: string, guardedBy: (auth: Step, handler: Handler) => RequestListener])[] = [
  [
    'awaited',
    (auth, handler) => async (request, response) => {
      if (!(await auth(request, response))) return;
      await handler(request, response);
    },
  ],
  [
    'with next',
    (auth, handler) => (request, response) => void auth(request, response, () => handler(request, response)),
  ],
];

async function api(style: (auth: Step, handler: Handler) => RequestListener, handler: Handler, parts = guarded()) {
  const { guard, audit, queries } = await parts;
  const served = await serve(style(agentAuth(guard), handler));
  return { ...served, audit, queries, guard, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
}

function sayWho(request: IncomingMessage, response: ServerResponse): void {
  response.end(getCaller(request)?.actor.id ?? 'nobody');
}

async function echo(request: IncomingMessage, response: ServerResponse): Promise<void> {
  for await (const chunk of request) response.write(chunk);
  response.end();
}

it('serves a request without a body when Node ends and destroys such requests at once', async () => {
  const { guard } = await guarded();
  const auth = agentAuth(guard);
  // Without effect before Node 24.
  const options: object = { optimizeEmptyRequests: true };
  const server = createServer(options, async (request, response) => {
    if (await auth(request, response)) sayWho(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [read, written] = [await send(url, signed()), await send(url, signed(json))];
  server.close();
  expect([read, written]).toMatchObject([
    { status: 200, body: agentId },
    { status: 200, body: agentId },
  ]);
});

describe.each(styles)('agentAuth, %s', (_name, style) => {
  it('answers with the exact bytes of the refusal and runs no later handler', async () => {
    const behind = vi.fn();
    await using server = await api(style, behind);
    const response = await send(server.url, unsigned());
    const rendered = server.guard.respond(refusal('signature_required'));
    expect(response).toMatchObject({ status: 401, body: rendered.body, headers: rendered.headers });
    expect(behind).not.toHaveBeenCalled();
    expect(server.audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
  });

  it('passes a verified request on with its caller', async () => {
    await using server = await api(style, sayWho);
    expect(await send(server.url, signed())).toMatchObject({ status: 200, body: agentId });
    expect(await outcomeOf(server)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('checks HEAD and unknown methods like GET [D7]', async () => {
    const behind = vi.fn(sayWho);
    await using server = await api(style, behind);
    expect(await send(server.url, unsigned({ method: 'HEAD' }))).toMatchObject({ status: 401, body: '' });
    expect(codeOf(await send(server.url, unsigned({ method: 'PROPFIND' })))).toBe('signature_required');
    expect(behind).not.toHaveBeenCalled();
    expect((await send(server.url, signed({ method: 'HEAD' }))).status).toBe(200);
  });

  it('passes a body to the handler only when it is the signed one [A4]', async () => {
    const behind = vi.fn(echo);
    await using server = await api(style, behind);
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    expect(codeOf(await send(server.url, forged))).toBe('digest_mismatch');
    expect(behind).not.toHaveBeenCalled();
    expect((await send(server.url, signed(json))).body).toBe('{"a":[1]}');
  });

  it('leaves the connection reusable when a body is refused', async () => {
    await using server = await api(style, echo);
    const connection = await Connection.open(server.url);
    connection.write(serialized(tampered(signed(json), { body: Buffer.from('{"a":[2]}') })));
    expect((await connection.read()).status).toBe(401);
    connection.write(serialized(signed(json)));
    expect((await connection.read()).status).toBe(200);
    connection.destroy();
  });

  it('refuses a body before it arrives when it is too large [G4]', async () => {
    await using server = await api(style, echo, guarded({ maxBodyBytes: 10 }));
    const connection = await Connection.open(server.url);
    connection.write(serialized(signed({ method: 'POST', body: 'x'.repeat(3_000_000) })));
    expect(codeOf(await connection.read())).toBe('body_too_large');
    connection.destroy();
  });

  it('verifies and refuses over HTTP/2 as over HTTP/1', async () => {
    const { guard } = await guarded();
    const listener = style(agentAuth(guard), echo);
    // The classes of HTTP/2 are compatible with those of HTTP/1 here.
    await using served = await serveHttp2((request, response) => listener(request as never, response as never));
    expect((await sendHttp2(served.url, signed(json))).body).toBe('{"a":[1]}');
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    for (const [refused, code] of [
      [unsigned(), 'signature_required'],
      [forged, 'digest_mismatch'],
    ] as const) {
      expect(JSON.parse((await sendHttp2(served.url, refused)).body)).toMatchObject({ status: 401, code });
    }
  });

  it('passes an unmarked request on without a caller in mixed traffic, and refuses a broken mark', async () => {
    await using server = await api(style, sayWho, guarded({ traffic: 'mixed' }));
    expect((await send(server.url, unsigned())).body).toBe('nobody');
    expect((await send(server.url, signed())).body).toBe(agentId);
    const broken = tampered(signed(), { fields: { Signature: 'sig=:AAAA:' } });
    expect(codeOf(await send(server.url, broken))).toBe('signature_invalid');
  });

  it('records aborted when the client disconnects [F5]', async () => {
    const arrived = new EventEmitter();
    const arrival = once(arrived, 'request');
    await using server = await api(style, () => arrived.emit('request'));
    const connection = await Connection.open(server.url);
    connection.write(serialized(signed()));
    await arrival;
    connection.destroy();
    expect(await outcomeOf(server)).toEqual({ result: 'aborted', undecided: true });
  });

  it('ignores a caller property on the request [G1]', async () => {
    const { guard } = await guarded();
    const behind = style(agentAuth(guard), sayWho);
    await using server = await serve((request, response) => {
      Object.assign(request, { caller: { actor: { id: 'admin' } } });
      expect(getCaller(request)).toBeUndefined();
      behind(request, response);
    });
    expect((await send(server.url, signed())).body).toBe(agentId);
  });
});

/** Serves with a step before the handler, and answers 500 when that step rejects. */
async function stepping(step: Step, handler: Handler, errors: unknown[]) {
  return await serve((request, response) => {
    step(request, response, () => handler(request, response)).catch((error: unknown) => {
      errors.push(error);
      response.writeHead(500).end('mine');
    });
  });
}

describe('errors', () => {
  const behind = vi.fn();

  it.each<[string, Handler]>([
    [
      'throws',
      () => {
        throw new Error('secret');
      },
    ],
    ['rejects', () => Promise.reject(new Error('secret'))],
  ])('reject with the error of a handler that %s, which is recorded [F5]', async (_title, handler) => {
    const errors: unknown[] = [];
    const parts = await guarded();
    await using server = await stepping(agentAuth(parts.guard), handler, errors);
    expect((await send(server.url, signed())).body).toBe('mine');
    expect(errors).toMatchObject([{ message: 'secret' }]);
    expect(await outcomeOf(parts)).toEqual({ result: 'threw', status: 500, undecided: true });
  });

  it("reject with onRefusal: 'throw' and never reach next, because a bare handler would ignore them", async () => {
    behind.mockClear();
    const errors: unknown[] = [];
    const { guard } = await guarded();
    await using server = await stepping(agentAuth(guard, { onRefusal: 'throw' }), behind, errors);
    expect((await send(server.url, unsigned())).body).toBe('mine');
    expect(errors).toEqual([expect.any(RefusalError)]);
    expect(behind).not.toHaveBeenCalled();
  });
});

describe('the target', () => {
  it('is that of the request line when connect shortens the URL [A13, G3]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    await using server = await serve((request, response) => {
      Object.assign(request, { originalUrl: request.url, url: request.url?.replace('/api', '') });
      void auth(request, response, () => response.end(request.url));
    });
    expect((await send(server.url, signed({ target: '/api/things?x=y' }))).body).toBe('/things?x=y');
    const moved = tampered(signed({ target: '/things' }), { target: '/api/things' });
    expect(codeOf(await send(server.url, moved))).toBe('signature_invalid');
  });

  it('does not depend on X-Forwarded-* [A13]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    await using server = await serve((request, response) => void auth(request, response, () => response.end('x')));
    const evil = signed({ host: 'evil.example', fields: [['X-Forwarded-Host', host]] });
    expect(codeOf(await send(server.url, evil))).toBe('origin_mismatch');
  });

  it('agentAuth asks policy once about each request with everyRequest [D8]', async () => {
    const { guard, queries } = await guarded();
    const options: AgentAuthOptions = { everyRequest: true };
    const behind = vi.fn((_request: IncomingMessage, response: ServerResponse) => response.end('x'));
    await using server = await stepping(agentAuth(guard, options), behind, []);
    expect((await send(server.url, signed({ target: '/repos/acme?x=1' }))).body).toBe('x');
    expect(codeOf(await send(server.url, signed({ target: '/forbidden' })))).toBe('policy_denied');
    expect(behind).toHaveBeenCalledTimes(1);
    expect(queries).toMatchObject([
      { action: 'http.get', resource: { type: 'Path', id: '/repos/acme' } },
      { action: 'http.get', resource: { type: 'Path', id: '/forbidden' } },
    ]);
  });
});

describe('agentAuth, misused', () => {
  it.each<unknown>([undefined, null, {}])('throws when the guard is %o [G5]', (guard) => {
    expect(() => agentAuth(guard as Guard)).toThrow(ConfigError);
  });

  it('checks its options immediately [G5]', async () => {
    const { guard } = await guarded();
    expect(() => agentAuth(guard, { onRefusals: 'throw' } as object)).toThrow("Did you mean 'onRefusal'");
  });

  it('refuses with a fault of the server when an earlier step read the body [G2]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    await using server = await serve(async (request, response) => {
      for await (const _chunk of request);
      await auth(request, response, () => response.end('x'));
    });
    expect(codeOf(await send(server.url, signed(json)))).toBe('body_consumed');
  });
});

describe('without its await', () => {
  it.each(['agentAuth', 'permit'] as const)('%s throws before anything is answered [A17]', async (name) => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    const mayRead = permit('forbidden', { type: 'X', id: '1' });
    const thrown: unknown[] = [];
    await using served = await serve(async (request, response) => {
      if (name === 'permit' && !(await auth(request, response))) return;
      const step = name === 'permit' ? mayRead : auth;
      try {
        // A promise, which counts as true.
        if (step(request, response) === undefined) return;
        response.end('SECRET');
      } catch (error) {
        thrown.push(error);
      }
    });
    const { status, body } = await send(served.url, name === 'permit' ? signed() : unsigned());
    expect([status, body.includes('SECRET')]).toEqual([name === 'permit' ? 403 : 401, false]);
    expect(thrown).toMatchObject([{ name: 'ConfigError', message: expect.stringContaining(`await ${name}(`) }]);
  });
});
