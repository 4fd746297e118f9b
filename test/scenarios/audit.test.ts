import type { AuditEvent, AuditSink } from '@countersign/core';
import { expect, it, vi } from 'vitest';
import { type Api, expectProblem, onEveryHost, onEverySetup } from '../support/api.js';
import { auditText } from '../support/audit-log.js';
import { deferred } from '../support/deferred.js';
import { Http2Connection } from '../support/http2.js';
import { patiently } from '../support/patiently.js';
import { serialized } from '../support/signed-request.js';
import { reviewer, reviewerId, runner } from '../support/world.js';

onEverySetup('What is written down', (api) => {
  it('a record is one printable line for any name [F1]', async () => {
    const odd = '%0D%0A%7B%22sequence%22%3A1%7D%1B%5B2J%E2%80%A8%E2%80%AE%C2%85%00';
    const { records } = await api.accepts(
      api.signed({ key: runner, method: 'DELETE', target: `/records/${odd}` }),
      204,
    );
    expect(records[0]).toMatchObject({ resource: { id: '\r\n{"sequence":1}\u001b[2J\u2028\u202e\u0085\0' } });
    expect(auditText(api.auditFolder)).toMatch(/^[\x20-\x7e\n…]*$/u);
  });

  it('neither query values nor bodies nor credentials are recorded [F2]', async () => {
    const token = await api.token();
    const body = '{"password":"correct horse battery staple"}';
    const request = await api.pull({}, { token, body, target: '/repos/acme/api/pulls?secret=tr0ub4dor' });
    await api.accepts(request, 201);
    const log = auditText(api.auditFolder);
    for (const secret of [token, ...token.split('.'), 'battery', 'tr0ub4dor', 'secret='])
      expect(log).not.toContain(secret);
    expect(log).not.toMatch(/"(?:signature|authorization|nonce|token)":/i);
  });

  it('a request has a decision before its handler and an outcome after it [F5, F7]', async () => {
    const { records } = await api.accepts(await api.pull(), 201);
    expect(records.map(({ phase, decision, outcome }) => ({ phase, decision, outcome }))).toEqual([
      { phase: 'decision', decision: 'allow', outcome: undefined },
      { phase: 'outcome', decision: undefined, outcome: { result: 'finished', status: 201 } },
    ]);
    expect(records[0]?.request).toEqual(records[1]?.request);
    expect(new Set(records.map(({ id }) => id)).size).toBe(2);
    expect(records[0]?.policySet).toMatch(/^[0-9a-f]{64}$/);
  });

  it('the order of records does not change when the clock goes back [F8]', async () => {
    let time = Date.now();
    const timed = await api.variant({ start: { guard: { clock: () => time } } });
    // Not before the start, because the replay store does not know earlier signatures.
    time += 3000;
    const { records: earlier } = await timed.accepts(timed.signed({ now: time / 1000 }), 200);
    time -= 3000;
    const { records: later } = await timed.accepts(timed.signed({ now: time / 1000 }), 200);
    expect(later[0]?.sequence).toBeGreaterThan(earlier[0]?.sequence ?? Number.NaN);
    expect(Date.parse(later[0]?.time ?? '')).toBeLessThan(Date.parse(earlier[0]?.time ?? ''));
  });

  it('a handler that throws has one outcome, and its error is not in the answer [F5]', async () => {
    const failing = await api.variant({
      start: {
        onHandled: () => {
          throw new Error('database password is hunter2');
        },
      },
    });
    const response = await failing.send(await failing.pull());
    expect(response.status).toBe(500);
    expect(response.text).not.toMatch(/hunter2|\.js|\.ts/);
    await failing.stop();
    expect(outcomes(failing)).toEqual([{ result: 'threw', status: 500 }]);
  });

  it('a request has one outcome when its client disconnects during the handler [F5]', async () => {
    const held = deferred();
    const slow = await api.variant({ start: { onHandled: () => held.promise } });
    const connection = await slow.connect();
    connection.write(serialized(await slow.pull()));
    await vi.waitFor(() => expect(slow.running.handled).toEqual(['pr.create']), patiently);
    connection.destroy();
    await vi.waitFor(() => expect(slow.records.filter(({ phase }) => phase === 'outcome')).toHaveLength(1), patiently);
    held.resolve();
    await slow.stop();
    expect(outcomes(slow)).toEqual([{ result: 'aborted' }]);
  });

  it('a running request has an outcome when the server stops [F5]', async () => {
    const slow = await api.variant({ start: { onHandled: () => new Promise(() => {}) } });
    const connection = await slow.connect();
    connection.write(serialized(await slow.pull()));
    await vi.waitFor(() => expect(slow.running.handled).toEqual(['pr.create']), patiently);
    await slow.stop();
    expect(outcomes(slow)).toEqual([{ result: 'aborted' }]);
  });
});

for (const http2 of [false, true]) {
  onEveryHost(
    `A server that gives up on a request over HTTP/${http2 ? '2' : '1'}`,
    (api) => {
      it('the outcome says that it timed out [F5]', async () => {
        const slow = await api.variant({ start: { http2, onHandled: () => new Promise(() => {}) } });
        const request = slow.signed({ target: '/invoices' });
        const connection = http2 ? await slow.connectHttp2() : await slow.connect();
        if (connection instanceof Http2Connection) connection.begin(request, { ended: true });
        else connection.write(serialized(request));
        await vi.waitFor(() => expect(slow.running.handled).toEqual(['invoice.read']), patiently);
        slow.running.giveUpAfter(20);
        await vi.waitFor(() => expect(outcomes(slow)).toEqual([{ result: 'timed_out' }]), patiently);
        connection.destroy();
      });
    },
    { start: { http2 } },
  );
}

