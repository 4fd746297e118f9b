import { ownMembers } from './calls.js';
import type { Source } from './sources.js';

/** The class that `NestFactory.create` takes, and its decorator. */
const creation = /NestFactory\.create(?:<[^>\n]{0,100}>)?\(\s*(\w+)/;

/** The name of the class of which the application is created. */
export function rootModuleName(sources: readonly Source[]): string {
  return sources.map(({ text }) => creation.exec(text)?.[1]).find((found) => found !== undefined) ?? 'AppModule';
}

/** The root module of an application of NestJS; undefined if several are created, or it is in a way that is not known. */
export function findRootModule(sources: readonly Source[]): Source | undefined {
  if (sources.filter(({ text }) => creation.test(text)).length > 1) return undefined;
  const name = rootModuleName(sources);
  return sources.find(({ text }) => placeOfModule(text, name) !== undefined);
}

interface ModulePlace {
  readonly offset: number;
  readonly lists: boolean;
}

/**
 * Where an import goes: into the list of imports, or into the object that has none. Undefined if the object may get its
 * imports in another way, which would replace those that are written.
 */
function placeOfModule(text: string, name: string): ModulePlace | undefined {
  const declared = [...text.matchAll(/\bclass\s+(\w+)/g)].find((match) => match[1] === name);
  const start = [...text.slice(0, declared?.index ?? 0).matchAll(/@Module\(\s*\{/g)].at(-1);
  if (start === undefined) return undefined;
  const offset = start.index + start[0].length;
  const members = ownMembers(text, offset);
  if (members === undefined || members.includes('...')) return undefined;
  const list = /^[^]*?\bimports['"]?\s*:\s*\[/.exec(members);
  if (list !== null) return { offset: offset + list[0].length, lists: true };
  return text.slice(offset, offset + members.length).includes('imports') ? undefined : { offset, lists: false };
}

export const moduleText = 'CountersignModule.forRootAsync({ useFactory: createAppGuard })';

/** The text with `CountersignModule` in the module of this name, on the same lines. */
export function withModule(text: string, name: string): string {
  const place = placeOfModule(text, name);
  if (place === undefined) return text;
  const { offset, lists } = place;
  const [rest = ''] = text.slice(offset).split('\n', 1);
  const following = text.slice(offset).trimStart();
  const comma = following.startsWith(']') || following.startsWith('}') ? '' : ',';
  const space = rest.trim() === '' || rest.trimStart().startsWith(']') ? '' : ' ';
  const inserted = lists ? `${moduleText}${comma}${space}` : ` imports: [${moduleText}]${comma === '' ? ' ' : ','}`;
  return text.slice(0, offset) + inserted + text.slice(offset);
}
