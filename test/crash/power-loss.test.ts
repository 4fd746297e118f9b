import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { chanceFrom } from './disk.js';
import { type PowerLossOptions, type PowerLossReport, powerLoss } from './power-loss.js';

// `pnpm crash` runs many more, with a new seed each time.
const asked = process.env['COUNTERSIGN_KILLS'];
const lossesPerLife = Math.ceil(Number(asked ?? 24) / 2);
const lives = asked === undefined ? 2 : 3;
const seed = Number(process.env['COUNTERSIGN_SEED'] ?? (asked === undefined ? 1 : Date.now()));
const milliseconds = 60_000 + lossesPerLife * 2000;
// In memory if possible: power losses are simulated, so a real sync is not needed.
const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

async function losses(options: Pick<PowerLossOptions, 'durability' | 'lives' | 'honours'>): Promise<PowerLossReport> {
  const directory = mkdtempSync(join(parent, 'countersign-power-'));
  try {
    const report = await powerLoss({ ...options, directory, lossesPerLife, chance: chanceFrom(seed) });
    const { durability, honours = 'all syncs' } = options;
    const { losses: count, acknowledged, lost, torn } = report;
    console.log(
      `${durability}, a disk that honours ${honours}: ${count} power losses (seed ${seed}), ` +
        `${lost.length} of ${acknowledged} acknowledged records lost, ${torn} torn ends`,
    );
    return report;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

describe.concurrent('the power fails under load', () => {
  it.each(['sync', 'group'] as const)(
    '%s: no acknowledged record is lost, no checkpoint is ahead of the log, and it goes on [F4, F6]',
    async (durability) => {
      const report = await losses({ durability, lives });
      expect(report).toMatchObject({ lost: [], failures: [] });
      expect(report.acknowledged).toBeGreaterThan(report.losses);
    },
    milliseconds,
  );

  it(
    'buffered: acknowledged records are lost, but no checkpoint is ahead of the log, and it goes on [F4, F6]',
    async () => {
      const { lost, failures } = await losses({ durability: 'buffered', lives });
      expect(failures).toEqual([]);
      expect(lost.length).toBeGreaterThan(0);
    },
    milliseconds,
  );

  it.each(['syncs of files', 'syncs of folders'] as const)(
    'on a disk that honours nothing but %s records are lost: both are needed, and this test would tell [F4, F6]',
    async (honours) => {
      const { lost } = await losses({ durability: 'group', lives: 1, honours });
      expect(lost.length).toBeGreaterThan(0);
    },
    milliseconds,
  );
});
