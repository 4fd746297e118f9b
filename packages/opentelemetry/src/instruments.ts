import type { Attributes, Counter, Histogram, MeterProvider } from '@opentelemetry/api';

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
  readonly #durations: Readonly<Record<Phase, Histogram>>;
  readonly #refusals: Counter;
  readonly #onFailure: (error: unknown) => void;

  /** `onFailure`: called instead of throwing, because a meter has no say in an answer. */
  constructor(provider: Pick<MeterProvider, 'getMeter'>, onFailure: (error: unknown) => void) {
    const meter = provider.getMeter('@countersign/opentelemetry');
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

  safely(measure: () => void): void {
    try {
      measure();
    } catch (error) {
      this.#onFailure(error);
    }
  }
}
