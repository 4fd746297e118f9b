import { Server, type ServerResponse } from 'node:http';
import { type AuditEvent, type AuditSink, auditPseudonym, type Caller, fanOut, memoryAudit } from '@countersign/core';
import { auditOpenTelemetry } from '@countersign/opentelemetry';
import { context, type TracerProvider } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { expect, it, onTestFinished, vi } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { auditRecords } from '../support/audit-log.js';
import { EverySink } from '../support/audit-sinks.js';
import { patiently } from '../support/patiently.js';
import { fieldsNamed, type RawRequest, serialized, tampered } from '../support/signed-request.js';
import { reviewerId, runner, userId } from '../support/world.js';

async function everySink(): Promise<EverySink> {
  const sinks = await EverySink.start();
  onTestFinished(() => sinks.close());
  return sinks;
}

/** Requests with secrets that must not appear in any sink. */
async function secretRequests(api: Api): Promise<readonly RawRequest[]> {
  const token = await api.token();
  const query = '?access_token=planted-query&planted-name=1';
  const fields = [
    ['Cookie', 'sid=planted-cookie'],
    ['X-Api-Key', 'planted-api-key'],
    ['DPoP', 'planted.dpop.proof'],
  ] as const;
  const body = '{"password":"planted-body"}';
  const accepted = await api.pull({}, { body, fields, target: `/repos/acme/api/pulls${query}` });
  return [
    accepted,
    tampered(await api.pull({}, { body, fields }), { body: Buffer.from('{"password":"planted-evil"}') }),
    await api.pull({}, { body, fields, sign: () => Buffer.from('planted-signature'.padEnd(64, '.')) }),
    api.signed({ target: `/invoices${query}`, token: 'planted-opaque-token', fields }),
    api.signed({ target: '/invoices', token: `${token}planted-tail` }),
    api.signed({ target: '/invoices', fields: [['Agent-Delegation', 'planted.link.token'], ...fields] }),
    api.signed({ target: '/invoices', fields: [['Authorization', 'Basic cGxhbnRlZC1iYXNpYw==']] }),
    api.signed({ key: runner, target: `/invoices${query}`, fields }),
    api.signed({ target: `/invoices${query}` }),
  ];
}

function secretsIn(request: RawRequest): string[] {
  const credentials = ['authorization', 'agent-delegation'].flatMap((name) =>
    fieldsNamed(request, name).flatMap((value) => value.split(/[ .,]/)),
  );
  const signatures = fieldsNamed(request, 'signature').flatMap((value) => value.split(':'));
  const nonces = fieldsNamed(request, 'signature-input').flatMap((value) => /nonce="([^"]+)"/.exec(value)?.[1] ?? []);
  return [...credentials, ...signatures, ...nonces].filter(({ length }) => length >= 8);
}

