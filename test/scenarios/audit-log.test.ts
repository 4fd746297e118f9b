import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { checkProof, proveRecord, verifyLog } from '@countersign/audit-verifier';
import { auditRecordSchema, readAuditLog } from '@countersign/core';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { expect, it } from 'vitest';
import { onEveryHost } from '../support/api.js';
import { auditText } from '../support/audit-log.js';
import { runner } from '../support/world.js';

onEveryHost('The audit log', (api) => {
  it('verifies, has the published form, and proves each of its records [F6]', async () => {
    const used = await api.variant({});
    const { records } = await used.accepts(await used.pull(), 201);
    await used.refuses(used.signed({ covered: [] }), 401, 'signature_incomplete');
    await used.denies(used.signed({ key: runner, target: '/invoices' }), 403, 'policy_denied');
    await used.stop();

    const folder = used.auditFolder;
    const key = readFileSync(join(folder, 'checkpoint.vkey'), 'utf8');
    const report = await verifyLog(folder, { key });
    expect(report).toMatchObject({ ok: true, findings: [], remarks: [] });
    expect(report.sealed).toBe(report.size - 1);

    const isRecord = new Ajv2020({ strict: true }).compile(auditRecordSchema);
    const lines = auditText(folder).trimEnd().split('\n');
    expect(lines.length).toBe(report.size);
    for (const line of lines) expect([isRecord(JSON.parse(line)), isRecord.errors]).toEqual([true, null]);
    expect(isRecord({ ...records[0], sequence: 0 })).toBe(false);
    for (const time of ['yesterday', '2026-11-24 12:00:00Z', '2026-11-24T12:00:00']) {
      expect(isRecord({ ...(JSON.parse(lines.at(-1) ?? '') as object), time })).toBe(false);
    }

    const id = records[0]?.id ?? '';
    const proven = await proveRecord(folder, { id, key });
    expect(proven.ok && checkProof(proven.proof, key)).toMatchObject({ ok: true, record: { id, action: 'pr.create' } });
    const read: string[] = [];
    for await (const record of readAuditLog(folder)) read.push(record.id);
    expect(read).toHaveLength(4);
  });
});

it('has a published JSON Schema equal to the one in the code', () => {
  const published = readFileSync(new URL('../../docs/reference/audit-record.schema.json', import.meta.url), 'utf8');
  expect(JSON.parse(published)).toEqual(auditRecordSchema);
});
