import { rename, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Puts new content in the place of the old at once, so that whoever follows the file or its folder sees one change. */
export async function putFile(file: string, content: string): Promise<void> {
  const beside = `${dirname(file)}.new`;
  await writeFile(beside, content);
  await rename(beside, file);
}
