import { constants } from 'node:http2';
import type { AuditRecord, Caller } from '@countersign/core';
import { expect, it, vi } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import type { Connection } from '../support/connection.js';
import { deferred } from '../support/deferred.js';
import { readHttp2 } from '../support/http2.js';
import { patiently } from '../support/patiently.js';
import { serialized } from '../support/signed-request.js';
import { runner } from '../support/world.js';

const noRequest = Buffer.from('GET nowhere\r\n\r\n');
const aborted = { result: 'aborted' };
const invoices = (api: Api) => api.signed({ target: '/invoices' });

function outcomesOf(api: Api): readonly AuditRecord[] {
  return api.records.filter(({ phase }) => phase === 'outcome');
}

/** Exactly these outcomes, each of a different request. */
async function expectOutcomes(api: Api, wanted: readonly object[]): Promise<void> {
  await vi.waitFor(() => expect(outcomesOf(api).map(({ outcome }) => outcome)).toEqual(wanted), patiently);
  expect(new Set(outcomesOf(api).map(({ request }) => request?.id)).size).toBe(wanted.length);
}

/** Sends `count` pipelined requests on one connection and waits until all handlers run. */
async function piped(slow: Api, count: number): Promise<Connection> {
  const connection = await slow.connect();
  connection.write(Buffer.concat(Array.from({ length: count }, () => serialized(invoices(slow)))));
  await vi.waitFor(() => expect(slow.running.handled).toHaveLength(count), patiently);
  return connection;
}

onEveryHost('Pipelined requests', (api) => {
  it.each([2, 20])('have %i outcomes when the client disconnects [F5]', async (count) => {
    const held = deferred();
    const slow = await api.variant({ start: { onHandled: () => held.promise } });
    (await piped(slow, count)).destroy();
    const all = Array.from({ length: count }, () => aborted);
    await expectOutcomes(slow, all);
    held.resolve();
    await slow.stop();
    await expectOutcomes(slow, all);
  });

  it('record aborted for an answer that was never sent [F5]', async () => {
    const held = deferred();
    const slow = await api.variant({
      start: { onHandled: (name) => (name === 'invoice.read' ? held.promise : undefined) },
    });
    const connection = await slow.connect();
    connection.write(Buffer.concat([invoices(slow), slow.signed(), slow.signed()].map(serialized)));
    await vi.waitFor(() => expect(slow.running.handled).toHaveLength(3), patiently);
    // After another complete exchange, the handlers of the second and third have answered.
    expect((await slow.send(Buffer.from(`GET ${slow.at('/public')} HTTP/1.1\r\nHost: x\r\n\r\n`))).status).toBe(200);
    connection.destroy();
    await expectOutcomes(slow, [aborted, aborted, aborted]);
    held.resolve();
    await slow.stop();
    await expectOutcomes(slow, [aborted, aborted, aborted]);
  });

  it('have an outcome each when invalid bytes follow later [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    const connection = await piped(slow, 2);
    connection.write(noRequest);
    await connection.closed();
    await expectOutcomes(slow, [aborted, aborted]);
  });

  it('did not run or have an outcome when invalid bytes follow immediately [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    const connection = await slow.connect();
    connection.write(Buffer.concat([serialized(invoices(slow)), serialized(invoices(slow)), noRequest]));
    await connection.closed();
    const ends = () => slow.records.filter(({ phase, decision }) => phase === 'outcome' || decision === 'deny');
    await vi.waitFor(() => expect(ends()).toHaveLength(2), patiently);
    expect(outcomesOf(slow)).toHaveLength(slow.running.handled.length);
  });

  it('have an outcome each when the server stops [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    await piped(slow, 3);
    await slow.stop();
    await expectOutcomes(slow, [aborted, aborted, aborted]);
  });

  it('have an outcome each when the server times out [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    await piped(slow, 3);
    slow.running.giveUpAfter(20);
    const timedOut = { result: 'timed_out' };
    await expectOutcomes(slow, [timedOut, timedOut, timedOut]);
  });
});

