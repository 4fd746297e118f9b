import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  auditFileWith,
  BoundedSink,
  fanOut,
  fileOperations,
  type FileOperations,
  memoryAudit,
  readAudit,
} from '@countersign/audit';
import type { Guard } from '../../src/guard.js';
import { patiently } from '../../../../test/support/patiently.js';
import { guarded, letIn, permission } from '../guarded.js';
import { Deferred } from '../deferred.js';
import { type Folder, temporaryFolder } from '../../../audit/test/events.js';
import { contents, verify } from '../../../audit/test/log-folder.js';

/** A disk whose syncs hang until it recovers. */
class HangingDisk {
  #works = new Deferred();
  readonly operations: FileOperations = {
    ...fileOperations,
    sync: async (descriptor) => {
      this.hanging += 1;
      await this.#works.promise;
      this.hanging -= 1;
      await fileOperations.sync(descriptor);
    },
  };
  hanging = 0;

  recover(): void {
    this.#works.resolve();
  }
}

async function guardOn(
  folder: Folder,
  disk: HangingDisk,
  troubles: string[] = [],
  clock?: () => number,
): Promise<Guard> {
  const audit = auditFileWith(disk.operations, folder.path, {});
  const { guard } = await guarded({
    audit,
    onTrouble: (text) => void troubles.push(text),
    ...(clock && { clock }),
  });
  return guard;
}

async function pass(milliseconds: number, disk: HangingDisk): Promise<void> {
  while (disk.hanging === 0) await setImmediate();
  await vi.advanceTimersByTimeAsync(milliseconds);
}

describe('a disk that hangs [F4]', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it('causes a refusal after 30 seconds without an outcome, and one report each of failure and recovery', async () => {
    using folder = temporaryFolder();
    const disk = new HangingDisk();
    const troubles: string[] = [];
    let now = Date.now();
    const guard = await guardOn(folder, disk, troubles, () => now);
    const caller = await letIn(guard);
    const answers: unknown[] = [];
    const answered = guard.authorize(caller, permission).then((answer) => answers.push(answer));
    await pass(29_999, disk);
    expect(answers).toEqual([]);
    expect(troubles).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    await answered;
    expect(answers).toMatchObject([{ ok: false, refusal: { code: 'audit_unavailable', status: 503 } }]);
    expect(troubles).toEqual([
      expect.stringMatching(/could not be written \(1 so far\): .*the audit sink did not answer within 30 seconds/),
    ]);
    await guard.complete(caller, { result: 'finished', status: 503 }, { refused: true });

    disk.recover();
    await vi.waitFor(() => expect(disk.hanging).toBe(0), patiently);
    now += 10_000;
    expect(await guard.authorize(await letIn(guard), permission)).toMatchObject({ ok: true });
    expect(troubles.slice(1)).toEqual([
      'countersign: audit records are written again, after 1 that could not be (timed_out).',
    ]);
    await guard.close();
    const records = (await contents(folder)).filter((one) => !['segment', 'checkpoint'].includes(one));
    expect(records).toHaveLength(2);
    expect(await verify(folder)).toMatchObject({ ok: true });
  });

  it('delays the close of a guard by at most that time, and the error names the hanging write', async () => {
    using folder = temporaryFolder();
    const disk = new HangingDisk();
    const guard = await guardOn(folder, disk);
    const refused = guard.authorize(await letIn(guard), permission);
    await pass(30_000, disk);
    expect(await refused).toMatchObject({ ok: false });
    const closed = expect(guard.close()).rejects.toMatchObject({
      code: 'timed_out',
      message: 'the audit sink was not closed within 30 seconds. Records without an answer: 1.',
    });
    while (vi.getTimerCount() === 0) await setImmediate();
    await vi.advanceTimersByTimeAsync(30_000);
    await closed;
    expect(vi.getTimerCount()).toBe(0);
    disk.recover();
  });
});

describe('which sinks of a guard are bounded', () => {
  it('a single sink is; a fanOut has its own bounds', () => {
    expect(readAudit(memoryAudit())).toBeInstanceOf(BoundedSink);
    const fan = fanOut([memoryAudit()], { timeoutSeconds: 300 });
    expect(readAudit(fan)).toBe(fan);
  });
});
