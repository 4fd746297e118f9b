import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AuditEvent } from '../src/record/event.js';

/** A decision as the guard would record it. */
export function event(id: string, overrides: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id,
    time: '2026-11-24T12:00:00.000Z',
    phase: 'decision',
    decision: 'allow',
    actor: { id: 'agent-code-reviewer-01', keyId: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' },
    subject: { id: 'user_123', type: 'user', issuer: 'https://id.acme.dev' },
    action: 'pr.create',
    resource: { type: 'Repo', id: 'acme/api' },
    request: { id: `request-${id}`, method: 'POST', path: '/repos/acme/api/pulls', remoteAddress: '127.0.0.1' },
    ...overrides,
  };
}

export interface Folder extends Disposable {
  readonly path: string;
  readonly log: string;
}

/** A new folder that goes away with the test. */
export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'countersign-audit-'));
  return {
    path,
    log: join(path, 'audit-000001.jsonl'),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}
