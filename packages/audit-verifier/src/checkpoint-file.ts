/** A parsed file of checkpoints. */
export interface CheckpointFile {
  /** The complete notes. */
  readonly notes: string[];
  /** Lines, from 1, where text begins that is not a note. */
  readonly strays: readonly number[];
}

const signatureStart = '— ';

/** The text of a note without its signatures. */
export function signedText(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}

/**
 * Splits the checkpoints in the folder of a log. An incomplete last one is skipped: it is being written, or a crash tore
 * it.
 */
export function splitCheckpoints(file: string): string[] {
  return readOwnCheckpoints(file).notes;
}

/** Like `splitCheckpoints`, with the places of other text. */
export function readOwnCheckpoints(file: string): CheckpointFile {
  const { notes, strays, open } = split(file.slice(0, file.lastIndexOf('\n') + 1));
  return { notes, strays: open ? strays.slice(0, -1) : strays };
}

/**
 * Splits checkpoints that were kept elsewhere. Other programs handled them, so line ends may be those of Windows and the
 * last may be missing. Nobody writes to this copy, so any incomplete note is a stray.
 */
export function readKeptCheckpoints(text: string): CheckpointFile {
  const { notes, strays } = split(`${text.replaceAll('\r\n', '\n')}\n`);
  return { notes, strays };
}

/** A note is its lines, a blank line, and its signatures. Other text is skipped up to the next note. */
function split(file: string): CheckpointFile & { readonly open: boolean } {
  const notes: string[] = [];
  const strays: number[] = [];
  let text: string[] = [];
  let signatures: string[] = [];
  let start = 0;
  const end = (): void => {
    if (signatures.length > 0) notes.push(`${text.join('\n')}\n\n${signatures.join('\n')}\n`);
    else if (text.length > 0) strays.push(start);
    text = [];
    signatures = [];
  };
  let previous = '';
  for (const [index, line] of file.split('\n').entries()) {
    const signs = previous === '' ? text.length > 0 && signatures.length === 0 : signatures.length > 0;
    if (signs && line.startsWith(signatureStart)) {
      signatures.push(line);
    } else if (line !== '') {
      if (previous === '' || signatures.length > 0) end();
      if (text.length === 0) start = index + 1;
      text.push(line);
    }
    previous = line;
  }
  const open = text.length > 0 && signatures.length === 0;
  end();
  return { notes, strays, open };
}
