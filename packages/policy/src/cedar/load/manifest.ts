import { ConfigError, type FileSet } from '@countersign/common';

/** A list of digests as `sha256sum` writes it. */
export const MANIFEST = 'SHA256SUMS';

const ADVICE = `Write it anew, last of all files: sha256sum *.cedar *.cedarschema entities.json > ${MANIFEST} (without those that you have not).`;

/**
 * Compares a folder with the manifest in it, if it has one. It must name each file that is read, and no other.
 *
 * @throws ConfigError
 */
export function checkManifest({ files, digests }: FileSet): void {
  const manifest = files.get(MANIFEST);
  if (manifest === undefined) return;
  const listed = readManifest(manifest.toString());
  for (const [name, digest] of digests) {
    if (name === MANIFEST) continue;
    const expected = listed.get(name);
    if (expected === undefined) throw new ConfigError(`${MANIFEST} does not name ${name}. ${ADVICE}`);
    if (expected !== digest) throw new ConfigError(`${name} is not the file that ${MANIFEST} names. ${ADVICE}`);
  }
  for (const name of listed.keys()) {
    if (name === MANIFEST || !digests.has(name)) {
      throw new ConfigError(`${MANIFEST} names ${JSON.stringify(name)}, which is not read from this folder. ${ADVICE}`);
    }
  }
}

/** Digests by name. */
function readManifest(text: string): ReadonlyMap<string, string> {
  const listed = new Map<string, string>();
  for (const [place, line] of text
    .replace(/\r?\n$/, '')
    .split(/\r?\n/)
    .entries()) {
    // An asterisk before the name says that the file was read as bytes.
    const [, digest, name] = /^([0-9a-f]{64}) [ *](.+)$/i.exec(line) ?? [];
    if (digest === undefined || name === undefined || listed.has(name)) {
      throw new ConfigError(`${MANIFEST}:${place + 1}: expected the digest and the name of one more file. ${ADVICE}`);
    }
    listed.set(name, digest.toLowerCase());
  }
  return listed;
}
