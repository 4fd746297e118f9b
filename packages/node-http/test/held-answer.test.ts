import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setImmediate } from 'node:timers/promises';
import { type AuditEvent, type Guard, type MemoryAudit, memoryAudit } from '@countersign/core';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { guarded, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { sendHttp2, serveHttp2 } from '../../../test/support/http2.js';
import { patiently } from '../../../test/support/patiently.js';
import { agentAuth, permit } from '../src/index.js';
import { codeOf } from './support.js';

const rejections = vi.fn();
beforeEach(() => void process.on('unhandledRejection', rejections).on('uncaughtException', rejections));
afterEach(() => {
  process.off('unhandledRejection', rejections).off('uncaughtException', rejections);
  expect(rejections).not.toHaveBeenCalled();
  rejections.mockClear();
});

type Late = (response: ServerResponse) => unknown;

/** Handlers that forget an await: `late` answers in a later turn than the step begins in, and before it has settled. */
const forgetful = {
  agentAuth: (guard: Guard, late: Late): RequestListener => {
    const auth = agentAuth(guard);
    return async (request, response) => {
      void auth(request, response);
      await Promise.resolve();
      await late(response);
    };
  },
  permit: (guard: Guard, late: Late, action = 'forbidden'): RequestListener => {
    const auth = agentAuth(guard);
    const may = permit(action, { type: 'X', id: '1' });
    return async (request, response) => {
      if (!(await auth(request, response))) return;
      void may(request, response);
      await Promise.resolve();
      await late(response);
    };
  },
};

/** A log that takes each record two turns later. */
class SlowAudit {
  readonly #audit = memoryAudit();

  get records(): MemoryAudit['records'] {
    return this.#audit.records;
  }

  async write(event: AuditEvent): Promise<void> {
    await setImmediate();
    await setImmediate();
    await this.#audit.write(event);
  }
}

const withTrailers: Late = (response) => {
  response.addTrailers({ 'x-sum': 'of the handler' });
  response.end('done');
};

const refusedBy = [
  ['agentAuth', () => unsigned(), 401],
  ['permit', () => signed(), 403],
] as const;

describe.each(refusedBy)('An answer beside %s without its await', (name, request, status) => {
  it('is dropped with its status and fields when the request is refused [A17]', async () => {
    const { guard } = await guarded({ audit: new SlowAudit() });
    const listener = forgetful[name](guard, (response) => {
      response.statusMessage = 'SECRET';
      response.setHeader('x-secret', 'SECRET');
      response.writeHead(200, { 'x-more': 'SECRET' });
      response.write('SECRET');
      response.end('SECRET');
    });
    await using served = await serve(listener);
    const answer = await send(served.url, request());
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer)).not.toContain('SECRET');
  });

  it('is dropped over HTTP/2 too when the request is refused [A17]', async () => {
    const { guard } = await guarded({ audit: new SlowAudit() });
    const listener = forgetful[name](guard, (response) => {
      response.setHeader('x-secret', 'SECRET');
      response.addTrailers({ 'x-sum': 'SECRET' });
      response.write('SECRET');
      response.end('SECRET');
    });
    await using served = await serveHttp2((one, other) => listener(one as never, other as never));
    const answer = await sendHttp2(served.url, request());
    expect(answer.status).toBe(status);
    expect(JSON.stringify(answer)).not.toContain('SECRET');
  });

  it('has its trailers over HTTP/2 when the request is permitted', async () => {
    const { guard } = await guarded({ audit: new SlowAudit() });
    const listener =
      name === 'permit'
        ? forgetful.permit(guard, withTrailers, 'thing.read')
        : forgetful.agentAuth(guard, withTrailers);
    await using served = await serveHttp2((one, other) => listener(one as never, other as never));
    const { body, headers } = await sendHttp2(served.url, signed());
    expect([body, headers['x-sum']]).toEqual(['done', 'of the handler']);
  });

  it.each(['before', 'after'])('pushes nothing over HTTP/2 %s the request is refused [A17]', async (when) => {
    const { guard } = await guarded({ audit: new SlowAudit() });
    const pushed = vi.fn();
    const listener = forgetful[name](guard, async (response) => {
      if (when === 'after') while (!response.writableEnded) await setImmediate();
      (response as unknown as Http2ServerResponse).createPushResponse({ ':path': '/pushed' }, pushed);
    });
    await using served = await serveHttp2((one, other) => listener(one as never, other as never));
    expect((await sendHttp2(served.url, request())).status).toBe(status);
    if (when === 'after') expect(pushed.mock.calls).toEqual([[expect.any(Error)]]);
    else expect(pushed).not.toHaveBeenCalled();
  });

  it('is dropped without an error when it comes after the refusal [A17]', async () => {
    const { guard } = await guarded();
    let ended = false;
    const listener = forgetful[name](guard, async (response) => {
      while (!response.writableFinished) await setImmediate();
      response.setHeader('x-secret', 'SECRET');
      response.appendHeader('x-secret', 'SECRET');
      response.writeHead(200);
      await pipeline(Readable.from(Array.from({ length: 100 }, () => 'SECRET'.repeat(1000))), response, { end: false });
      await new Promise<void>((resolve) => void response.end('SECRET', resolve));
      ended = true;
    });
    await using served = await serve(listener);
    const answer = await send(served.url, request());
    expect([answer.status, answer.body.includes('SECRET')]).toEqual([status, false]);
    await vi.waitFor(() => expect(ended).toBe(true), patiently);
  });

  it('is dropped when middleware passes it on after the refusal has begun [A17]', async () => {
    const { guard } = await guarded({ audit: new SlowAudit() });
    const listener = forgetful[name](guard, (response) => {
      // Like a session, which is saved first.
      const end = response.end.bind(response) as (...args: unknown[]) => unknown;
      async function endLater(args: readonly unknown[]): Promise<void> {
        do await setImmediate();
        while (!response.headersSent);
        end(...args);
      }
      Object.assign(response, { end: (...args: unknown[]) => void endLater(args) });
      response.end('SECRET');
    });
    await using served = await serve(listener);
    const answer = await send(served.url, request());
    expect([answer.status, answer.body.includes('SECRET')]).toEqual([status, false]);
    expect(JSON.parse(answer.body)).toMatchObject({ status });
  });

  it('is reported when it was held back', async () => {
    const onTrouble = vi.fn();
    const { guard } = await guarded({ onTrouble });
    await using served = await serve(forgetful[name](guard, (response) => response.end('early')));
    await send(served.url, request());
    await vi.waitFor(
      () =>
        expect(onTrouble.mock.calls).toEqual([[expect.stringContaining('await of agentAuth or permit is missing')]]),
      patiently,
    );
  });

  it('keeps the fields that were set before the step when the request is refused', async () => {
    const { guard } = await guarded();
    const listener = forgetful[name](guard, (response) => {
      response.setHeader('Vary', 'changed');
      response.end();
    });
    await using served = await serve((one, other) => {
      other.setHeader('Vary', 'Origin');
      other.setHeader('Set-Cookie', ['a=1']);
      listener(one, other);
    });
    const { headers } = await send(served.url, request());
    expect(headers).toMatchObject({ vary: 'Origin', 'set-cookie': 'a=1' });
  });
});

