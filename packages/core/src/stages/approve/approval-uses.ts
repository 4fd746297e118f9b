import { hash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, stat, unlink } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { ApprovalUse, ApprovalUseResult, ApprovalUses } from '@countersign/approval';
import { andThen, codeOf, ConfigError, errorMessage, oneAtATime } from '@countersign/common';
import type { ReplayResult, ReplayStore } from '../replay/store.js';

/** Longer than any approval counts: then its file is removed. */
const keptSeconds = 2 * 86_400;
/** After so many uses, files that are not needed any more are looked for. */
const sweepAfter = 1000;
const epochName = 'epoch';
/** Takes seconds on a slow disk. More would delay approvals for minutes after a file system that hung answers again. */
const mostWaiting = 1000;

/**
 * Remembers used approvals as files in a folder: across restarts, and for all processes of one machine that share the
 * folder. Each use is on disk before the action runs, so that no crash makes an approval count twice. Approvals from
 * before the folder was made count no more. Remove the folder instead of restoring it from a backup, which lacks uses.
 *
 * @throws ConfigError (as a rejection) if the folder cannot be made or read.
 * @example
 * ```ts
 * const approvals = { issuers: [{ issuer }], uses: await approvalUsesInFolder('approvals-used') };
 * ```
 */
export async function approvalUsesInFolder(path: string): Promise<ApprovalUses> {
  if (typeof path !== 'string' || path === '') throw new ConfigError('approvalUsesInFolder: name the folder.');
  const folder = resolve(path);
  await epochOf(folder).catch((error: unknown) => {
    throw new ConfigError(`approvalUsesInFolder: ${folder} cannot be used: ${errorMessage(error)}.`);
  });
  let uses = 0;
  // While the folder hangs, each use occupies one of the four threads of Node's pool.
  const inTurn = oneAtATime();
  let waiting = 0;

  async function use({ issuer, id, issuedAt, clockSkewSeconds, now }: ApprovalUse): Promise<ApprovalUseResult> {
    const epoch = await epochOf(folder);
    if (!(issuedAt > epoch + clockSkewSeconds)) return 'before_epoch';
    const name = hash('sha256', JSON.stringify([issuer, id]), 'hex');
    if (!(await createDurably(folder, name))) return 'repeated';
    uses += 1;
    // By the clock that dates the files, too: what a clock that is ahead removes could be used again.
    if (uses % sweepAfter === 0) await sweep(folder, Math.min(now, (await stat(join(folder, name))).mtimeMs / 1000));
    // Whoever emptied the folder meanwhile emptied its memory, too.
    return (await epochOf(folder)) === epoch ? 'first' : 'before_epoch';
  }

  return {
    async use(asked) {
      if (waiting >= mostWaiting) throw new Error(`${mostWaiting} uses of approvals wait for ${folder}`);
      waiting += 1;
      try {
        return await inTurn(() => use(asked));
      } finally {
        waiting -= 1;
      }
    },
  };
}

/** The second (unix) since which the folder remembers. One that is missing, or was emptied, is made anew. */
async function epochOf(folder: string): Promise<number> {
  const file = join(folder, epochName);
  const made = await stat(file).catch(async () => {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await createDurably(folder, epochName);
    return await stat(file);
  });
  return Math.floor(made.mtimeMs / 1000);
}

/** Whether the file is new: the file system lets one process of several make it. */
async function createDurably(folder: string, name: string): Promise<boolean> {
  let file: FileHandle;
  try {
    file = await open(join(folder, name), 'wx', 0o600);
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
  await synced(file);
  // The name is in the folder, which Windows cannot sync, and need not.
  if (process.platform !== 'win32') await synced(await open(folder, 'r'));
  return true;
}

async function synced(file: FileHandle): Promise<void> {
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function sweep(folder: string, now: number): Promise<void> {
  for (const name of await readdir(folder)) {
    if (!/^[0-9a-f]{64}$/.test(name)) continue;
    const file = join(folder, name);
    // Another process may sweep at the same time.
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.mtimeMs / 1000 + keptSeconds < now) await unlink(file).catch(() => undefined);
  }
}

const useResults: Readonly<Record<ReplayResult, ApprovalUseResult>> = {
  reserved: 'first',
  replayed: 'repeated',
  before_epoch: 'before_epoch',
  full: 'full',
};

/** A replay store remembers approvals as it does signatures: by who gave them and their id. */
export function usesInReplayStore(replay: ReplayStore): ApprovalUses {
  return {
    use: ({ issuer, id, issuedAt, until, now }) => {
      const keyId = `approval ${hash('sha256', issuer, 'base64url')}`;
      return andThen(
        replay.reserve({ agent: keyId, keyId, nonce: id, created: issuedAt, until, now }),
        (result) => useResults[result],
      );
    },
  };
}
