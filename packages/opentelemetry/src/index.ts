export { type AuditOpenTelemetryOptions, auditOpenTelemetry } from './audit-open-telemetry.js';
export { type MeterGuardOptions, meterGuard } from './meter-guard.js';