describe('An answer beside permit without its await, when the request is allowed', () => {
  it('is sent after the decision has been recorded [A17]', async () => {
    const audit = new SlowAudit();
    const parts = await guarded({ audit });
    const decided: unknown[] = [];
    const listener = forgetful.permit(
      parts.guard,
      (response) => {
        decided.push(audit.records.length);
        response.writeHead(201, { 'x-mine': 'yes' }).write('one ');
        response.end('two', () => decided.push(audit.records.length));
      },
      'read',
    );
    await using served = await serve(listener);
    expect(await send(served.url, signed())).toMatchObject({
      status: 201,
      body: 'one two',
      headers: { 'x-mine': 'yes' },
    });
    expect(decided).toEqual([0, 1]);
    expect(await outcomeOf({ ...parts, audit: audit as unknown as MemoryAudit })).toEqual({
      result: 'finished',
      status: 201,
    });
  });

  it('is sent whole when it is piped', async () => {
    const { guard } = await guarded();
    const text = 'x'.repeat(100_000);
    const listener = forgetful.permit(
      guard,
      (response) => pipeline(Readable.from([text, text, text]), response),
      'read',
    );
    await using served = await serve(listener);
    expect((await send(served.url, signed())).body).toBe(text.repeat(3));
  });

  it('closes the connection when it cannot be sent', async () => {
    const parts = await guarded();
    const listener = forgetful.permit(parts.guard, (response) => response.writeHead(99), 'read');
    await using served = await serve(listener);
    await expect(send(served.url, signed())).rejects.toThrow();
    expect(await outcomeOf(parts)).toMatchObject({ result: 'aborted' });
  });
});

