import { readKeptCheckpoints } from './checkpoint-file.js';
import { type KeptCheckpoints, type LogReport, passOver, VerificationError } from './log-pass.js';
import { readVerifierKey } from './note.js';

export interface VerifyLogOptions {
  /** The verifier key of the log, from somewhere else than its folder: `name+id+base64`. */
  readonly key: string;
  /**
   * Checkpoints that were kept elsewhere: the text of one note, or of several with blank lines between. If there are
   * several files, the text of each. Those of other logs are skipped, with a remark.
   */
  readonly checkpoints?: string | readonly string[];
  /**
   * The oldest segments were moved to an archive: begin with the first one that is there. A checkpoint must confirm what
   * it says was before it. Default false.
   */
  readonly archived?: boolean;
}

/**
 * Verifies a whole log: each record in its place, and all of them those that were sealed. Reads a million records in
 * seconds, again if something is wrong with what was sealed, and holds none of them. It may be written meanwhile.
 *
 * @throws VerificationError if the folder holds no log and no checkpoint tells of one, the key is none, or a text of
 * `checkpoints` holds none of this log.
 *
 * @example
 * const { ok, findings } = await verifyLog('audit', { key: await readFile('checkpoint.vkey', 'utf8') });
 * for (const { message, file, line } of findings) console.log(message, file, line);
 */
export async function verifyLog(directory: string, options: VerifyLogOptions): Promise<LogReport> {
  const key = readVerifierKey(options.key.trim());
  if (typeof key === 'string') throw new VerificationError(`The key is no verifier key, name+id+base64 (${key}).`);
  const log = { directory, key, kept: keptElsewhere(options.checkpoints ?? []), archived: options.archived === true };
  const { report, signed } = await passOver(log);
  // What was trusted for its seal is not what was sealed: each line of it is read.
  return report.sealed === signed ? report : (await passOver(log, report.sealed)).report;
}

/** A text without any must not pass for one that agrees. */
function keptElsewhere(checkpoints: string | readonly string[]): readonly KeptCheckpoints[] {
  const texts = typeof checkpoints === 'string' ? [checkpoints] : checkpoints;
  return texts.map((text, index) => {
    const name = `the checkpoints kept elsewhere${texts.length === 1 ? '' : ` (${index + 1})`}`;
    const kept = readKeptCheckpoints(text);
    if (kept.notes.length === 0) throw new VerificationError(`There is no whole checkpoint in ${name}.`);
    return { name, ...kept };
  });
}
