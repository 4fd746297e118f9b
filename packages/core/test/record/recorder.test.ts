import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auditFile, auditFileWith, type AuditSink, memoryAudit, renderEvent, sealRecord } from '@countersign/audit';
import { createRecorder, type Recorder } from '../../src/record/recorder.js';
import { createRedactor } from '../../src/record/redact.js';
import type { Caller } from '../../src/model/caller.js';
import { answeredAs, refusal, type RefusalCode, refusalCodes } from '../../src/model/refusal.js';
import { temporaryFolder } from '../../../audit/test/events.js';
import { fullFor } from '../../../audit/test/disk/faults.js';

const facts = { id: 'request-1', method: 'GET', path: '/invoices' };

const scope = ['repo:read'];
const caller: Caller = {
  actor: { id: 'agent-a', type: 'agent', keyId: 'key-a', roles: [], capabilities: scope },
  subject: { id: 'agent-a', type: 'agent' },
  chain: [{ id: 'agent-a', type: 'agent', proof: 'signature', scope }],
  scope,
  proof: { kind: 'signature', keyId: 'key-a', algorithm: 'ed25519', created: 1 },
  requestId: 'request-1',
};

/** A recorder with a manual clock, and its reports. */
class Recording {
  readonly troubles: string[] = [];
  readonly recorder: Recorder;
  now = Date.parse('2026-11-24T12:00:00Z');

  constructor(audit: AuditSink, dangerouslyActWithoutRecord: readonly string[] = []) {
    this.recorder = createRecorder({
      audit,
      redact: createRedactor(undefined),
      dangerouslyActWithoutRecord,
      subjectMustAlsoBePermitted: false,
      clock: () => this.now,
      onTrouble: (text) => void this.troubles.push(text),
    });
  }

  async refuse(times: number, code: RefusalCode = 'signature_required'): Promise<RefusalCode[]> {
    const codes: RefusalCode[] = [];
    for (let count = 0; count < times; count++) {
      codes.push((await this.recorder.unverified(facts, undefined, refusal(code, 'why'))).code);
    }
    return codes;
  }
}

describe('The record of a refused request', () => {
  it('truncates claims of a stranger, and states the missing length [F3]', async () => {
    const audit = memoryAudit();
    const { recorder } = new Recording(audit);
    const claimed = { keyId: 'k'.repeat(1400), agent: 'a'.repeat(257) };
    const strange = { ...facts, method: 'M'.repeat(30), path: `/${'p'.repeat(300)}` };
    await recorder.unverified(strange, claimed, refusal('origin_mismatch', 'd'.repeat(257)));
    await recorder.unverified(facts, { keyId: 'k'.repeat(48) }, refusal('key_unknown'));
    expect(audit.records).toMatchObject([
      {
        detail: `${'d'.repeat(256)}…[+1]`,
        claimed: { keyId: `${'k'.repeat(48)}…[+1352]`, agent: `${'a'.repeat(256)}…[+1]` },
        request: { method: `${'M'.repeat(24)}…[+6]`, path: `/${'p'.repeat(191)}…[+109]` },
      },
      { claimed: { keyId: 'k'.repeat(48) } },
    ]);
  });

  it('has at most 1,100 bytes for any characters of a stranger [F3, I4]', async () => {
    const unit = fc.oneof(
      fc.constantFrom('\u0000', '"', '\\', '\u202e', '\ud800', '中', 'é', 'a'),
      fc.string({ unit: 'binary' }),
    );
    const text = fc
      .tuple(unit, fc.integer({ min: 1, max: 20_000 }))
      .map(([one, times]) => one.repeat(times).slice(0, 20_000));
    const request = fc.record({ id: fc.uuid(), method: text, path: text, remoteAddress: text });
    await fc.assert(
      fc.asyncProperty(request, text, text, fc.constantFrom(...refusalCodes), async (strange, keyId, detail, code) => {
        let bytes = 0;
        const { recorder } = new Recording({
          write: async (event) => {
            bytes = Buffer.byteLength(sealRecord(Number.MAX_SAFE_INTEGER, renderEvent(event), 'f'.repeat(64)));
          },
        });
        await recorder.unverified(strange, { keyId }, refusal(code, detail));
        expect(bytes).toBeGreaterThan(300);
        expect(bytes).toBeLessThanOrEqual(1100);
      }),
    );
  });

  it('keeps the exact code when the answer is less specific [I5]', async () => {
    const audit = memoryAudit();
    const { recorder } = new Recording(audit);
    const answered = await recorder.unverified(
      facts,
      undefined,
      answeredAs(refusal('key_unknown'), refusal('signature_invalid')),
    );
    expect(answered).toEqual({ ...refusal('signature_invalid'), recordedAs: 'key_unknown' });
    expect(audit.records).toMatchObject([{ code: 'key_unknown' }]);
  });
});

