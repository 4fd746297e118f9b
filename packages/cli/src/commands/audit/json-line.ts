/**
 * A line of a log, as it stands there. Only in a line that no log of ours wrote is there anything to escape: what JSON
 * lets stand and a terminal obeys.
 */
export function jsonLine(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('utf8')
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (character) =>
      Array.from({ length: character.length }, (_, at) => character.charCodeAt(at))
        .map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`)
        .join(''),
    );
}
