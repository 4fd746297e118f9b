import { extname } from 'node:path';
import { ConfigError, type FileSet } from '@countersign/common';

/** A list of digests in the format of `sha256sum`. */
export const MANIFEST = 'SHA256SUMS';

/**
 * Compares the files of a folder with its manifest, if it has one. The manifest must list exactly the files that are read.
 *
 * @throws ConfigError with a line for each fault.
 */
export function checkManifest({ files, digests }: FileSet): void {
  const manifest = files.get(MANIFEST);
  if (manifest === undefined) return;
  const read = new Map([...digests].filter(([name]) => name !== MANIFEST));
  const { listed, faults } = readManifest(manifest.toString());
  for (const [name, digest] of read) {
    if (!listed.has(name)) faults.push(`${MANIFEST} does not list ${name}.`);
    else if (listed.get(name) !== digest) faults.push(`${name} does not match its digest in ${MANIFEST}.`);
  }
  for (const name of listed.keys()) {
    if (!read.has(name)) faults.push(`${MANIFEST} lists ${JSON.stringify(name)}, which is not read from this folder.`);
  }
  if (faults.length > 0) throw new ConfigError(`${faults.join('\n  ')} ${adviceFor([...read.keys()])}`);
}

function adviceFor(names: readonly string[]): string {
  const patterns = new Set(['*.cedar', ...names.map((name) => (name.endsWith('.json') ? name : `*${extname(name)}`))]);
  return `Write it again, after all other files: sha256sum ${[...patterns].join(' ')} > ${MANIFEST}`;
}

/** Digests by name. */
function readManifest(text: string): { readonly listed: ReadonlyMap<string, string>; readonly faults: string[] } {
  const listed = new Map<string, string>();
  const faults: string[] = [];
  for (const [index, line] of text
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .entries()) {
    // An asterisk before the name marks binary mode.
    const [, digest, name] = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line) ?? [];
    if (digest === undefined || name === undefined || listed.has(name)) {
      faults.push(`${MANIFEST}:${index + 1}: expected the digest and the name of one more file.`);
    } else {
      listed.set(name, digest.toLowerCase());
    }
  }
  return { listed, faults };
}
