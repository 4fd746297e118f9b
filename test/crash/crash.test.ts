import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { crash } from './crash.js';

// `pnpm crash` kills a thousand times; CI a few dozen times.
const kills = Number(process.env['COUNTERSIGN_KILLS'] ?? 24);
const seconds = 60 + kills * 4;

describe.concurrent.each(['sync', 'group'] as const)('killed under load, %s', (durability) => {
  it(
    'nothing was done without a record on disk, and the log verifies after every restart [F4, F6]',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'countersign-crash-'));
      try {
        const share = Math.ceil(kills / 2);
        const report = await crash({ directory, durability, kills: share, verifyEvery: kills > 100 ? 10 : 1 });
        const { performed, records, segments, checkpoints, recoveries } = report;
        console.log(
          `${durability}: ${share} kills, ${performed} actions, ${records} records, ${segments} segments, ` +
            `${checkpoints} checkpoints, ${recoveries} torn ends`,
        );
        expect(report).toMatchObject({ unrecorded: [], invented: [], findings: [] });
        expect(performed).toBeGreaterThan(share);
      } finally {
        rmSync(directory, { recursive: true, force: true });
      }
    },
    seconds * 1000,
  );
});