onEveryHost('Every sink', (api) => {
  it('no byte of any sink holds a token, a signature, a nonce, a query value, a cookie or a body [F2]', async () => {
    const sinks = await everySink();
    const troubles: string[] = [];
    const watched = await api.variant({
      start: {
        guard: { audit: sinks.sink, onTrouble: (text) => void troubles.push(text) },
        onHandled: (name) => {
          if (name === 'invoice.read') throw new Error('planted-error: the database said no');
        },
      },
    });
    const requests = await secretRequests(watched);
    const statuses = [];
    for (const request of requests) statuses.push((await watched.send(request)).status);
    expect(statuses).toEqual([201, 401, 401, 401, 401, 401, 401, 403, 500]);
    await watched.stop();

    const outputs = sinks.outputs();
    const records = auditRecords(sinks.folder);
    expect(records.length).toBe(requests.length + 2);
    const secrets = ['planted', ...requests.flatMap(secretsIn)];
    for (const [name, output] of Object.entries(outputs)) {
      // Check that the output is complete, so that a missing secret means it was not written.
      expect(
        records.filter(({ id }) => !output.includes(id)),
        name,
      ).toEqual([]);
      expect(
        secrets.filter((secret) => output.includes(secret)),
        name,
      ).toEqual([]);
    }
    expect(troubles.join()).not.toContain('planted-body');
    expect(outputs['traces']).toContain('"gen_ai.agent.id":"agent-code-reviewer-01"');
  });

  it('no sink has a redacted value, and one user has the same pseudonym in all [F2]', async () => {
    const sinks = await everySink();
    const pseudonymKey = 'a secret of at least thirty-two bytes';
    const redact = {
      userIds: 'pseudonym',
      resourceIds: 'omit',
      remoteAddresses: 'omit',
      keepPathSegments: 1,
      pseudonymKey,
    } as const;
    const watched = await api.variant({ start: { guard: { audit: sinks.sink, redact } } });
    const target = '/repos/planted-owner/planted-repo/pulls';
    expect((await watched.send(await watched.pull())).status).toBe(201);
    expect((await watched.send(await watched.pull({}, { target }))).status).toBe(403);
    expect((await watched.send(await watched.pull({}, { target, covered: [] }))).status).toBe(401);
    await watched.stop();

    const pseudonym = auditPseudonym(pseudonymKey, { user: userId });
    for (const [name, output] of Object.entries(sinks.outputs())) {
      const hidden = [userId, 'planted', 'acme/api', '127.0.0.1'].filter((value) => output.includes(value));
      // The address of the receiver is not part of the log.
      expect(hidden, name).toEqual(name === 'cloudEvents' ? ['127.0.0.1'] : []);
      expect(output).toContain(pseudonym);
      expect(output).toContain(reviewerId);
      expect(output).toContain('pr.create');
    }
    expect(auditRecords(sinks.folder).map(({ subject }) => subject?.id)).toEqual([
      pseudonym,
      pseudonym,
      pseudonym,
      undefined,
    ]);
  });

  it('a field of 10 kB is truncated with a mark in every sink [F3]', async () => {
    const sinks = await everySink();
    const watched = await api.variant({ start: { guard: { audit: sinks.sink } } });
    expect((await watched.send(watched.signed({ target: `/${'x'.repeat(10_000)}` }))).status).toBeGreaterThanOrEqual(
      400,
    );
    await watched.stop();
    for (const [name, output] of Object.entries(sinks.outputs())) {
      expect(output, name).toContain('x'.repeat(1000));
      expect(output, name).toMatch(/x…\[\+\d+ sha256:[0-9a-f]{64}\]/);
      expect(output, name).not.toContain('x'.repeat(1025));
    }
  });

  it('a handler that changes its caller changes no record [F9]', async () => {
    const audit = memoryAudit();
    const attempts: unknown[] = [];
    const watched = await api.variant({
      start: { guard: { audit }, onHandled: (_name, caller) => void attempts.push(...mutate(caller)) },
    });
    expect((await watched.send(await watched.pull())).status).toBe(201);
    await watched.stop();
    expect(attempts).toHaveLength(4);
    for (const attempt of attempts) expect(attempt).toBeInstanceOf(TypeError);
    const [decision, outcome] = audit.records;
    expect(decision).toMatchObject({ actor: { id: reviewerId }, subject: { id: userId, type: 'user' } });
    for (const name of ['actor', 'subject', 'chain', 'scope'] as const)
      expect(outcome?.[name]).toEqual(decision?.[name]);
  });

  it('a sink that changes a record does not affect the other sinks [F9]', async () => {
    const audit = memoryAudit();
    const vandal: AuditSink = {
      async write(event) {
        Object.assign(event as { actor?: object }, { actor: { id: 'nobody', keyId: '' } });
      },
    };
    const told: string[] = [];
    const sink = fanOut([{ sink: vandal, onFailure: 'report', name: 'vandal' }, audit], {
      onTrouble: (text) => void told.push(text),
    });
    const watched = await api.variant({ start: { guard: { audit: sink } } });
    expect((await watched.send(await watched.pull())).status).toBe(201);
    await watched.stop();
    expect(audit.records.map(({ actor }) => actor?.id)).toEqual([reviewerId, reviewerId]);
    expect(sink.lost).toEqual({ vandal: 2 });
    expect(told[0]).toContain('TypeError');
  });
});

