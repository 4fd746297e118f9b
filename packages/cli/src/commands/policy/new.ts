import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cedarFromText, checkPolicies } from '@countersign/core';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { requireEmpty } from '../empty-folder.js';
import { countText } from './lines.js';
import { withCliErrors } from './load.js';
import { readRoutes } from './routes.js';
import { scaffold } from './scaffold.js';

export interface NewOptions {
  readonly routes: string;
}

/** Writes a starter folder: schema, policies and test cases. */
export async function newPolicies(folder: string, { routes: file }: NewOptions, io: Io): Promise<void> {
  const text = file === '-' ? Buffer.from(await io.stdin()).toString() : await readFile(file, 'utf8');
  const routes = readRoutes(text, file === '-' ? 'standard input' : file);
  const files = scaffold(routes);
  const { 'policies.cedar': policies = '', 'schema.cedarschema': schema = '' } = files;
  // Before anything is written: the name of a type may be reserved in Cedar.
  await withCliErrors(() => cedarFromText({ policies, schema }));
  await requireEmpty(folder);
  await mkdir(folder, { recursive: true });
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(folder, name), content, { flag: 'wx' });
    io.out(`${printable(join(folder, name))}\n`);
  }
  const { findings } = await checkPolicies(folder);
  const shown = printable(folder);
  io.err(
    `${countText(routes.length, 'route')}, ${countText(new Set(routes.map(({ action }) => action)).size, 'action')}. ` +
      `${findings.length === 0 ? 'Narrow them, then' : 'Mend what this says:'} countersign policy check ${shown}\n`,
  );
}
