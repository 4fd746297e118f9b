import { ConfigError, type Guard, refusal, RefusalError } from '@countersign/core';
import { EventEmitter, once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { agentId, guarded, host, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { sendHttp2, serveHttp2 } from '../../../test/support/http2.js';
import { serialized, tampered } from '../../../test/support/signed-request.js';
import { type AgentAuthOptions, agentAuth, getCaller, type Step } from '../src/index.js';
import { codeOf } from './support.js';

type Handler = (request: IncomingMessage, response: ServerResponse) => unknown;

const json = { method: 'POST', body: '{"a":[1]}' };

// Two ways to write the same.
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

describe.each(styles)('agentAuth, %s', (_name, style) => {
  it('answers with the refusal, byte for byte what the guard renders, and runs nothing behind it', async () => {
    const behind = vi.fn();
    await using server = await api(style, behind);
    const response = await send(server.url, unsigned());
    const rendered = server.guard.respond(refusal('signature_required'));
    expect(response).toMatchObject({ status: 401, body: rendered.body, headers: rendered.headers });
    expect(behind).not.toHaveBeenCalled();
    expect(server.audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
  });

  it('lets a verified request through, and says who calls', async () => {
    await using server = await api(style, sayWho);
    expect(await send(server.url, signed())).toMatchObject({ status: 200, body: agentId });
    expect(await outcomeOf(server)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('HEAD and unknown methods are checked alike [D7]', async () => {
    const behind = vi.fn(sayWho);
    await using server = await api(style, behind);
    expect(await send(server.url, unsigned({ method: 'HEAD' }))).toMatchObject({ status: 401, body: '' });
    expect(codeOf(await send(server.url, unsigned({ method: 'PROPFIND' })))).toBe('signature_required');
    expect(behind).not.toHaveBeenCalled();
    expect((await send(server.url, signed({ method: 'HEAD' }))).status).toBe(200);
  });

  it('a handler reads the signed body, and not a byte of another [A4]', async () => {
    const behind = vi.fn(echo);
    await using server = await api(style, behind);
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    expect(codeOf(await send(server.url, forged))).toBe('digest_mismatch');
    expect(behind).not.toHaveBeenCalled();
    expect((await send(server.url, signed(json))).body).toBe('{"a":[1]}');
  });

  it('a connection is good for another request after a refused body', async () => {
    await using server = await api(style, echo);
    const connection = await Connection.open(server.url);
    connection.write(serialized(tampered(signed(json), { body: Buffer.from('{"a":[2]}') })));
    expect((await connection.read()).status).toBe(401);
    connection.write(serialized(signed(json)));
    expect((await connection.read()).status).toBe(200);
    connection.destroy();
  });

  it('a body that is too large is answered before it has come [G4]', async () => {
    await using server = await api(style, echo, guarded({ maxBodyBytes: 10 }));
    const connection = await Connection.open(server.url);
    connection.write(serialized(signed({ method: 'POST', body: 'x'.repeat(3_000_000) })));
    expect(codeOf(await connection.read())).toBe('body_too_large');
    connection.destroy();
  });

  it('HTTP/2: verified and refused as over HTTP/1', async () => {
    const { guard } = await guarded();
    const listener = style(agentAuth(guard), echo);
    // By their use the classes of HTTP/2 are those of HTTP/1.
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

  it('mixed traffic: a request without our marks goes on without a caller, one with a broken mark does not', async () => {
    await using server = await api(style, sayWho, guarded({ traffic: 'mixed' }));
    expect((await send(server.url, unsigned())).body).toBe('nobody');
    expect((await send(server.url, signed())).body).toBe(agentId);
    const broken = tampered(signed(), { fields: { Signature: 'sig=:AAAA:' } });
    expect(codeOf(await send(server.url, broken))).toBe('signature_invalid');
  });

  it('a client that goes away [F5]', async () => {
    const arrived = new EventEmitter();
    const arrival = once(arrived, 'request');
    await using server = await api(style, () => arrived.emit('request'));
    const connection = await Connection.open(server.url);
    connection.write(serialized(signed()));
    await arrival;
    connection.destroy();
    expect(await outcomeOf(server)).toEqual({ result: 'aborted', undecided: true });
  });

  it('what stands on the request says nothing about who calls [G1]', async () => {
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

/** Serves with one step in front, and answers 500 for what it rejects with. */
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
  ])('a handler that %s: the step rejects with its error, and the log says so [F5]', async (_title, handler) => {
    const errors: unknown[] = [];
    const parts = await guarded();
    await using server = await stepping(agentAuth(parts.guard), handler, errors);
    expect((await send(server.url, signed())).body).toBe('mine');
    expect(errors).toMatchObject([{ message: 'secret' }]);
    expect(await outcomeOf(parts)).toEqual({ result: 'threw', status: 500, undecided: true });
  });

  it("onRefusal: 'throw' rejects, and never calls next: a bare handler would not look at an error", async () => {
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
  it('is that of the request line where connect and its kin cut the URL [A13, G3]', async () => {
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

  it('X-Forwarded-* has no say [A13]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    await using server = await serve((request, response) => void auth(request, response, () => response.end('x')));
    const evil = signed({ host: 'evil.example', fields: [['X-Forwarded-Host', host]] });
    expect(codeOf(await send(server.url, evil))).toBe('origin_mismatch');
  });

  it('everyRequest asks policy once about each request [D8]', async () => {
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
  it.each<unknown>([undefined, null, {}])('%o is no guard [G5]', (guard) => {
    expect(() => agentAuth(guard as Guard)).toThrow(ConfigError);
  });

  it('options are checked at once [G5]', async () => {
    const { guard } = await guarded();
    expect(() => agentAuth(guard, { onRefusals: 'throw' } as object)).toThrow("Did you mean 'onRefusal'");
  });

  it('something before it that read the body: refused as our own fault [G2]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    await using server = await serve(async (request, response) => {
      for await (const _chunk of request);
      await auth(request, response, () => response.end('x'));
    });
    expect(codeOf(await send(server.url, signed(json)))).toBe('body_consumed');
  });
});
