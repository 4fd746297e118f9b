import { eachInTurn, type Turns } from '@countersign/common';

/** Bytes that are decoded at once: less than a millisecond. */
const PIECE = 512 * 1024;

/** Decodes UTF-8, without a byte order mark at its start. @throws TypeError (as a rejection) if it is not UTF-8. */
export async function decodeUtf8(bytes: Uint8Array, turns: Turns): Promise<string> {
  // Only the first piece may begin with a mark that is none of the text.
  let decoder = new TextDecoder('utf-8', { fatal: true });
  const texts: string[] = [];
  await eachInTurn(piecesOf(bytes), turns, (piece) => {
    texts.push(decoder.decode(piece));
    decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  });
  const text = texts.join('');
  // Joining many megabytes takes a turn of its own.
  await turns();
  return text;
}

/** Not by a streaming decoder, whose strings take twice the memory. No piece begins within a character. */
function* piecesOf(bytes: Uint8Array): Generator<Uint8Array, void> {
  for (let start = 0; start < bytes.length; ) {
    let end = start + PIECE;
    for (let back = 0; back < 3 && isContinuation(bytes[end]); back++) end--;
    yield bytes.subarray(start, end);
    start = end;
  }
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0b1100_0000) === 0b1000_0000;
}
