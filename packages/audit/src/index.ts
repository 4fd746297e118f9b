export { fileOperations, type FileOperations } from './disk/append-file.js';
export type { AuditFileOptions } from './log/audit-file-options.js';
export { auditFile, auditFileWith } from './log/audit-file.js';
export type { CheckpointRecord, LogRecord, RecoveredRecord, SegmentRecord, SegmentStart } from './log/log-record.js';
export { isEvent, readAuditLog, readWholeAuditLog } from './log/read-audit-log.js';
export { readAudit, readUnrecordedActions } from './sinks/audit-option.js';
export { CallerPart, type EventCaller } from './record/caller-part.js';
export { AuditError, type AuditErrorCode } from './record/audit-error.js';
export type {
  AuditApproval,
  AuditAuthorityEvent,
  AuditCall,
  AuditEvent,
  AuditHop,
  AuditOutcome,
  AuditSink,
  ObservableSink,
  SinkBacklog,
  SinkStatus,
} from './record/event.js';
export { printableEvent } from './record/printable-event.js';
export { maxStringUnits } from './record/plain-json.js';
export { auditRecordSchema } from './record/record-schema.js';
export { type AuditRecord, renderEvent, sealRecord } from './record/record.js';
export { auditCloudEvents } from './sinks/audit-cloud-events.js';
export { auditPino, type AuditPinoOptions, type PinoLogger } from './sinks/audit-pino.js';
export { auditStdout } from './sinks/audit-stdout.js';
export { BoundedSink } from './sinks/bounded-sink.js';
export type { AuditCloudEventsOptions } from './sinks/cloud-events-options.js';
export type { FanOutRule } from './sinks/fan-out-branch.js';
export { fanOut, type FanOut, type FanOutOptions } from './sinks/fan-out.js';
export { memoryAudit, type MemoryAudit, type MemoryAuditOptions } from './sinks/memory-audit.js';
export type { OcsfActor, OcsfApiActivity, OcsfDelegation } from './sinks/ocsf.js';
export { toOcsf } from './sinks/to-ocsf.js';
export { fileWitness } from './witnesses/file-witness.js';
export { httpWitness, type HttpWitnessOptions } from './witnesses/http-witness.js';
export type { CheckpointWitness } from './witnesses/witness.js';
