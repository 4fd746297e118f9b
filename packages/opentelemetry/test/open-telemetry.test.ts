import { type AuditEvent, ConfigError, fanOut, memoryAudit } from '@countersign/core';
import { context, trace, type TracerProvider } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import {
  AlwaysOffSampler,
  BasicTracerProvider,
  InMemorySpanExporter,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { auditOpenTelemetry } from '../src/index.js';

const manager = new AsyncLocalStorageContextManager();
beforeAll(() => void context.setGlobalContextManager(manager.enable()));
afterAll(() => {
  context.disable();
  manager.disable();
});

function recording(): { readonly provider: TracerProvider; readonly spans: () => readonly ReadableSpan[] } {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  return { provider, spans: () => exporter.getFinishedSpans() };
}

const decision: AuditEvent = {
  id: 'record-1',
  time: '2026-11-24T12:00:00.000Z',
  phase: 'decision',
  decision: 'deny',
  code: 'policy_denied',
  detail: 'no permit',
  actor: { id: 'agent-1', keyId: 'thumbprint' },
  possession: 'dpop',
  subject: { id: 'user_123', type: 'user', issuer: 'https://id.acme.dev' },
  chain: [
    { id: 'user_123', type: 'user', proof: 'issuer', scope: ['pr:write'] },
    { id: 'agent-1', type: 'agent', proof: 'signature', scope: ['pr:write'] },
  ],
  scope: ['pr:write'],
  action: 'pr.create',
  resource: { type: 'Repo', id: 'acme/api' },
  policies: ['pulls.cedar#drafts'],
  policySet: 'ab12',
  request: { id: 'request-1', method: 'POST', path: '/repos/acme/api/pulls', remoteAddress: '192.0.2.1' },
};

const decisionAttributes = {
  'countersign.record.id': 'record-1',
  'countersign.request.id': 'request-1',
  'countersign.decision': 'deny',
  'countersign.reason': 'policy_denied',
  'countersign.action': 'pr.create',
  'countersign.resource.type': 'Repo',
  'countersign.resource.id': 'acme/api',
  'countersign.policy.id': ['pulls.cedar#drafts'],
  'countersign.policy.version': 'ab12',
  'countersign.scope': ['pr:write'],
  'gen_ai.agent.id': 'agent-1',
  'user.id': 'user_123',
  'countersign.actor.key_id': 'thumbprint',
  'countersign.possession': 'dpop',
  'countersign.subject.id': 'user_123',
  'countersign.subject.type': 'user',
  'countersign.chain': ['user_123', 'agent-1'],
};

describe('auditOpenTelemetry', () => {
  it('puts a record on the active span, as attributes and as an event', async () => {
    const { provider, spans } = recording();
    const sink = auditOpenTelemetry({ tracerProvider: provider });
    await provider.getTracer('test').startActiveSpan('POST /repos', async (span) => {
      await sink.write(decision);
      span.end();
    });
    expect(spans()).toHaveLength(1);
    expect(spans()[0]).toMatchObject({ name: 'POST /repos', attributes: decisionAttributes });
    expect(spans()[0]?.events).toMatchObject([{ name: 'countersign.decision', attributes: decisionAttributes }]);
  });

  it('finds that span behind fanOut, too', async () => {
    const { provider, spans } = recording();
    const sink = fanOut([
      memoryAudit(),
      { sink: auditOpenTelemetry({ tracerProvider: provider }), onFailure: 'report', name: 'traces' },
    ]);
    await provider.getTracer('test').startActiveSpan('POST /repos', async (span) => {
      await sink.write(decision);
      span.end();
    });
    expect(spans().map(({ name, events }) => [name, events.length])).toEqual([['POST /repos', 1]]);
    expect(sink.lost).toEqual({ traces: 0 });
  });

  it('once that span has ended, the outcome is a span of its own in the same trace', async () => {
    const { provider, spans } = recording();
    const sink = auditOpenTelemetry({ tracerProvider: provider });
    const outcome: AuditEvent = {
      id: 'record-2',
      time: decision.time,
      phase: 'outcome',
      request: decision.request,
      outcome: { result: 'finished', status: 201 },
    };
    await provider.getTracer('test').startActiveSpan('POST /repos', async (span) => {
      span.end();
      await sink.write(outcome);
    });
    const [request, own] = spans();
    expect(own).toMatchObject({
      name: 'countersign.outcome',
      parentSpanContext: { spanId: request?.spanContext().spanId },
    });
    expect(own?.attributes).toEqual({
      'countersign.record.id': 'record-2',
      'countersign.request.id': 'request-1',
      'countersign.outcome': 'finished',
      'http.request.method': 'POST',
      'url.path': '/repos/acme/api/pulls',
      'client.address': '192.0.2.1',
      'http.response.status_code': 201,
    });
  });

  it('says how much of a list was let through', async () => {
    const { provider, spans } = recording();
    const { resource: _, ...list } = decision;
    const filtered = { asked: 3, permitted: 1, resources: [{ type: 'Repo', id: 'acme/api' }] };
    await auditOpenTelemetry({ tracerProvider: provider }).write({ ...list, filtered });
    expect(spans()[0]?.attributes).toMatchObject({
      'countersign.filtered.asked': 3,
      'countersign.filtered.permitted': 1,
    });
  });

  it('where nothing is active, every record is a span of its own', async () => {
    const { provider, spans } = recording();
    await auditOpenTelemetry({ tracerProvider: provider }).write(decision);
    expect(spans()[0]).toMatchObject({ name: 'countersign.decision', attributes: decisionAttributes });
  });

  it('a claim is no agent [F7]', async () => {
    const { provider, spans } = recording();
    const { request, time } = decision;
    const claimed = { keyId: 'thumbprint', agent: 'agent-1' };
    await auditOpenTelemetry({ tracerProvider: provider }).write({
      id: 'record-3',
      time,
      phase: 'authentication',
      decision: 'deny',
      claimed,
      request,
    });
    expect(spans()[0]?.attributes).toMatchObject({ 'countersign.claimed.agent': 'agent-1' });
    for (const name of ['gen_ai.agent.id', 'user.id']) expect(spans()[0]?.attributes).not.toHaveProperty(name);
  });

  it('for whom an agent asked an authority for approval is no user [F7]', async () => {
    const { provider, spans } = recording();
    const event = { name: 'approval.asked', by: { id: 'agent-1', type: 'agent' } } as const;
    await auditOpenTelemetry({ tracerProvider: provider }).write({ ...decision, phase: 'authority', event });
    expect(spans()[0]?.attributes).toHaveProperty(['gen_ai.agent.id']);
    for (const name of ['user.id', 'countersign.subject.id', 'countersign.chain']) {
      expect(spans()[0]?.attributes).not.toHaveProperty([name]);
    }
  });

  it('values are printable and bounded [F1, F3]', async () => {
    const { provider, spans } = recording();
    const sink = auditOpenTelemetry({ tracerProvider: provider });
    await sink.write({ ...decision, action: '\u001b[2J\u202e', resource: { type: 'Repo', id: 'x'.repeat(100_000) } });
    expect(spans()[0]?.attributes['countersign.action']).toBe('\\u001b[2J\\u202e');
    expect(String(spans()[0]?.attributes['countersign.resource.id']).length).toBeLessThan(1200);
  });

  it('a trace that is not sampled, and no SDK at all, cost nothing', async () => {
    const exporter = new InMemorySpanExporter();
    const provider = new BasicTracerProvider({
      sampler: new AlwaysOffSampler(),
      spanProcessors: [new SimpleSpanProcessor(exporter)],
    });
    await auditOpenTelemetry({ tracerProvider: provider }).write(decision);
    expect(exporter.getFinishedSpans()).toEqual([]);
    expect(trace.getActiveSpan()).toBeUndefined();
    await auditOpenTelemetry().write(decision);
  });

  it('it counts as no record, and its options are checked [F4, G5]', () => {
    expect(() => fanOut([auditOpenTelemetry()])).toThrow(ConfigError);
    expect(() => auditOpenTelemetry({ tracerProvider: {} as TracerProvider })).toThrow('getTracer');
    expect(() => auditOpenTelemetry({ tracer: 1 } as object)).toThrow(ConfigError);
  });
});