it("A held answer is dropped, and the application's own is sent, when refusals are thrown [A17]", async () => {
  const { guard } = await guarded();
  const auth = agentAuth(guard, { onRefusal: 'throw' });
  const answered = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const step = auth(request, response);
    await Promise.resolve();
    response.setHeader('x-secret', 'SECRET');
    response.end('SECRET');
    await step.catch(() => response.writeHead(500).end('mine'));
  };
  await using served = await serve((request, response) => void answered(request, response));
  const answer = await send(served.url, unsigned());
  expect(answer).toMatchObject({ status: 500, body: 'mine' });
  expect(JSON.stringify(answer)).not.toContain('SECRET');
});

it('An answer beside steps that are chained, but not awaited, is dropped when the last of them refuses [A17]', async () => {
  const { guard } = await guarded();
  const [auth, may] = [agentAuth(guard), permit('forbidden', { type: 'X', id: '1' })];
  await using served = await serve(async (request, response) => {
    void auth(request, response).then(async (passes) => passes && (await may(request, response)));
    await setImmediate();
    response.end('SECRET');
  });
  for (let round = 0; round < 20; round++) {
    const { status, body } = await send(served.url, signed());
    expect([status, body.includes('SECRET')]).toEqual([403, false]);
  }
});

it('A permit that refuses after the answer has begun cuts it', async () => {
  const parts = await guarded();
  const auth = agentAuth(parts.guard);
  const may = permit('forbidden', { type: 'X', id: '1' });
  await using served = await serve(async (request, response) => {
    if (!(await auth(request, response))) return;
    response.write('public');
    void may(request, response);
    await setImmediate();
    response.end('SECRET');
  });
  await expect(send(served.url, signed())).rejects.toThrow();
  expect(await outcomeOf(parts).catch(() => 'none')).not.toMatchObject({ result: 'finished' });
});

it('A body that was refused while it arrives gets its answer whole', async () => {
  const { guard } = await guarded({ maxBodyBytes: 10 });
  const auth = agentAuth(guard);
  await using served = await serve((request, response) => void auth(request, response));
  expect(codeOf(await send(served.url, signed({ method: 'POST', body: 'x'.repeat(3_000_000) })))).toBe(
    'body_too_large',
  );
});

describe.each(['HTTP/1', 'HTTP/2'])('An application that answers slow requests by itself, over %s', (version) => {
  it.each(['end', 'writeHead', 'write'])(
    'answers once, if it has begun by %s and asks before it answers again',
    async (by) => {
      const { guard } = await guarded();
      const auth = agentAuth(guard);
      const seen: unknown[] = [];
      const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
        const letIn = auth(request, response);
        await Promise.resolve();
        // Its time-out comes while the request is verified.
        response.statusCode = 503;
        if (by === 'writeHead') response.writeHead(503);
        if (by !== 'end') response.write('too ');
        response.end(by === 'end' ? 'too slow' : 'slow');
        if (!(await letIn)) return;
        seen.push(response.headersSent, response.writableEnded);
        if (!response.headersSent) response.end('not found');
        if (!response.writableEnded) response.end('not found');
        // Node drops it, too, once the first has gone out.
        response.end('again');
      };
      await using served = await (version === 'HTTP/1'
        ? serve(listener)
        : serveHttp2((one, other) => void listener(one as never, other as never)));
      const { status, body } = await (version === 'HTTP/1' ? send : sendHttp2)(served.url, signed());
      expect([status, body]).toEqual([503, 'too slow']);
      expect(seen).toEqual([true, true]);
    },
  );

  it('is told nothing of an answer that was dropped', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard, { onRefusal: 'throw' });
    const listener = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
      const letIn = auth(request, response);
      await Promise.resolve();
      response.writeHead(503).end('too slow');
      await letIn.catch((error: { readonly status: number }) => {
        if (!response.headersSent && !response.writableEnded) response.writeHead(error.status).end('refused');
      });
    };
    await using served = await (version === 'HTTP/1'
      ? serve(listener)
      : serveHttp2((one, other) => void listener(one as never, other as never)));
    expect(await (version === 'HTTP/1' ? send : sendHttp2)(served.url, unsigned())).toMatchObject({
      status: 401,
      body: 'refused',
    });
  });
});
