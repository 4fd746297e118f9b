/** A file of checkpoints, taken apart. */
export interface CheckpointFile {
  /** The notes that are whole. */
  readonly notes: string[];
  /** Lines, counted from 1, at which something begins that is no note. */
  readonly strays: readonly number[];
}

const signatureStart = '— ';

/** What a note says, signed or not. */
export function textOf(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}

/**
 * Splits the checkpoints of a log, as its folder holds them. A last one that is not whole (it is being written, or was
 * torn by a crash) is left out.
 */
export function splitCheckpoints(file: string): string[] {
  return readOwnCheckpoints(file).notes;
}

/** The same, with what was put between the notes. */
export function readOwnCheckpoints(file: string): CheckpointFile {
  const { notes, strays, open } = split(file.slice(0, file.lastIndexOf('\n') + 1));
  return { notes, strays: open ? strays.slice(0, -1) : strays };
}

/**
 * Splits checkpoints that were kept elsewhere. They went through other hands, so ends of lines may be those of Windows,
 * and the last may be missing. Nobody writes there while it is read: whatever is no whole note was changed, and is told.
 */
export function readKeptCheckpoints(text: string): CheckpointFile {
  const { notes, strays } = split(`${text.replaceAll('\r\n', '\n')}\n`);
  return { notes, strays };
}

/** A note is some lines, a blank one, and its signatures. After something else it goes on with the next note. */
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
