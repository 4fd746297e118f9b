import { checkOptionNames, ConfigError } from '@countersign/common';
import type { AuditEvent, AuditSink } from '../record/event.js';
import { printableEvent } from '../record/printable-event.js';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
type Level = (typeof levels)[number];

/** What is needed of a pino logger; Fastify's is one. */
export type PinoLogger = Readonly<Record<Level, (fields: object, message: string) => unknown>> & {
  isLevelEnabled?(level: string): boolean;
};

export interface AuditPinoOptions {
  /** Of every line. Default `info`. */
  readonly level?: Level;
  /** Let a line count as the record that an action needs, though nobody knows whether it was kept. Default false. */
  readonly dangerouslyCountAsRecord?: boolean;
}

/**
 * Logs each record through pino, as `countersign` in a line of its own. It is best effort: pino does not say whether a
 * line was kept, loses what it has not written yet when the process is killed, and drops lines when the disk is full.
 * So it stands beside a sink that keeps records.
 *
 * @throws ConfigError if this is no pino logger, or the logger drops that level.
 *
 * @example
 * fanOut([auditFile('audit'), { sink: auditPino(logger), onFailure: 'report', name: 'pino' }]);
 */
export function auditPino(logger: PinoLogger, options: AuditPinoOptions = {}): AuditSink {
  checkOptionNames('auditPino', options, ['level', 'dangerouslyCountAsRecord']);
  const { level = 'info', dangerouslyCountAsRecord = false } = options;
  if (!levels.includes(level)) throw new ConfigError(`auditPino: 'level' must be one of ${levels.join(', ')}.`);
  if (typeof logger?.[level] !== 'function') throw new ConfigError('auditPino: pass a pino logger.');
  if (logger.isLevelEnabled?.(level) === false) {
    throw new ConfigError(`auditPino: this logger drops lines of level '${level}'. Choose another 'level'.`);
  }
  return {
    bestEffort: !dangerouslyCountAsRecord,
    async write(event) {
      // A logger may be async: its rejection is this sink's, never an unhandled one.
      await logger[level]({ countersign: printableEvent(event) }, titleOf(event));
    },
  };
}

function titleOf({ phase, decision, code, outcome }: AuditEvent): string {
  return ['countersign', phase, decision ?? outcome?.result, code].filter((word) => word !== undefined).join(' ');
}
