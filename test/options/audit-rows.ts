import { join } from 'node:path';
import {
  auditCloudEvents,
  type AuditCloudEventsOptions,
  auditFile,
  type AuditFileOptions,
  auditPino,
  type AuditPinoOptions,
  fanOut,
  type FanOutOptions,
  type FanOutRule,
  httpWitness,
  type HttpWitnessOptions,
  memoryAudit,
  type MemoryAuditOptions,
} from '@countersign/core';
import { auditOpenTelemetry } from '@countersign/opentelemetry';
import { pino } from 'pino';
import { opened, optionRow, type OptionRow } from './option-row.js';

/** What sinks and witnesses take. */
export function auditRows(folder: string): readonly OptionRow[] {
  return [
    optionRow('memoryAudit', { capacity: 'integer' }, (options: MemoryAuditOptions) => memoryAudit(options)),
    optionRow(
      'auditFile',
      { durability: 'choice', maxSegmentBytes: 'integer', maxSegmentSeconds: 'integer', maxQueued: 'integer' },
      (options: AuditFileOptions) => opened(auditFile(join(folder, 'audit'), options)),
    ),
    optionRow(
      'auditFile, checkpointEvery',
      { records: 'integer', seconds: 'integer' },
      (checkpointEvery: NonNullable<AuditFileOptions['checkpointEvery']>) =>
        opened(auditFile(join(folder, 'audit-2'), { checkpointEvery })),
    ),
    optionRow('fanOut', { maxWaiting: 'integer', timeoutSeconds: 'integer' }, (options: FanOutOptions) =>
      opened(fanOut([memoryAudit()], options)),
    ),
    optionRow('fanOut, a sink', { onFailure: 'choice' }, (rule: FanOutRule) => opened(fanOut([memoryAudit(), rule])), {
      required: { sink: memoryAudit() },
    }),
    optionRow(
      'auditCloudEvents',
      {
        maxSpoolBytes: 'integer',
        batchRecords: 'integer',
        batchSeconds: 'integer',
        timeoutSeconds: 'integer',
        maxRetrySeconds: 'integer',
        dangerouslyAllowHttp: 'flag',
      },
      (options: AuditCloudEventsOptions) => opened(auditCloudEvents('https://events.acme.dev', options)),
      { required: { source: '/audit', spoolDirectory: join(folder, 'spool') } },
    ),
    optionRow('auditPino', { level: 'choice', dangerouslyCountAsRecord: 'flag' }, (options: AuditPinoOptions) =>
      auditPino(pino({ level: 'trace' }, { write() {} }), options),
    ),
    optionRow(
      'httpWitness',
      { timeoutSeconds: 'integer', dangerouslyAllowHttp: 'flag' },
      (options: HttpWitnessOptions) => httpWitness('https://witness.acme.dev', options),
    ),
    optionRow('auditOpenTelemetry', {}, auditOpenTelemetry),
  ];
}
