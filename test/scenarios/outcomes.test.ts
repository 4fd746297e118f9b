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

/** These and no others, each of a request of its own. */
async function expectOutcomes(api: Api, wanted: readonly object[]): Promise<void> {
  await vi.waitFor(() => expect(outcomesOf(api).map(({ outcome }) => outcome)).toEqual(wanted), patiently);
  expect(new Set(outcomesOf(api).map(({ request }) => request?.id)).size).toBe(wanted.length);
}

/** So many at once on one connection, once all their handlers run. */
async function piped(slow: Api, count: number): Promise<Connection> {
  const connection = await slow.connect();
  connection.write(Buffer.concat(Array.from({ length: count }, () => serialized(invoices(slow)))));
  await vi.waitFor(() => expect(slow.running.handled).toHaveLength(count), patiently);
  return connection;
}

onEveryHost('Pipelined requests', (api) => {
  it.each([2, 20])('%i of a client that goes away: each has its outcome [F5]', async (count) => {
    const held = deferred();
    const slow = await api.variant({ start: { onHandled: () => held.promise } });
    (await piped(slow, count)).destroy();
    const all = Array.from({ length: count }, () => aborted);
    await expectOutcomes(slow, all);
    held.resolve();
    await slow.stop();
    await expectOutcomes(slow, all);
  });

  it('an answer that never had its turn has not finished [F5]', async () => {
    const held = deferred();
    const slow = await api.variant({
      start: { onHandled: (name) => (name === 'invoice.read' ? held.promise : undefined) },
    });
    const connection = await slow.connect();
    connection.write(Buffer.concat([invoices(slow), slow.signed(), slow.signed()].map(serialized)));
    await vi.waitFor(() => expect(slow.running.handled).toHaveLength(3), patiently);
    // A whole other exchange goes by: the second and the third have answered, as far as their handlers know.
    expect((await slow.send(Buffer.from(`GET ${slow.at('/public')} HTTP/1.1\r\nHost: x\r\n\r\n`))).status).toBe(200);
    connection.destroy();
    await expectOutcomes(slow, [aborted, aborted, aborted]);
    held.resolve();
    await slow.stop();
    await expectOutcomes(slow, [aborted, aborted, aborted]);
  });

  it('and then what is no request: each has its outcome [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    const connection = await piped(slow, 2);
    connection.write(noRequest);
    await connection.closed();
    await expectOutcomes(slow, [aborted, aborted]);
  });

  it('and with them what is no request: nothing ran, or has its outcome [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    const connection = await slow.connect();
    connection.write(Buffer.concat([serialized(invoices(slow)), serialized(invoices(slow)), noRequest]));
    await connection.closed();
    const ends = () => slow.records.filter(({ phase, decision }) => phase === 'outcome' || decision === 'deny');
    await vi.waitFor(() => expect(ends()).toHaveLength(2), patiently);
    expect(outcomesOf(slow)).toHaveLength(slow.running.handled.length);
  });

  it('when the server stops: each has its outcome [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    await piped(slow, 3);
    await slow.stop();
    await expectOutcomes(slow, [aborted, aborted, aborted]);
  });

  it('when the server gives up: each has its outcome [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    await piped(slow, 3);
    slow.running.giveUpAfter(20);
    const timedOut = { result: 'timed_out' };
    await expectOutcomes(slow, [timedOut, timedOut, timedOut]);
  });
});

onEveryHost('An application that is refused, and goes on', (api) => {
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

  it('a permission of the route, with refusals thrown: one outcome [F5]', async () => {
    const throwing = await api.variant({ start: { admission: { onRefusal: 'throw' } } });
    const { records } = await throwing.answers(throwing.signed({ key: runner, target: '/invoices' }), 403);
    expect(records).toMatchObject([
      { phase: 'decision', decision: 'deny', code: 'policy_denied' },
      { phase: 'outcome', outcome: { result: 'finished', status: 403 } },
    ]);
  });
});

onEveryHost('Requests of other kinds', (api) => {
  it('OPTIONS that the framework answers [F5]', async () => {
    const { records } = await api.answers(api.signed({ method: 'OPTIONS', target: '/invoices' }));
    expect(records).toHaveLength(1);
  });

  it('HEAD [F5]', async () => {
    await api.accepts(api.signed({ method: 'HEAD', target: '/invoices' }), 200);
  });

  it('an upgrade that the server does not make [F5]', async () => {
    const fields: (readonly [string, string])[] = [
      ['Connection', 'upgrade'],
      ['Upgrade', 'websocket'],
    ];
    await api.accepts(api.signed({ target: '/invoices', fields }), 200);
  });

  it('a body that is streamed, whose client goes away: its outcome says both [F5]', async () => {
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
    it('one taken back, the other answered [F5]', async () => {
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

    it('a client that says it will send no more is answered [F5]', async () => {
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

    it('a connection that goes away: each has its outcome [F5]', async () => {
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
