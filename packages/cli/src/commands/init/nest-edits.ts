import type { Source } from './sources.js';

/** The class that `NestFactory.create` takes, and its decorator. */
const creation = /NestFactory\.create(?:<[^>\n]{0,100}>)?\(\s*(\w+)/;

/** The root module of an application of NestJS; undefined if it is not created in a way that is known. */
export function findRootModule(sources: readonly Source[]): Source | undefined {
  const name = sources.map(({ text }) => creation.exec(text)?.[1]).find((found) => found !== undefined) ?? 'AppModule';
  return sources.find(
    ({ text }) => placeOfModule(text) !== undefined && text.split(/\W+/).join(' ').includes(`class ${name} `),
  );
}

interface ModulePlace {
  readonly offset: number;
  readonly lists: boolean;
}

/** Where an import goes: into the list of imports, or into the object that has none. */
function placeOfModule(text: string): ModulePlace | undefined {
  const start = /@Module\(\s*\{/.exec(text);
  if (start === null) return undefined;
  const offset = start.index + start[0].length;
  const list = /^[^}]*?\bimports:\s*\[/.exec(text.slice(offset));
  return list === null ? { offset, lists: false } : { offset: offset + list[0].length, lists: true };
}

/** The text with `CountersignModule` in the first module, on the same lines. */
export function withModule(text: string): string {
  const place = placeOfModule(text);
  if (place === undefined) return text;
  const { offset, lists } = place;
  const module = 'CountersignModule.forRootAsync({ useFactory: createAppGuard })';
  const [rest = ''] = text.slice(offset).split('\n', 1);
  const following = text.slice(offset).trimStart();
  const comma = following.startsWith(']') || following.startsWith('}') ? '' : ',';
  const space = rest.trim() === '' || rest.trimStart().startsWith(']') ? '' : ' ';
  const inserted = lists ? `${module}${comma}${space}` : ` imports: [${module}]${comma === '' ? ' ' : ','}`;
  return text.slice(0, offset) + inserted + text.slice(offset);
}
