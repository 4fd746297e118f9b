export { type AuditOpenTelemetryOptions, auditOpenTelemetry } from './audit-open-telemetry.js';
