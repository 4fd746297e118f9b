import {
  type Call,
  checkOptionNames,
  ConfigError,
  type Guard,
  type HttpRequest,
  type Refusal,
} from '@countersign/core';
import { metrics, type MeterProvider } from '@opentelemetry/api';
import { Instruments, type Phase } from './instruments.js';

export interface MeterGuardOptions {
  /** Creates the meter. Default: the global provider that an SDK registers before. */
  readonly meterProvider?: MeterProvider;
}

/**
 * The same guard, with metrics: pass it to `agentAuth` in place of the other. A failing meter never changes an answer; it
 * is reported to `onTrouble`. Attributes are decisions and refusal codes, never agents, users or paths.
 * `docs/guides/metrics-and-logs.md` lists the metrics.
 *
 * @throws ConfigError if an argument is wrong.
 *
 * @example
 * ```ts
 * const guard = meterGuard(await createGuard({ origin, agents, policy, audit }));
 * app.use(agentAuth(guard));
 * ```
 */
export function meterGuard(guard: Guard, options: MeterGuardOptions = {}): Guard {
  checkOptionNames('meterGuard', options, ['meterProvider']);
  const { meterProvider = metrics } = options;
  if (typeof (guard as Partial<Guard> | undefined)?.authenticate !== 'function') {
    throw new ConfigError('meterGuard: this is no guard. Write meterGuard(await createGuard({ … })).');
  }
  if (typeof meterProvider?.getMeter !== 'function') {
    throw new ConfigError("meterGuard: 'meterProvider' has no method getMeter().");
  }
  const instruments = new Instruments(meterProvider, (error) =>
    guard.report('metrics could not be recorded', error instanceof Error ? error.message : String(error)),
  );

  const stop = instruments.observe(() => guard.status());

  /** Measures what ends in a decision. The clock of the guard may stand still in a test; this one does not. */
  async function decided<Result extends Decided>(decide: () => Promise<Result>): Promise<Result> {
    const started = performance.now();
    const result = await decide();
    record('decision', secondsSince(started), result);
    return result;
  }

  function record(phase: Phase, seconds: number, result: Decided): void {
    const refused = result.ok ? result.wouldRefuse : result.refusal;
    const decision = !result.ok ? 'deny' : refused === undefined ? 'allow' : 'would_refuse';
    instruments.record(phase, seconds, decision, refused && codeOf(refused));
  }

  /** What is refused without asking policy; undefined, if the guard only observes. */
  async function refused(
    refuse: () => Promise<Refusal | undefined>,
    phase: Phase,
    code: string,
  ): Promise<Refusal | undefined> {
    const refusal = await refuse();
    instruments.refused(
      phase,
      refusal === undefined ? 'would_refuse' : 'deny',
      refusal === undefined ? code : codeOf(refusal),
    );
    return refusal;
  }

  function meterCall(call: Call): Call {
    return {
      ...call,
      authorize: (permission) => decided(() => call.authorize(permission)),
      filter: (action, resources, filterOptions) => decided(() => call.filter(action, resources, filterOptions)),
      refuse: (code, detail) => refused(() => call.refuse(code, detail), 'decision', code),
    };
  }

  return {
    ...guard,
    async authenticate(request) {
      const started = performance.now();
      let waited = 0;
      const body = withStopwatch(request.body, (seconds) => (waited += seconds));
      const result = await guard.authenticate({ ...request, body });
      // A request of people in mixed traffic is none of the guard's.
      const isOurs = !result.ok || result.caller !== undefined || result.wouldRefuse !== undefined;
      if (isOurs) record('authentication', secondsSince(started) - waited, result);
      if (!result.ok) return result;
      const { refuseUnmarked } = result;
      return { ...result, refuseUnmarked: () => refused(refuseUnmarked, 'authentication', 'signature_required') };
    },
    authorize: (caller, permission) => decided(() => guard.authorize(caller, permission)),
    filter: (caller, action, resources, filterOptions) =>
      decided(() => guard.filter(caller, action, resources, filterOptions)),
    unmapped: (caller, route) => refused(() => guard.unmapped(caller, route), 'decision', 'route_unmapped'),
    begin: (caller, call) => meterCall(guard.begin(caller, call)),
    // The last values are those of a log that is sealed.
    close: () => guard.close().finally(stop),
  };
}

/** The part of the answers of a guard that is counted. */
type Decided =
  | { readonly ok: true; readonly wouldRefuse?: Refusal }
  | { readonly ok: false; readonly refusal: Refusal };

/** As the audit log has it: it says more than the answer. */
function codeOf({ code, recordedAs = code }: Refusal): string {
  return recordedAs;
}

/** How long the client took to send its body is no time of the guard. */
function withStopwatch(body: HttpRequest['body'], waited: (seconds: number) => void): HttpRequest['body'] {
  return {
    accept(...args) {
      const accepted = body.accept(...args);
      if (typeof (accepted as Partial<Promise<unknown>> | undefined)?.then !== 'function') return accepted;
      const started = performance.now();
      return Promise.resolve(accepted).finally(() => waited(secondsSince(started)));
    },
    release: () => body.release(),
    discard: () => body.discard(),
    get isLost() {
      return body.isLost ?? false;
    },
    get isStreamed() {
      return body.isStreamed ?? false;
    },
  };
}

function secondsSince(started: number): number {
  return (performance.now() - started) / 1000;
}
