import { type AuditSink, checkOptionNames, ConfigError, printableEvent } from '@countersign/core';
import { trace, type TracerProvider } from '@opentelemetry/api';
import { exchangeAttributes, recordAttributes } from './attributes.js';

export interface AuditOpenTelemetryOptions {
  /** Creates spans when none is active. Default: the global provider that an SDK registers. */
  readonly tracerProvider?: TracerProvider;
}

/**
 * Puts each record on the span of its request: as attributes, and as an event `countersign.decision` (or
 * `.authentication`, `.outcome`). If no span is recording, as after the answer, the record becomes its own span in the
 * same trace. Without an SDK it does nothing.
 *
 * It is best effort: exporters drop under load, and a trace may not be sampled. Use it beside a sink that keeps records.
 *
 * @throws ConfigError if an option is wrong.
 *
 * @example
 * fanOut([auditFile('audit'), { sink: auditOpenTelemetry(), onFailure: 'report', name: 'traces' }]);
 */
export function auditOpenTelemetry(options: AuditOpenTelemetryOptions = {}): AuditSink {
  checkOptionNames('auditOpenTelemetry', options, ['tracerProvider']);
  const { tracerProvider = trace } = options;
  if (typeof tracerProvider?.getTracer !== 'function') {
    throw new ConfigError("auditOpenTelemetry: 'tracerProvider' has no method getTracer().");
  }
  return {
    bestEffort: true,
    async write(event) {
      const name = `countersign.${event.phase}`;
      const active = trace.getActiveSpan();
      if (active?.isRecording() === true) {
        const attributes = recordAttributes(printableEvent(event));
        active.setAttributes(attributes).addEvent(name, attributes);
        return;
      }
      // The request is not instrumented or its span has ended, so this span also describes the request.
      const own = tracerProvider.getTracer('@countersign/opentelemetry').startSpan(name);
      if (own.isRecording()) {
        const printable = printableEvent(event);
        own.setAttributes({ ...recordAttributes(printable), ...exchangeAttributes(printable) });
      }
      own.end();
    },
  };
}