function outcomes(api: Api): unknown[] {
  return api.records.filter(({ phase }) => phase === 'outcome').map(({ outcome }) => outcome);
}

/** A sink whose writes the test controls. */
function sinkThat(write: (event: AuditEvent) => Promise<void>): AuditSink & { readonly events: AuditEvent[] } {
  const events: AuditEvent[] = [];
  return {
    events,
    write(event) {
      events.push(event);
      return write(event);
    },
  };
}

const down = (): Promise<void> => Promise.reject(new Error('disk on fire at /dev/sda'));

onEverySetup('No record, no action', (api) => {
  it('a request gets 503 and its handler does not run when the sink fails [F4]', async () => {
    const audit = sinkThat(down);
    const troubles: string[] = [];
    const failing = await api.variant({ start: { guard: { audit, onTrouble: (text) => void troubles.push(text) } } });
    const response = await failing.send(await failing.pull());
    expect(response.status).toBe(503);
    expectProblem(response, 503, 'audit_unavailable');
    expect(response.text).not.toContain('fire');
    expect(failing.running.handled).toEqual([]);
    expect(audit.events).toMatchObject([{ phase: 'decision', decision: 'allow' }, ...audit.events.slice(1)]);
    expect(troubles[0]).toContain('disk on fire');
  });

  it('only a configured action runs without its record, which is counted and reported [F4]', async () => {
    const troubles: string[] = [];
    const guard = {
      audit: sinkThat(down),
      dangerouslyActWithoutRecord: ['pr.create'],
      onTrouble: (text: string) => void troubles.push(text),
    };
    const failing = await api.variant({ start: { guard } });
    for (const count of [1, 2]) {
      expect((await failing.send(await failing.pull())).status).toBe(201);
      expect(troubles).toContainEqual(
        expect.stringContaining(`pr.create was let through without its record; ${count}`),
      );
    }
    expect(failing.running.handled).toEqual(['pr.create', 'pr.create']);
    const other = await failing.send(failing.signed({ target: '/invoices' }));
    expect(other.status).toBe(503);
    expect((await failing.send(await failing.pull({ scope: 'repo:read' }))).status).toBe(503);
    expect(failing.running.handled).toHaveLength(2);
  });

  it('a refusal gets 503 when its record cannot be written [F4]', async () => {
    const failing = await api.variant({ start: { guard: { audit: sinkThat(down), onTrouble: () => {} } } });
    for (const request of [failing.signed({ covered: [] }), failing.signed({ key: runner, target: '/invoices' })]) {
      const response = await failing.send(request);
      expect(response.status).toBe(503);
      expectProblem(response, 503, 'audit_unavailable');
    }
    expect(failing.running.handled).toEqual([]);
  });

  it('a request gets 503 when one of two sinks fails [F4]', async () => {
    const good = sinkThat(() => Promise.resolve());
    const failing = await api.variant({ start: { guard: { audit: [good, sinkThat(down)], onTrouble: () => {} } } });
    expect((await failing.send(await failing.pull())).status).toBe(503);
    expect(failing.running.handled).toEqual([]);
    expect(good.events.at(0)).toMatchObject({ decision: 'allow' });
  });

  it('the handler waits for the record [F4]', async () => {
    const written = deferred();
    const audit = sinkThat(() => written.promise);
    const slow = await api.variant({ start: { guard: { audit } } });
    const connection = await slow.connect();
    connection.write(serialized(await slow.pull()));
    await vi.waitFor(() => expect(audit.events).toHaveLength(1), patiently);
    // After another complete exchange the handler has still not run.
    expect((await slow.send(Buffer.from(`GET ${api.at('/public')} HTTP/1.1\r\nHost: x\r\n\r\n`))).status).toBe(200);
    expect(slow.running.handled).toEqual([]);
    written.resolve();
    expect((await connection.read()).status).toBe(201);
    expect(slow.running.handled).toEqual(['pr.create']);
    connection.destroy();
  });

  it('onTrouble is called when an outcome cannot be recorded [F4]', async () => {
    const troubles: string[] = [];
    const audit = sinkThat(({ phase }) => (phase === 'outcome' ? down() : Promise.resolve()));
    const failing = await api.variant({ start: { guard: { audit, onTrouble: (text) => void troubles.push(text) } } });
    expect((await failing.send(await failing.pull())).status).toBe(201);
    await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
  });

  it('the identity of a refused request is recorded as a claim [F7]', async () => {
    const audit = sinkThat(() => Promise.resolve());
    const watched = await api.variant({ start: { guard: { audit } } });
    await watched.send(await watched.pull({}, { sign: () => Buffer.alloc(64) }));
    expect(audit.events).toHaveLength(1);
    expect(audit.events[0]).toMatchObject({ phase: 'authentication', claimed: { keyId: reviewer.thumbprint } });
    expect(JSON.stringify(audit.events)).not.toContain(reviewerId);
  });
});
