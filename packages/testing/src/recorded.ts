import type { AuditRecord } from '@countersign/core';
import { ConfigError, isJsonObject } from '@countersign/common';
import { type TestAudit, TestRecords } from './records.js';

/**
 * What a record must say. Members that are not named may be anything; a value may be an asymmetric matcher, like
 * `expect.any(String)`.
 */
export interface ExpectedRecord {
  readonly phase?: AuditRecord['phase'];
  readonly decision?: AuditRecord['decision'];
  readonly code?: string;
  /** The id of the agent. */
  readonly actor?: string;
  /** The id of the user, or of the agent at the start of the chain. */
  readonly subject?: string;
  readonly action?: string;
  readonly resource?: { readonly type?: string; readonly id?: string };
  readonly scope?: readonly string[];
  readonly policies?: readonly string[];
  readonly method?: string;
  readonly path?: string;
  /** Ids of the people who approved. */
  readonly approvers?: readonly string[];
  /** Of the record after the answer, like `finished`. */
  readonly outcome?: string;
}

export function hasRecorded({ records }: TestAudit, expected: ExpectedRecord): boolean {
  return records.some((record) => fits(flat(record), expected));
}

/** @throws ConfigError if it is not the log of a kit. */
export function recordsOf(audit: unknown): TestRecords {
  if (audit instanceof TestRecords) return audit;
  throw new ConfigError('toHaveRecorded: expect t.audit of a test kit, like expect(t.audit).toHaveRecorded({ … }).');
}

/** A record in the form in which it is expected. */
export function flat(record: AuditRecord): Readonly<Record<string, unknown>> {
  const { actor, subject, request, outcome, approval } = record;
  return {
    ...record,
    actor: actor?.id,
    subject: subject?.id,
    method: request.method,
    path: request.path,
    approvers: approval?.approvers?.map(({ id }) => id),
    outcome: outcome?.result,
  };
}

function fits(value: unknown, expected: unknown): boolean {
  if (isAsymmetric(expected)) return expected.asymmetricMatch(value);
  if (Array.isArray(expected)) {
    return (
      Array.isArray(value) && value.length === expected.length && expected.every((one, at) => fits(value[at], one))
    );
  }
  if (!isJsonObject(expected)) return Object.is(value, expected);
  return isJsonObject(value) && Object.entries(expected).every(([name, one]) => fits(value[name], one));
}

function isAsymmetric(value: unknown): value is { asymmetricMatch(other: unknown): boolean } {
  return typeof (value as { asymmetricMatch?: unknown } | null)?.asymmetricMatch === 'function';
}
