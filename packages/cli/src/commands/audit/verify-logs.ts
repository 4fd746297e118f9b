import { type LogReport, parseVerifierKey, VerificationError, verifyLog } from '@countersign/audit-verifier';
import { CliError } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { type LogFolder, originOf, twinsAmong } from './logs.js';
import { readCheckpoints, readKeys, readOwnKey } from './sources.js';
import { isTrusted } from './verdict.js';

export interface VerifyLogsOptions {
  /** Default: the key in the folder of each log. */
  readonly key?: string;
  readonly checkpoint: readonly string[];
  readonly archived: boolean;
}

/** A log that was verified, or why it could not be. */
export type VerifiedLog = LogFolder &
  ({ readonly origin: string; readonly report: LogReport } | { readonly problem: string });

export interface VerifiedLogs {
  readonly logs: readonly VerifiedLog[];
  /** What is wrong with the logs as a whole: two are one, or one is missing. */
  readonly problems: readonly string[];
}

/**
 * Verifies logs that belong together, each with its own key.
 *
 * @throws CliError if the keys or checkpoints cannot be read, or the only log cannot be verified.
 */
export async function verifyLogs(
  folders: readonly LogFolder[],
  { key, checkpoint, archived }: VerifyLogsOptions,
  io: Io,
): Promise<VerifiedLogs> {
  const checkpoints = await readCheckpoints(checkpoint);
  const given = key === undefined ? undefined : await readKeys(key, folders, io);
  const used = new Set<string>();

  async function keyOf(log: LogFolder, isFirst: boolean): Promise<string | undefined> {
    if (given === undefined) return await readOwnKey(log.directory, isFirst ? io : { ...io, err: () => {} });
    // One key for one log: verification reports another name.
    const found = folders.length === 1 && given.length === 1 ? given[0] : await keyByName(given, log);
    if (found !== undefined) used.add(found);
    return found;
  }

  async function verified(log: LogFolder, isFirst: boolean): Promise<VerifiedLog> {
    try {
      const itsKey = await keyOf(log, isFirst);
      if (itsKey === undefined) return { ...log, problem: await unknownLog(log) };
      const report = await verifyLog(log.directory, { key: itsKey, checkpoints, archived });
      return { ...log, origin: parseVerifierKey(itsKey)?.name ?? '', report };
    } catch (error) {
      if (folders.length > 1 && (error instanceof VerificationError || error instanceof CliError)) {
        return { ...log, problem: error.message };
      }
      throw error instanceof VerificationError ? new CliError(error.message) : error;
    }
  }

  const logs: VerifiedLog[] = [];
  // One after the other: each reads a whole log.
  for (const log of folders) logs.push(await verified(log, logs.length === 0));
  const missing = (given ?? [])
    .filter((each) => !used.has(each))
    .map((each) => `The log ${parseVerifierKey(each)?.name ?? ''}, whose key was given, is not there.`);
  return { logs, problems: [...(await twinsAmong(folders)), ...missing] };
}

/** Whether every log is as it was written and sealed, and none is missing or there twice. */
export function areTrusted({ logs, problems }: VerifiedLogs): boolean {
  return problems.length === 0 && logs.every((log) => 'report' in log && isTrusted(log.report));
}

async function keyByName(keys: readonly string[], log: LogFolder): Promise<string | undefined> {
  const origin = await originOf(log);
  return keys.find((key) => parseVerifierKey(key)?.name === origin);
}

async function unknownLog(log: LogFolder): Promise<string> {
  return `--key holds no key of this log, ${(await originOf(log)) ?? 'which does not say its name'}.`;
}
