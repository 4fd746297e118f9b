import { verifyLog } from '@countersign/audit-verifier';
import { describe, expect, it } from 'vitest';
import { CliError } from '../../src/cli-error.js';
import { Matcher } from '../../src/commands/audit/matcher.js';
import { Collector } from '../../src/report/collector.js';
import { changeLines, decision, temporaryFolder, writeLog } from '../commands/audit/write-log.js';

/** A verified log that is changed before it is read again. */
async function readAfter(change: (lines: readonly string[]) => readonly string[]): Promise<readonly boolean[]> {
  using folder = temporaryFolder();
  const key = await writeLog(folder.path, [decision(1), decision(2), decision(3)]);
  const verified = await verifyLog(folder.path, { key });
  changeLines(folder.path, change);
  const collector = new Collector({
    matcher: new Matcher(() => true),
    logs: [{ directory: folder.path, report: verified }],
    isVerified: true,
    most: 9,
  });
  await collector.read();
  return collector.latest().map(({ unverified }) => unverified !== true);
}

describe('Collector', () => {
  it('reads the verified log', async () => {
    expect(await readAfter((lines) => lines)).toEqual([true, true, true]);
  });

  it.each<[string, (lines: readonly string[]) => readonly string[]]>([
    ['was changed', (lines) => lines.map((line) => line.replace('agent-a', 'agent-b'))],
    ['was cut off', (lines) => lines.slice(0, 2)],
  ])('says nothing of one that %s since then [F6]', async (_name, change) => {
    await expect(readAfter(change)).rejects.toThrow(CliError);
  });
});
