import { readKeptCheckpoints } from './checkpoint-file.js';
import { type KeptCheckpoints, type LogReport, verifyOnce, VerificationError } from './log-pass.js';
import { readVerifierKey } from './note.js';

export interface VerifyLogOptions {
  /** The verifier key of the log, `name+id+base64`. Take it from outside of the folder. */
  readonly key: string;
  /**
   * Checkpoints that were kept elsewhere: the text of a file with one or more notes, or of several files. Checkpoints of
   * other logs are skipped with a remark. Default none.
   */
  readonly checkpoints?: string | readonly string[];
  /**
   * True: the oldest segments were archived, so begin with the first that exists. A checkpoint must confirm its claim
   * about the records before. Default false.
   */
  readonly archived?: boolean;
}

/**
 * Verifies a log: the chain of its records, and that they match the checkpoints. It reads a million records in seconds, a
 * second time if a checkpoint does not match, and holds none of them in memory. The log may be written meanwhile.
 *
 * @throws VerificationError if an option is wrong, the folder holds no log and no checkpoint mentions one, the key is not a verifier key, or
 * a text of `checkpoints` has no checkpoint of this log.
 *
 * @example
 * const { ok, findings } = await verifyLog('audit', { key: await readFile('checkpoint.vkey', 'utf8') });
 * for (const { message, file, line } of findings) console.log(message, file, line);
 */
export async function verifyLog(directory: string, options: VerifyLogOptions): Promise<LogReport> {
  checkOptions(options);
  const key = readVerifierKey(options.key.trim());
  if (typeof key === 'string') throw new VerificationError(`The key is no verifier key, name+id+base64 (${key}).`);
  const log = { directory, key, kept: keptElsewhere(options.checkpoints ?? []), archived: options.archived ?? false };
  const { report, signed } = await verifyOnce(log);
  // Fewer records match a checkpoint than were trusted: parse the others too.
  return report.sealed === signed ? report : (await verifyOnce(log, report.sealed)).report;
}

/** Misspelt checkpoints, or those of a misspelt constant, would be compared with nothing. */
function checkOptions(options: VerifyLogOptions): void {
  const unknown = Object.keys(options).find((name) => !['key', 'checkpoints', 'archived'].includes(name));
  if (unknown !== undefined) {
    throw new VerificationError(`verifyLog: unknown option '${unknown}'. Known options: key, checkpoints, archived.`);
  }
  if ('checkpoints' in options && options.checkpoints === undefined) {
    throw new VerificationError("verifyLog: 'checkpoints' is undefined. Leave the member out, or give it a value.");
  }
  if (options.archived !== undefined && typeof options.archived !== 'boolean') {
    throw new VerificationError("verifyLog: 'archived' must be true or false.");
  }
}

/** A text without a checkpoint must not pass for one that agrees. */
function keptElsewhere(checkpoints: string | readonly string[]): readonly KeptCheckpoints[] {
  const texts = typeof checkpoints === 'string' ? [checkpoints] : checkpoints;
  return texts.map((text, index) => {
    const name = `the checkpoints kept elsewhere${texts.length === 1 ? '' : ` (${index + 1})`}`;
    const kept = readKeptCheckpoints(text);
    if (kept.notes.length === 0) throw new VerificationError(`There is no whole checkpoint in ${name}.`);
    return { name, ...kept };
  });
}
