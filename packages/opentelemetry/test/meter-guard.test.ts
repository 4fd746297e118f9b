import { ConfigError, createGuard, fanOut, type Guard, type HttpRequest, memoryAudit } from '@countersign/core';
import type { MeterProvider } from '@opentelemetry/api';
import {
  AggregationTemporality,
  type DataPoint,
  type Histogram,
  InMemoryMetricExporter,
  MeterProvider as SdkMeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { deferred } from '../../../test/support/deferred.js';
import { guarded, type Guarded, signed, unsigned } from '../../../test/support/guarded.js';
import type { RawRequest } from '../../../test/support/signed-request.js';
import { meterGuard } from '../src/index.js';

/** A guard with metrics in memory. */
async function metered(options: Parameters<typeof guarded>[0] = {}): Promise<Metered> {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const meterProvider = new SdkMeterProvider({ readers: [reader] });
  onTestFinished(() => meterProvider.shutdown());
  const parts = await guarded(options);
  return {
    ...parts,
    plain: parts.guard,
    guard: meterGuard(parts.guard, { meterProvider }),
    async points(name) {
      await meterProvider.forceFlush();
      const metrics =
        exporter
          .getMetrics()
          .at(-1)
          ?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
      return (metrics.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? []) as readonly Point[];
    },
  };
}

type Point = DataPoint<number | Histogram>;

interface Metered extends Guarded {
  readonly plain: Guard;
  points(name: string): Promise<readonly Point[]>;
}

function received(request: RawRequest, body: Partial<HttpRequest['body']> = {}): HttpRequest {
  return {
    method: request.method,
    target: request.target,
    rawHeaders: request.fields.flat(),
    body: { accept: () => undefined, release: () => {}, discard: () => undefined, ...body },
  };
}

const refusalOf = (reason: string, decision = 'deny', phase = 'decision'): object => ({
  attributes: { 'countersign.phase': phase, 'countersign.decision': decision, 'countersign.reason': reason },
  value: 1,
});

async function callerOf({ guard }: Metered) {
  const authentication = await guard.authenticate(received(signed()));
  if (!authentication.ok || authentication.caller === undefined) throw new Error('the request is refused');
  return authentication.caller;
}

function fail(): never {
  throw new Error('the meter is broken');
}

describe('meterGuard', () => {
  it('measures decisions, lists and calls', async () => {
    const parts = await metered();
    const caller = await callerOf(parts);
    const resource = { type: 'Repo', id: 'acme/api' };
    await parts.guard.authorize(caller, { action: 'pr.create', resource });
    await parts.guard.filter(caller, 'pr.read', [resource]);
    const call = parts.guard.begin(caller, { method: 'tools/call', name: 'query' });
    await call.authorize({ action: 'forbidden', resource });
    await call.filter('pr.read', [resource]);
    await call.refuse('insufficient_scope');
    await call.end({ result: 'finished' });
    const durations = await parts.points('countersign.decision.duration');
    expect(durations.map(({ attributes, value }) => [attributes, (value as Histogram).count])).toEqual([
      [{ 'countersign.decision': 'allow' }, 3],
      [{ 'countersign.decision': 'deny' }, 1],
    ]);
    expect(await parts.points('countersign.refusals')).toMatchObject([
      refusalOf('policy_denied'),
      refusalOf('insufficient_scope'),
    ]);
  });

  it('leaves the time out in which the body arrives', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const parts = await metered();
    const [begun, arrived] = [deferred(), deferred()];
    const accept = async (): Promise<undefined> => {
      begun.resolve();
      await arrived.promise;
    };
    const answer = parts.guard.authenticate(received(signed({ method: 'POST', body: '{}' }), { accept }));
    await begun.promise;
    vi.advanceTimersByTime(300_000);
    arrived.resolve();
    expect(await answer).toMatchObject({ ok: true });
    const [{ value } = {}] = await parts.points('countersign.authentication.duration');
    expect((value as Histogram).sum).toBeLessThan(1);
  });

  it('counts no people in mixed traffic, but their refusal on a route for agents', async () => {
    const parts = await metered({ traffic: 'mixed' });
    const authentication = await parts.guard.authenticate(received(unsigned()));
    expect(await parts.points('countersign.authentication.duration')).toEqual([]);
    if (authentication.ok) await authentication.refuseUnmarked();
    expect(await parts.points('countersign.refusals')).toMatchObject([
      refusalOf('signature_required', 'deny', 'authentication'),
    ]);
  });

  it('counts a record that could not be written as the answer that it causes', async () => {
    const audit = { write: () => Promise.reject(new Error('full')) };
    const parts = await metered({ audit, onTrouble: () => undefined });
    await parts.guard.authorize(await callerOf(parts), { action: 'a', resource: { type: 'Repo', id: 'x' } });
    expect(await parts.points('countersign.refusals')).toMatchObject([refusalOf('audit_unavailable')]);
  });

  it('reads the state of sinks and bodies, until the guard is closed', async () => {
    const backlog = vi.fn(() => ({ unsealed: 3, unwitnessed: 7, unsentBytes: 4096 }));
    const never = {
      sink: { write: () => new Promise<void>(() => {}), backlog },
      onFailure: 'report',
      name: 'siem',
    } as const;
    const failing = { write: () => Promise.reject(new Error('full')) };
    const audit = fanOut([memoryAudit(), never, { sink: failing, onFailure: 'report', name: 'log' }], {
      timeoutSeconds: 1,
      onTrouble: () => undefined,
    });
    const parts = await metered({ audit, onTrouble: () => undefined });
    await parts.guard.authenticate(received(unsigned()));
    const values = async (name: string) =>
      (await parts.points(name)).map(({ attributes, value }) => [...Object.values(attributes), value]);
    expect(await values('countersign.audit.records.waiting')).toEqual([
      ['sink 1', 0],
      ['siem', 1],
      ['log', 0],
    ]);
    expect(await values('countersign.audit.records.lost')).toEqual([
      ['sink 1', 0],
      ['siem', 0],
      ['log', 1],
    ]);
    expect(await values('countersign.audit.records.unsealed')).toEqual([['siem', 3]]);
    expect(await values('countersign.audit.records.unwitnessed')).toEqual([['siem', 7]]);
    expect(await values('countersign.audit.unsent')).toEqual([['siem', 4096]]);
    expect(await values('countersign.body.held')).toEqual([
      ['memory', 0],
      ['disk', 0],
    ]);
    await parts.guard.close();
    await parts.guard.close();
    backlog.mockClear();
    await values('countersign.body.held');
    expect(backlog).not.toHaveBeenCalled();
  });

  it('gives the answers of the guard itself', async () => {
    const parts = await metered();
    const answers = await Promise.all(
      [parts.guard, parts.plain].map((guard) => guard.authenticate(received(unsigned()))),
    );
    expect(answers[0]).toEqual({ ...answers[1], requestId: expect.any(String) });
    for (const name of ['complete', 'respond', 'report', 'local', 'discovery', 'mode'] as const) {
      expect(parts.guard[name]).toBe(parts.plain[name]);
    }
  });

  it('changes no answer when the meter fails, and reports it [F4]', async () => {
    const troubles: string[] = [];
    const instrument = { record: fail, add: fail, addCallback: fail, removeCallback: fail };
    const make = () => instrument;
    const broken = {
      getMeter: () => ({
        createHistogram: make,
        createCounter: make,
        createObservableGauge: make,
        createObservableCounter: make,
        addBatchObservableCallback: fail,
        removeBatchObservableCallback: fail,
      }),
    } as unknown as MeterProvider;
    const { guard } = await guarded({ onTrouble: (message) => void troubles.push(message) });
    const parts = { guard: meterGuard(guard, { meterProvider: broken }) } as Metered;
    const caller = await callerOf(parts);
    const allowed = { action: 'a', resource: { type: 'Repo', id: 'x' } };
    expect(await parts.guard.authorize(caller, allowed)).toMatchObject({ ok: true });
    expect(await parts.guard.authorize(caller, { ...allowed, action: 'forbidden' })).toMatchObject({ ok: false });
    expect(await parts.guard.authenticate(received(unsigned()))).toMatchObject({ ok: false });
    expect(troubles[0]).toContain('metrics could not be recorded: the meter is broken');
    await parts.guard.close();
  });

  it('works without an SDK', async () => {
    const { guard } = await guarded();
    expect(await meterGuard(guard).authenticate(received(signed()))).toMatchObject({ ok: true });
  });

  it('checks its arguments [G5]', async () => {
    const { guard } = await guarded();
    expect(() => meterGuard(createGuard({} as never).catch(() => undefined) as never)).toThrow('await createGuard');
    expect(() => meterGuard(undefined as never)).toThrow(ConfigError);
    expect(() => meterGuard(guard, { meterProvider: {} as MeterProvider })).toThrow('getMeter');
    expect(() => meterGuard(guard, { meter: 1 } as object)).toThrow(ConfigError);
  });
});