describe('the reports of the recorder [F4]', () => {
  it('name the first, second, fourth … request on a full disk, and its recovery once', async () => {
    using folder = temporaryFolder();
    let full = true;
    const audit = auditFileWith(
      fullFor('"authentication"', () => full),
      folder.path,
      {},
    );
    const recording = new Recording(audit);
    expect(new Set(await recording.refuse(100))).toEqual(new Set(['audit_unavailable']));
    const counts = recording.troubles.map((text) => /could not be written \((\d+) so far\): .*ENOSPC/.exec(text)?.[1]);
    expect(counts).toEqual(['1', '2', '4', '8', '16', '32', '64']);
    full = false;
    recording.troubles.length = 0;
    expect(await recording.refuse(1)).toEqual(['signature_required']);
    // Mixed results: report recovery only after a while without a failure.
    expect(recording.troubles).toEqual([]);
    recording.now += 10_000;
    await recording.refuse(3);
    expect(recording.troubles).toEqual([
      'countersign: audit records are written again, after 100 that could not be (write_failed).',
    ]);
    await audit.close?.();
  });

  it('name the recovery at the close only if a record was written since', async () => {
    let down = true;
    const recording = new Recording({
      write: () => (down ? Promise.reject(new Error('down')) : Promise.resolve()),
    });
    await recording.refuse(3);
    recording.troubles.length = 0;
    recording.recorder.close();
    expect(recording.troubles).toEqual([]);
    down = false;
    await recording.refuse(1);
    recording.recorder.close();
    recording.recorder.close();
    expect(recording.troubles).toEqual([
      'countersign: audit records are written again, after 3 that could not be (other).',
    ]);
  });

  it('count each kind of failure separately', async () => {
    const memory = memoryAudit();
    const errors: unknown[] = [];
    const recording = new Recording({
      write: (event) => (errors.length > 0 ? Promise.reject(errors.shift()) : memory.write(event)),
    });
    errors.push(new Error('one'), new Error('two'), new Error('three'));
    await recording.refuse(3);
    using folder = temporaryFolder();
    const closed = auditFile(folder.path);
    await closed.close?.();
    await closed.write({} as never).catch((error: unknown) => errors.push(error));
    await recording.refuse(1);
    expect(recording.troubles.map((text) => text.slice(text.indexOf('(')))).toEqual([
      '(1 so far): Error: one',
      '(2 so far): Error: two',
      '(1 so far): AuditError: The audit sink is closed.',
    ]);
  });

  it('name each action that ran without its record', async () => {
    let down = true;
    const memory = memoryAudit();
    const audit: AuditSink = {
      write: (event) => (down ? Promise.reject(new Error('down')) : memory.write(event)),
    };
    const recording = new Recording(audit, ['invoice.read', 'pr.create']);
    const act = (action: string) => recording.recorder.allowed(caller, { facts }, { action });
    for (let count = 0; count < 5; count++) expect(await act('invoice.read')).toBeUndefined();
    expect(await act('pr.create')).toBeUndefined();
    expect((await act('pr.merge'))?.code).toBe('audit_unavailable');
    const without = recording.troubles.filter((text) => text.includes('without its record'));
    expect(without).toEqual([
      ...[1, 2, 4].map((count) => `countersign: invoice.read was let through without its record; ${count} so far.`),
      'countersign: pr.create was let through without its record; 1 so far.',
    ]);
    down = false;
    recording.now += 10_000;
    recording.troubles.length = 0;
    await act('pr.merge');
    expect(recording.troubles).toEqual([
      'countersign: audit records are written again, after 7 that could not be (other).',
      'countersign: invoice.read ran 5 times without its record.',
      'countersign: pr.create ran once without its record.',
    ]);
  });

  it('name each fault of the server by its code, throttled, and again after a while', async () => {
    const recording = new Recording(memoryAudit());
    await recording.refuse(5, 'keys_unavailable');
    await recording.refuse(1, 'replay_store_unavailable');
    await recording.refuse(5);
    recording.now += 10_000;
    await recording.refuse(1, 'keys_unavailable');
    expect(recording.troubles).toEqual([
      'countersign: keys_unavailable at GET "/invoices": why',
      'countersign: keys_unavailable at GET "/invoices" (2 so far): why',
      'countersign: keys_unavailable at GET "/invoices" (4 so far): why',
      'countersign: replay_store_unavailable at GET "/invoices": why',
      'countersign: keys_unavailable at GET "/invoices": why',
    ]);
  });
});
