import type { KeyObject } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { basename, dirname, isAbsolute, join, relative, resolve, sep } from 'node:path';
import {
  checkOptionNames,
  ConfigError,
  integerOption,
  oneOfOption,
  readClock,
  readOnTrouble,
  withoutPrivateKeys,
} from '@countersign/common';
import { checkKey } from '../checkpoints/checkpoint-signer.js';
import type { CheckpointWitness } from '../witnesses/witness.js';

export interface AuditFileOptions {
  /**
   * When a record counts as written. `group` (default): it is on disk; waiting records share one sync. `sync`: it is on
   * disk, and each record has its own sync; slower and no safer. `buffered`: the operating system has it. Then a crash of
   * the process loses nothing, but a power loss loses everything since the last checkpoint.
   */
  readonly durability?: 'sync' | 'group' | 'buffered';
  /**
   * The name of the log in its checkpoints, like `api.acme.dev/audit/1`; no spaces, no plus. A new log appends a random
   * part, `api.acme.dev/audit/1/9f3a61c2`, so that no two logs share a name. The name never changes. Default: host name
   * and folder.
   */
  readonly origin?: string;
  /**
   * The Ed25519 key that signs checkpoints: a file (PKCS #8 in PEM, created for a new log), or a private `KeyObject`.
   * Whoever can write the log must not be able to read it. Default: `checkpoint-key.pem` in the folder of the log, which
   * only reveals accidents: whoever can change the log can then sign it too.
   */
  readonly checkpointKey?: string | KeyObject;
  /** Records until the next checkpoint, and seconds from a record to it (a day at most). Default 1000 and 60. */
  readonly checkpointEvery?: { readonly records?: number; readonly seconds?: number };
  /** Receivers of each checkpoint. Only a copy out of reach shows that the end of a log was cut off. Default none. */
  readonly witnesses?: readonly CheckpointWitness[];
  /** Size in bytes from which a segment is rotated, 1 GiB at most. Default 64 MiB. */
  readonly maxSegmentBytes?: number;
  /** Age in seconds from which a segment is rotated, 366 days at most. Default 86 400, a day. */
  readonly maxSegmentSeconds?: number;
  /** Most records that wait for the disk; further records, and their requests, are refused. Default 4096. */
  readonly maxQueued?: number;
  /** Milliseconds since the epoch. Default `Date.now`. */
  readonly clock?: () => number;
  /** Called when a checkpoint could not be made, or a witness did not take one. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}

/** The options with every default filled in and every value checked. */
export interface AuditFileSettings {
  readonly durability: 'sync' | 'group' | 'buffered';
  readonly durable: boolean;
  readonly origin: string | undefined;
  readonly checkpointKey: KeyObject | undefined;
  readonly checkpointKeyFile: string;
  readonly checkpointRecords: number;
  readonly checkpointSeconds: number;
  readonly witnesses: readonly CheckpointWitness[];
  readonly maxSegmentBytes: number;
  readonly maxSegmentSeconds: number;
  readonly maxQueued: number;
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

const optionNames = [
  'durability',
  'origin',
  'checkpointKey',
  'checkpointEvery',
  'witnesses',
  'maxSegmentBytes',
  'maxSegmentSeconds',
  'maxQueued',
  'clock',
  'onTrouble',
] as const satisfies readonly (keyof AuditFileOptions)[];

export function readAuditFileOptions(directory: string, options: AuditFileOptions): AuditFileSettings {
  checkOptionNames('auditFile', options, optionNames);
  const { durability = 'group', origin, checkpointKey, checkpointEvery = {}, witnesses = [], clock } = options;
  checkOptionNames('auditFile checkpointEvery', checkpointEvery, ['records', 'seconds']);
  oneOfOption('auditFile', 'durability', durability, ['sync', 'group', 'buffered']);
  if (origin !== undefined && (typeof origin !== 'string' || !/^[\x21-\x7e]+$/.test(origin) || origin.includes('+'))) {
    throw new ConfigError("auditFile: 'origin' must be a name like 'api.acme.dev/audit/1', without spaces and plus.");
  }
  if (!Array.isArray(witnesses) || witnesses.some((witness) => typeof witness?.receive !== 'function')) {
    throw new ConfigError(
      "auditFile: 'witnesses' must be a list, each made by httpWitness(…) or fileWitness(…), or an object of your own " +
        'with a `name` and `receive(note)`.',
    );
  }
  checkOutside(directory, witnesses);
  const { records = 1000, seconds = 60 } = checkpointEvery;
  const { maxSegmentBytes = 64 * 1024 ** 2, maxSegmentSeconds = 86_400, maxQueued = 4096 } = options;
  return {
    durability,
    durable: durability !== 'buffered',
    origin,
    ...readKey(directory, checkpointKey),
    checkpointRecords: integerOption('auditFile', 'checkpointEvery.records', records, 1, 1_000_000),
    checkpointSeconds: integerOption('auditFile', 'checkpointEvery.seconds', seconds, 1, 86_400),
    witnesses,
    maxSegmentBytes: integerOption('auditFile', 'maxSegmentBytes', maxSegmentBytes, 1024, 1024 ** 3),
    maxSegmentSeconds: integerOption('auditFile', 'maxSegmentSeconds', maxSegmentSeconds, 1, 366 * 86_400),
    maxQueued: integerOption('auditFile', 'maxQueued', maxQueued, 1, 1_000_000),
    clock: readClock('auditFile', clock),
    onTrouble: readOnTrouble('auditFile', options.onTrouble),
  };
}

/** A witness in the folder of the log would be lost, or rewritten, with the log. */
function checkOutside(directory: string, witnesses: readonly CheckpointWitness[]): void {
  const folder = realPath(directory);
  for (const { file } of witnesses) {
    if (typeof file !== 'string' || !isWithin(folder, join(realPath(dirname(file)), basename(file)))) continue;
    throw new ConfigError(
      `auditFile: the witness '${file}' lies in the folder of the log, and goes with it. Name a file elsewhere, ` +
        'where whoever can write the log cannot write.',
    );
  }
}

function isWithin(folder: string, path: string): boolean {
  const [first = ''] = relative(folder, path).split(sep);
  return first !== '..' && !isAbsolute(first);
}

/** A path that does not exist yet contains no links. */
function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return resolve(path);
  }
}

function readKey(
  directory: string,
  key: string | KeyObject | undefined,
): Pick<AuditFileSettings, 'checkpointKey' | 'checkpointKeyFile'> {
  const checkpointKeyFile = typeof key === 'string' ? readKeyFile(key) : join(directory, 'checkpoint-key.pem');
  if (key === undefined || typeof key === 'string') return { checkpointKey: undefined, checkpointKeyFile };
  return { checkpointKey: checkKey(key, "'checkpointKey'"), checkpointKeyFile };
}

/** A key taken for a path would become the name of a new file, with another key in it, or be printed with an error. */
function readKeyFile(path: string): string {
  if (path !== '' && !path.includes('\n') && withoutPrivateKeys(path) === path) return path;
  throw new ConfigError(
    "auditFile: 'checkpointKey' must be the name of a file, or a KeyObject. Write createPrivateKey(…) around the text of a key.",
  );
}
