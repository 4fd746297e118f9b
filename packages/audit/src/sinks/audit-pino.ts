import { checkOptionNames, ConfigError, flagOption, oneOfOption } from '@countersign/common';
import type { AuditEvent, AuditSink } from '../record/event.js';
import { printableEvent } from '../record/printable-event.js';

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const;
type Level = (typeof levels)[number];

/** The part of a pino logger that is used. Fastify's logger is one. */
export type PinoLogger = Readonly<Record<Level, (fields: object, message: string) => unknown>> & {
  isLevelEnabled?(level: string): boolean;
};

export interface AuditPinoOptions {
  /** Level of every line. Default `info`. */
  readonly level?: Level;
  /** True: a line counts as the record that an action needs, although it may be lost. Default false. */
  readonly dangerouslyCountAsRecord?: boolean;
}

/**
 * Logs each record through pino, as the field `countersign` of one line. Best effort: pino does not report whether a line
 * was kept, loses unwritten lines when the process is killed, and drops lines when the disk is full. Use it beside a sink
 * that keeps records.
 *
 * @throws ConfigError if `logger` is not a pino logger, or drops that level.
 *
 * @example
 * fanOut([auditFile('audit'), { sink: auditPino(logger), onFailure: 'report', name: 'pino' }]);
 */
export function auditPino(logger: PinoLogger, options: AuditPinoOptions = {}): AuditSink {
  checkOptionNames('auditPino', options, ['level', 'dangerouslyCountAsRecord']);
  const { level = 'info', dangerouslyCountAsRecord = false } = options;
  oneOfOption('auditPino', 'level', level, levels);
  flagOption('auditPino', 'dangerouslyCountAsRecord', dangerouslyCountAsRecord);
  if (typeof logger?.[level] !== 'function') throw new ConfigError('auditPino: pass a pino logger.');
  if (logger.isLevelEnabled?.(level) === false) {
    throw new ConfigError(`auditPino: this logger drops lines of level '${level}'. Choose another 'level'.`);
  }
  return {
    bestEffort: !dangerouslyCountAsRecord,
    async write(event) {
      // An async logger may reject: awaited, so that the rejection is not unhandled.
      await logger[level]({ countersign: printableEvent(event) }, titleOf(event));
    },
  };
}

function titleOf({ phase, decision, code, outcome, event }: AuditEvent): string {
  return ['countersign', phase, event?.name, decision ?? outcome?.result, code]
    .filter((word) => word !== undefined)
    .join(' ');
}
