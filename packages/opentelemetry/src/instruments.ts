import type { GuardStatus } from '@countersign/core';
import type {
  Attributes,
  BatchObservableResult,
  Counter,
  Histogram,
  Meter,
  MeterProvider,
  Observable,
} from '@opentelemetry/api';

/** What a decision came to, as in audit records. */
export type Decision = 'allow' | 'deny' | 'would_refuse';

/** `authentication`: of a request before its caller was verified. */
export type Phase = 'authentication' | 'decision';

/**
 * Seconds. A verification takes about a millisecond; the end of the scale is for slow key servers, stores and disks, whose
 * timeouts are 5 and 30 seconds by default.
 */
const boundaries = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** The instruments of a guard. Attributes have few values: a client must not be able to make series. */
export class Instruments {
  readonly #meter: Meter;
  readonly #durations: Readonly<Record<Phase, Histogram>>;
  readonly #refusals: Counter;
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure`: called instead of throwing, because a meter has no say in an answer. */
  constructor(provider: Pick<MeterProvider, 'getMeter'>, onFailure: (error: unknown) => void) {
    const meter = provider.getMeter('@countersign/opentelemetry');
    this.#meter = meter;
    const duration = (name: string, description: string): Histogram =>
      meter.createHistogram(name, { description, unit: 's', advice: { explicitBucketBoundaries: boundaries } });
    this.#durations = {
      authentication: duration(
        'countersign.authentication.duration',
        'Time to verify a request of an agent, without the time in which its body arrived.',
      ),
      decision: duration('countersign.decision.duration', 'Time to decide about an action and to record the decision.'),
    };
    this.#refusals = meter.createCounter('countersign.refusals', {
      description: 'Requests and actions that were refused, or would be if the guard did not only observe.',
      unit: '{refusal}',
    });
    this.#onFailure = onFailure;
  }

  /** `code`: of the refusal, if it is one. */
  record(phase: Phase, seconds: number, decision: Decision, code?: string): void {
    this.safely(() => this.#durations[phase].record(seconds, { 'countersign.decision': decision }));
    if (code !== undefined) this.refused(phase, decision, code);
  }

  refused(phase: Phase, decision: Decision, code: string): void {
    const attributes: Attributes = {
      'countersign.phase': phase,
      'countersign.decision': decision,
      'countersign.reason': code,
    };
    this.safely(() => this.#refusals.add(1, attributes));
  }

  /** Reads the state of the guard at each collection, until the function that it returns is called. */
  observe(status: () => GuardStatus): () => void {
    const state = stateOf(this.#meter);
    const read = (result: BatchObservableResult): void => this.safely(() => observeAll(state, status(), result));
    const observables = Object.values(state);
    this.safely(() => this.#meter.addBatchObservableCallback(read, observables));
    return () => this.safely(() => this.#meter.removeBatchObservableCallback(read, observables));
  }

  safely(measure: () => void): void {
    try {
      measure();
    } catch (error) {
      this.#onFailure(error);
    }
  }
}

type State = Readonly<Record<'waiting' | 'unsealed' | 'unwitnessed' | 'lost' | 'unsent' | 'held', Observable>>;

function stateOf(meter: Meter): State {
  const gauge = (name: string, unit: string, description: string): Observable =>
    meter.createObservableGauge(name, { unit, description });
  return {
    waiting: gauge('countersign.audit.records.waiting', '{record}', 'Records that wait for a sink.'),
    unsealed: gauge('countersign.audit.records.unsealed', '{record}', 'Records on disk that no checkpoint seals yet.'),
    unwitnessed: gauge(
      'countersign.audit.records.unwitnessed',
      '{record}',
      'Records that some witness has no checkpoint of.',
    ),
    lost: meter.createObservableCounter('countersign.audit.records.lost', {
      unit: '{record}',
      description: 'Records that a sink did not keep.',
    }),
    unsent: gauge('countersign.audit.unsent', 'By', 'Records on disk that the receiver has not taken.'),
    held: gauge('countersign.body.held', 'By', 'Bodies that wait until they have verified, or until they are read.'),
  };
}

function observeAll(state: State, { heldBodies, audit }: GuardStatus, result: BatchObservableResult): void {
  result.observe(state.held, heldBodies.memoryBytes, { 'countersign.body.place': 'memory' });
  result.observe(state.held, heldBodies.diskBytes, { 'countersign.body.place': 'disk' });
  for (const { name, waiting, lost, unsealed, unwitnessed, unsentBytes: unsent } of audit) {
    for (const [of, value] of Object.entries({ waiting, lost, unsealed, unwitnessed, unsent })) {
      if (value !== undefined) result.observe(state[of as keyof State], value, { 'countersign.audit.sink': name });
    }
  }
}
