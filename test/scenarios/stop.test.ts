import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { auditText } from '../support/audit-log.js';
import { deferred } from '../support/deferred.js';
import { sendHttp2 } from '../support/http2.js';
import { patiently } from '../support/patiently.js';
import { serialized } from '../support/signed-request.js';

/** An API whose handlers wait, and a request that is in one of them. */
async function busy(api: Api) {
  const held = deferred();
  const slow = await api.variant({
    start: { onHandled: (name) => (name === 'invoice.read' ? held.promise : undefined) },
  });
  const connection = await slow.connect();
  connection.write(serialized(slow.signed({ target: '/invoices' })));
  await vi.waitFor(() => expect(slow.running.handled).toHaveLength(1), patiently);
  return { slow, held, connection };
}

/** Whether the last checkpoint covers every record of what happened. */
function isSealed({ auditFolder }: Api): boolean {
  const lines = auditText(auditFolder).trimEnd().split('\n');
  const sizes = readFileSync(join(auditFolder, 'checkpoints.txt'), 'utf8').split('\n\n');
  const size = Number(sizes.findLast((note) => /^\S+\n\d+\n/.test(note))?.split('\n')[1]);
  const rest = lines.slice(size).map((line) => (JSON.parse(line) as { phase: string }).phase);
  return rest.every((phase) => phase === 'checkpoint');
}

const outcomesOf = ({ records }: Api) => records.flatMap(({ outcome }) => (outcome === undefined ? [] : [outcome]));

onEveryHost('The end of a guard', (api) => {
  it('refuses new requests without a record, waits for the others and seals their outcomes [F5]', async () => {
    const { slow, held, connection } = await busy(api);
    let isClosed = false;
    const closed = slow.running.guard.close().then(() => (isClosed = true));
    const refused = await slow.send(slow.signed());
    expect([refused.status, JSON.parse(refused.body)]).toMatchObject([503, { code: 'shutting_down' }]);
    expect(refused.headers).toMatchObject({ connection: 'close', 'retry-after': '1' });
    expect([isClosed, slow.records.length]).toEqual([false, 1]);
    held.resolve();
    expect((await connection.read()).status).toBe(200);
    await closed;
    expect(slow.records.map(({ phase }) => phase)).toEqual(['decision', 'outcome']);
    expect(isSealed(slow)).toBe(true);
    expect((await slow.send(slow.signed())).status).toBe(503);
    connection.destroy();
  });

  it('does not admit a request whose body was still on its way [F5]', async () => {
    const slow = await api.variant({});
    const connection = await slow.connect();
    const bytes = serialized(await slow.pull());
    connection.write(bytes.subarray(0, -3));
    // Another request passes, so this one has arrived.
    await slow.accepts(slow.signed(), 200);
    await slow.running.guard.close();
    connection.write(bytes.subarray(-3));
    const response = await connection.read();
    expect([response.status, JSON.parse(response.body)]).toMatchObject([503, { code: 'shutting_down' }]);
    expect(slow.running.handled).toEqual(['whoami']);
    expect(isSealed(slow)).toBe(true);
    connection.destroy();
  });

  it('cuts requests that take more than eight seconds, and records that [F5]', async () => {
    const { slow, connection } = await busy(api);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const closed = slow.running.guard.close();
    await vi.advanceTimersByTimeAsync(7_999);
    expect(outcomesOf(slow)).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await closed;
    await connection.closed();
    expect(outcomesOf(slow)).toEqual([{ result: 'aborted' }]);
    expect(isSealed(slow)).toBe(true);
  });

  it('is reached once, however often it is asked for', async () => {
    const slow = await api.variant({});
    await Promise.all([slow.running.guard.close(), slow.running.guard.close()]);
    await slow.running.guard.close();
  });
});

onEveryHost('The end of a guard that observes', (api) => {
  it('lets requests go on without a caller, because it refuses nothing', async () => {
    const observing = await api.variant({ config: { mode: 'observe' } });
    await observing.running.guard.close();
    const { status } = await observing.send(observing.signed());
    expect(status).not.toBe(503);
  });
});

onEveryHost('The end of a guard in mixed traffic', (api) => {
  it('leaves people to the application', async () => {
    const mixed = await api.variant({ start: { guard: { traffic: 'mixed' } } });
    await mixed.running.guard.close();
    const people = Buffer.from(`GET ${mixed.at('/invoices')} HTTP/1.1\r\nHost: ${mixed.authority}\r\n\r\n`);
    expect((await mixed.send(people)).status).toBe(200);
    expect((await mixed.send(mixed.signed())).status).toBe(503);
  });
});

onEveryHost(
  'The end of a guard over HTTP/2',
  (api) => {
    it('refuses new streams and cuts those that take too long [F5]', async () => {
      const slow = await api.variant({
        start: { http2: true, onHandled: (name) => (name === 'invoice.read' ? new Promise(() => {}) : undefined) },
      });
      const connection = await slow.connectHttp2();
      const cut = once(connection.begin(slow.signed({ target: '/invoices' }), { ended: true }), 'close');
      await vi.waitFor(() => expect(slow.running.handled).toHaveLength(1), patiently);
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      onTestFinished(() => void vi.useRealTimers());
      const closed = slow.running.guard.close();
      expect((await sendHttp2(slow.url, slow.signed())).status).toBe(503);
      await vi.advanceTimersByTimeAsync(8_000);
      await closed;
      await cut;
      expect(outcomesOf(slow)).toEqual([{ result: 'aborted' }]);
      connection.destroy();
    });
  },
  { start: { http2: true } },
);
