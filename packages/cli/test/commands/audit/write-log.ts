import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type AuditEvent, auditFile, type AuditFileOptions } from '@countersign/core';

export const origin = 'acme.dev/audit/1';
export const { privateKey: checkpointKey } = generateKeyPairSync('ed25519');

export interface Folder extends Disposable {
  readonly path: string;
  file(name: string): string;
}

/** A new folder that is removed after the test. */
export function temporaryFolder(): Folder {
  const path = mkdtempSync(join(tmpdir(), 'countersign-cli-audit-'));
  return {
    path,
    file: (name) => join(path, name),
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }),
  };
}

/** Writes a log like an API, closes it and returns its verifier key. */
export async function writeLog(
  directory: string,
  events: readonly AuditEvent[],
  options: AuditFileOptions = {},
): Promise<string> {
  const sink = auditFile(directory, { origin, checkpointKey, ...options });
  for (const one of events) await sink.write(one);
  await sink.close?.();
  return readFileSync(join(directory, 'checkpoint.vkey'), 'utf8').trim();
}

const hop = { type: 'agent', proof: 'issuer', issuer: 'https://id.acme.dev', scope: ['pr:write'] } as const;

/** A decision record like the guard's, one second after the previous one. */
export function decision(number: number, overrides: Partial<AuditEvent> = {}): AuditEvent {
  return {
    id: `decision-${number}`,
    time: new Date(Date.UTC(2026, 10, 24, 11, 0, number)).toISOString(),
    phase: 'decision',
    decision: 'allow',
    actor: { id: 'agent-a', keyId: 'key-of-a' },
    subject: { id: 'user_1', type: 'user', issuer: 'https://id.acme.dev' },
    chain: [
      { ...hop, id: 'user_1', type: 'user' },
      { ...hop, id: 'agent-a' },
    ],
    scope: ['pr:write'],
    action: 'pr.create',
    resource: { type: 'Repo', id: 'acme/api' },
    policies: ['pulls.cedar#reviewers'],
    request: { id: `request-${number}`, method: 'POST', path: '/repos/acme/api/pulls', remoteAddress: '127.0.0.1' },
    ...overrides,
  };
}

/** The outcome of a decision's request. */
export function outcome(number: number, result: 'finished' | 'aborted' = 'finished'): AuditEvent {
  const { actor, subject, request, time } = decision(number);
  const of = { id: `outcome-${number}`, time, request, ...(actor && { actor }), ...(subject && { subject }) };
  return { ...of, phase: 'outcome', outcome: { result, status: 201 } };
}

/** The outcome of a request without a decision. */
export function undecidedOutcome(number: number): AuditEvent {
  const ended = outcome(number);
  return { ...ended, outcome: Object.assign({ ...ended.outcome!, status: 204 }, { undecided: true as const }) };
}

/** A request that was refused before its caller was known. */
export function refusedRequest(number: number, path = '/'): AuditEvent {
  const { time } = decision(number);
  return {
    id: `refused-${number}`,
    time,
    phase: 'authentication',
    decision: 'deny',
    code: 'signature_invalid',
    claimed: { keyId: 'claimed-key' },
    request: { id: `request-${number}`, method: 'GET', path },
  };
}

/** Maps the lines of all segments of a log and writes the result to the first segment. */
export function changeLines(directory: string, change: (lines: readonly string[]) => readonly string[]): void {
  const files = readdirSync(directory).filter((name) => name.endsWith('.jsonl'));
  const lines = files.flatMap((name) => readFileSync(join(directory, name), 'utf8').split('\n').slice(0, -1));
  for (const file of files) rmSync(join(directory, file));
  const text = change(lines).map((line) => `${line}\n`);
  writeFileSync(join(directory, files[0] ?? 'audit-000001.jsonl'), text.join(''));
}