function mutate(caller: Caller | undefined): unknown[] {
  const writable = caller as unknown as { actor: { id: string }; subject: unknown; chain: unknown[]; scope: string[] };
  return [
    () => (writable.actor.id = 'admin'),
    () => (writable.subject = { id: 'admin', type: 'user' }),
    () => writable.chain.push({ id: 'admin' }),
    () => writable.scope.push('admin'),
  ].map((change) => {
    try {
      return change();
    } catch (error) {
      return error;
    }
  });
}

const down = (): Promise<void> => Promise.reject(new Error('the lake is dry'));

onEveryHost('A rule for each sink', (api) => {
  it("a request continues when a sink with rule 'report' fails, and the loss is counted and reported [F4]", async () => {
    const audit = memoryAudit();
    const told: string[] = [];
    const sink = fanOut([audit, { sink: { write: down }, onFailure: 'report', name: 'lake' }], {
      onTrouble: (text) => void told.push(text),
    });
    const watched = await api.variant({ start: { guard: { audit: sink } } });
    expect((await watched.send(await watched.pull())).status).toBe(201);
    await watched.stop();
    expect(audit.records).toHaveLength(2);
    expect(sink.lost).toEqual({ lake: 2 });
    expect(told.at(-1)).toBe('countersign: 2 audit records are missing in lake.');
    expect(told[0]).toContain('the lake is dry');
  });

  it('a full sink delays the first request and refuses the next [F4]', async () => {
    const held: (() => void)[] = [];
    const waiting: AuditEvent[] = [];
    const slow: AuditSink = {
      write: (event) =>
        new Promise((resolve) => {
          waiting.push(event);
          held.push(resolve);
        }),
    };
    const sink = fanOut([slow], { maxWaiting: 1 });
    const watched = await api.variant({ start: { guard: { audit: sink, onTrouble: () => {} } } });
    const connection = await watched.connect();
    connection.write(serialized(await watched.pull()));
    await vi.waitFor(() => expect(waiting).toHaveLength(1), patiently);
    expect((await watched.send(await watched.pull())).status).toBe(503);
    expect(watched.running.handled).toEqual([]);
    held[0]?.();
    expect((await connection.read()).status).toBe(201);
    connection.destroy();
    await vi.waitFor(() => expect(waiting).toHaveLength(2), patiently);
    held[1]?.();
  });
});

/** Like instrumentations of HTTP: listeners of a request run within its span, which ends with the answer. */
function instrument(provider: TracerProvider): void {
  const emit = Server.prototype.emit;
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
  Server.prototype.emit = function (this: Server, name: string | symbol, ...rest: unknown[]): boolean {
    const listen = (): boolean => Reflect.apply(emit, this, [name, ...rest]) as boolean;
    if (name !== 'request') return listen();
    return provider.getTracer('http').startActiveSpan('request', (span) => {
      (rest[1] as ServerResponse).once('close', () => span.end());
      return listen();
    });
  };
  onTestFinished(() => {
    Server.prototype.emit = emit;
    context.disable();
    manager.disable();
  });
}

onEveryHost('Traces', (api) => {
  it('the records of a request, with and without a body, are on its span, or in its trace', async () => {
    const exporter = new InMemorySpanExporter();
    const tracerProvider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
    const sink = fanOut([memoryAudit(), { sink: auditOpenTelemetry({ tracerProvider }), onFailure: 'report' }]);
    const watched = await api.variant({ start: { guard: { audit: sink } } });
    instrument(tracerProvider);
    const long = `{"title":"${'x'.repeat(100_000)}"}`;
    expect((await watched.send(await watched.pull({}, { body: long }))).status).toBe(201);
    expect((await watched.send(watched.signed({ covered: [] }))).status).toBe(401);
    await watched.stop();
    const spans = exporter.getFinishedSpans();
    const requests = spans.filter(({ name }) => name === 'request');
    const noted = requests.map((request) => [
      ...request.events.map(({ name }) => name),
      ...spans
        .filter(({ parentSpanContext }) => parentSpanContext?.spanId === request.spanContext().spanId)
        .map(({ name }) => name),
    ]);
    expect(noted).toEqual([['countersign.decision', 'countersign.outcome'], ['countersign.authentication']]);
    expect(requests[0]?.events[0]?.name).toBe('countersign.decision');
    expect(requests[0]?.attributes).toMatchObject({ 'gen_ai.agent.id': reviewerId, 'user.id': userId });
  });
});
