// The audit log: records per second at each level, what a guarded request pays for it, and what verifying costs.
// Run it with `pnpm bench`, on a quiet machine and a real disk: on tmpfs a sync does nothing.
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { closeSync, fdatasync, mkdtempSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkProof, proveRecord, verifyLog } from '@countersign/audit-verifier';
import { auditFile } from '@countersign/core';

const { privateKey } = generateKeyPairSync('ed25519');
const records = Number(process.env.BENCH_RECORDS ?? 1_000_000);
const tmpfs = 0x01021994;

function event() {
  return {
    id: randomUUID(),
    time: new Date().toISOString(),
    phase: 'decision',
    decision: 'allow',
    actor: { id: 'agent-code-reviewer-01', keyId: 'kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k' },
    subject: { id: 'user_123', type: 'user', issuer: 'https://id.acme.dev' },
    chain: [
      { id: 'user_123', type: 'user', proof: 'issuer', issuer: 'https://id.acme.dev', scope: ['pr:write:draft'] },
      { id: 'agent-code-reviewer-01', type: 'agent', proof: 'issuer', scope: ['pr:write:draft'] },
    ],
    scope: ['pr:write:draft'],
    action: 'pr.create',
    resource: { type: 'Repo', id: 'acme/api' },
    policies: ['pulls.cedar#drafts'],
    policySet: 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    request: { id: randomUUID(), method: 'POST', path: '/repos/acme/api/pulls', remoteAddress: '127.0.0.1' },
  };
}

async function withFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-bench-'));
  try {
    if (statfsSync(folder).type === tmpfs) console.warn(`${folder} is on tmpfs, where a sync does nothing.`);
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const percentile = (sorted, share) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;

async function write(durability, writers, milliseconds) {
  return await withFolder(async (folder) => {
    const sink = auditFile(folder, { durability, checkpointKey: privateKey });
    const waits = [];
    const cpu = process.cpuUsage();
    const end = performance.now() + milliseconds;
    const writeOn = async () => {
      while (performance.now() < end) {
        const start = performance.now();
        await sink.write(event());
        waits.push(performance.now() - start);
      }
    };
    await Promise.all(Array.from({ length: writers }, writeOn));
    const { user, system } = process.cpuUsage(cpu);
    await sink.close();
    waits.sort((a, b) => a - b);
    return {
      level: durability,
      writers,
      'records/s': Math.round((waits.length / milliseconds) * 1000),
      'CPU µs/record': Math.round((user + system) / waits.length),
      'p50 ms': percentile(waits, 0.5).toFixed(2),
      'p50 to a bare fdatasync': (percentile(waits, 0.5) / bare).toFixed(2),
      'p99 ms': percentile(waits, 0.99).toFixed(2),
    };
  });
}

/** The time of the disk alone for one record: the lower bound for every level. */
async function bareSync(milliseconds) {
  return await withFolder(async (folder) => {
    const line = `${JSON.stringify(event())}\n`;
    const sync = promisify(fdatasync);
    const descriptor = openSync(join(folder, 'bare'), 'a');
    const waits = [];
    const end = performance.now() + milliseconds;
    while (performance.now() < end) {
      const start = performance.now();
      writeSync(descriptor, line);
      await sync(descriptor);
      waits.push(performance.now() - start);
    }
    closeSync(descriptor);
    const sorted = waits.toSorted((one, other) => one - other);
    return percentile(sorted, 0.5);
  });
}

const bare = await bareSync(1500);
const rows = [];
for (const durability of ['sync', 'group', 'buffered']) {
  for (const writers of [1, 16, 64]) rows.push(await write(durability, writers, 1500));
}
console.log('\nRecords on disk: a guarded request writes two, and waits for the first.');
console.log(`A bare write of one and fdatasync takes ${bare.toFixed(2)} ms on this disk (p50).`);
console.table(rows);

await withFolder(async (folder) => {
  const sink = auditFile(folder, { durability: 'buffered', checkpointKey: privateKey });
  for (let count = 0; count < records; count += 2000) {
    await Promise.all(Array.from({ length: Math.min(2000, records - count) }, () => sink.write(event())));
  }
  await sink.close();
  const key = readFileSync(join(folder, 'checkpoint.vkey'), 'utf8');
  const started = performance.now();
  const cpu = process.cpuUsage();
  const report = await verifyLog(folder, { key });
  const verified = (performance.now() - started) / 1000;
  const busy = process.cpuUsage(cpu).user / 1e6;
  if (!report.ok) throw new Error(JSON.stringify(report.findings));
  console.log(
    `\n${report.size} records in ${report.segments} segments verified in ${verified.toFixed(1)} s (CPU ${busy.toFixed(1)} s)`,
  );

  const proveStart = performance.now();
  const { proof } = await proveRecord(folder, { sequence: Math.floor(report.size / 2), key });
  const proved = (performance.now() - proveStart) / 1000;
  const checkStart = performance.now();
  for (let count = 0; count < 1000; count++) if (!checkProof(proof, key).ok) throw new Error('the proof is wrong');
  const checked = performance.now() - checkStart;
  console.log(`One proof: ${proof.length} bytes, made in ${proved.toFixed(1)} s, checked in ${checked.toFixed(0)} µs`);
});