onEveryHost('An application that continues after a refusal', (api) => {
  const billing = { type: 'Dataset', id: 'billing' };

  it.each<[string, (slow: Api, caller: Caller) => Promise<{ readonly ok: boolean }>, boolean]>([
    [
      'a decision',
      ({ running }, caller) => running.guard.authorize(caller, { action: 'invoice.read', resource: billing }),
      false,
    ],
    [
      'a list',
      ({ running }, caller) => running.guard.filter(caller, 'invoice.read', [billing], { requires: 'x:y' }),
      false,
    ],
    ['all of a list', ({ running }, caller) => running.guard.filter(caller, 'invoice.read', [billing]), true],
  ])('%s that its handler asked for: one outcome [F5]', async (_title, ask, ok) => {
    const asking = await api.variant({
      start: {
        onHandled: async (_name, caller) => {
          if (caller === undefined) throw new Error('nobody was let in');
          expect((await ask(asking, caller)).ok).toBe(ok);
        },
      },
    });
    const { records } = await asking.accepts(asking.signed({ key: runner }), 200);
    expect(records).toMatchObject([
      { phase: 'decision', decision: 'deny' },
      { phase: 'outcome', outcome: { result: 'finished', status: 200 } },
    ]);
  });

  it('has one outcome when the permit of the route throws its refusal [F5]', async () => {
    const throwing = await api.variant({ start: { admission: { onRefusal: 'throw' } } });
    const { records } = await throwing.answers(throwing.signed({ key: runner, target: '/invoices' }), 403);
    expect(records).toMatchObject([
      { phase: 'decision', decision: 'deny', code: 'policy_denied' },
      { phase: 'outcome', outcome: { result: 'finished', status: 403 } },
    ]);
  });
});

onEveryHost('Requests of other kinds', (api) => {
  it('have an outcome when the framework answers OPTIONS [F5]', async () => {
    const { records } = await api.answers(api.signed({ method: 'OPTIONS', target: '/invoices' }));
    expect(records).toHaveLength(1);
  });

  it('have an outcome when the method is HEAD [F5]', async () => {
    await api.accepts(api.signed({ method: 'HEAD', target: '/invoices' }), 200);
  });

  it('have an outcome when the server ignores an upgrade [F5]', async () => {
    const fields: (readonly [string, string])[] = [
      ['Connection', 'upgrade'],
      ['Upgrade', 'websocket'],
    ];
    await api.accepts(api.signed({ target: '/invoices', fields }), 200);
  });

  it('record both problems when the client disconnects during a streamed body [F5]', async () => {
    const streaming = await api.variant({ start: { admission: { streamBody: () => true } } });
    const request = serialized(streaming.signed({ method: 'PUT', target: '/upload', body: Buffer.alloc(100_000) }));
    const connection = await streaming.connect();
    connection.write(request.subarray(0, 5000));
    await vi.waitFor(() => expect(streaming.running.handled).toHaveLength(1), patiently);
    connection.destroy();
    await expectOutcomes(streaming, [{ result: 'aborted', code: 'body_incomplete' }]);
  });
});

onEveryHost(
  'Streams beside each other that end in different ways',
  (api) => {
    it('have an outcome each when one is cancelled and the other answered [F5]', async () => {
      const held = deferred();
      const slow = await api.variant({ start: { http2: true, onHandled: () => held.promise } });
      const connection = await slow.connectHttp2();
      const [first, second] = [1, 2].map(() => connection.begin(invoices(slow), { ended: true }));
      await vi.waitFor(() => expect(slow.running.handled).toHaveLength(2), patiently);
      first?.close(constants.NGHTTP2_CANCEL);
      await expectOutcomes(slow, [aborted]);
      held.resolve();
      expect(second && (await readHttp2(second)).status).toBe(200);
      await expectOutcomes(slow, [aborted, { result: 'finished', status: 200 }]);
      connection.destroy();
    });

    it('are answered when the client half-closes the connection [F5]', async () => {
      const held = deferred();
      const slow = await api.variant({ start: { http2: true, onHandled: () => held.promise } });
      const connection = await slow.connectHttp2();
      const stream = connection.begin(invoices(slow), { ended: true });
      await vi.waitFor(() => expect(slow.running.handled).toHaveLength(1), patiently);
      stream.session?.goaway();
      held.resolve();
      expect((await readHttp2(stream)).status).toBe(200);
      await expectOutcomes(slow, [{ result: 'finished', status: 200 }]);
      connection.destroy();
    });

    it('have an outcome each when the connection is lost [F5]', async () => {
      const slow = await api.variant({ start: { http2: true, onHandled: () => new Promise(() => {}) } });
      const connection = await slow.connectHttp2();
      for (let count = 0; count < 20; count++) connection.begin(invoices(slow), { ended: true });
      await vi.waitFor(() => expect(slow.running.handled).toHaveLength(20), patiently);
      connection.destroy();
      await expectOutcomes(
        slow,
        Array.from({ length: 20 }, () => aborted),
      );
      await slow.stop();
    });
  },
  { start: { http2: true } },
);
