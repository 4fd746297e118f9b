import { posix } from 'node:path';
import type { Application, Framework } from './application.js';
import { endOfCall, routerNames, skipSpace } from './calls.js';
import type { FoundRoute } from './find-routes.js';
import type { Source } from './sources.js';
import { isOuter, placeOnKoa } from './place-on-koa.js';
import { findRootModule, rootModuleName, withModule } from './nest-edits.js';
import { permitObjectText, permitText } from './texts.js';

/** A file before and after, by lines. Undefined: the line is new. */
export interface Edited {
  readonly path: string;
  readonly lines: readonly { readonly before: string | undefined; readonly after: string }[];
}

/** How each framework creates an application. */
const creations: Readonly<Record<Framework, RegExp>> = {
  express: /=\s?(?:express|express\.default)\(/,
  fastify: /=\s?(?:await )?[fF]astify(?:\.default)?\(/,
  koa: /=\s?new Koa(?:<[^>\n]{0,100}>)?\(/,
  nestjs: /@Module\(/,
};

/** Where the application is created; undefined if no file does so in a way that is known, or one creates several. */
export function findCreation(sources: readonly Source[], framework: Framework): Source | undefined {
  if (framework === 'nestjs') return findRootModule(sources);
  const [source, more] = creatingIn(sources, framework);
  return more ? undefined : source;
}

/** Whether the file that creates the application creates another one, too: only a person knows which is which. */
export function createsSeveral(sources: readonly Source[], framework: Framework): boolean {
  return framework !== 'nestjs' && creatingIn(sources, framework)[1];
}

function creatingIn(sources: readonly Source[], framework: Framework): readonly [Source | undefined, boolean] {
  const source = sources.find(({ text }) => creations[framework].test(text));
  return [source, (source?.text.split(creations[framework]).length ?? 0) > 2];
}

/** What to change in the files: the guard where the application is created, and a permit for each route. */
export function planEdits(
  sources: readonly Source[],
  routes: readonly FoundRoute[],
  application: Application,
  guardPath: string,
): readonly Edited[] {
  const creation = findCreation(sources, application.framework);
  return sources.flatMap((source) => {
    const own = routes.filter(({ file, place }) => file === source.path && place !== undefined);
    const guards = source === creation && !/agentAuth\(|\(agentAuth,|CountersignModule/.test(source.text);
    if (own.length === 0 && !guards) return [];
    const alike = [source, ...sources.filter(({ path }) => posix.extname(path) === posix.extname(source.path))];
    const other = alike.map(({ text }) => importIn(text)).find((path) => path !== undefined);
    if (!guards) return [edit(source, own, application, undefined)];
    const [routers, root] = [routerNames(source, sources), rootModuleName(sources)];
    return [edit(source, own, application, { path: guardPath, other, routers, root })];
  });
}

/** The module of the guard, and what its place in the application depends on. */
interface GuardModule {
  readonly path: string;
  /** Another relative import, whose form that of the guard takes. */
  readonly other: string | undefined;
  /** The names of routers. */
  readonly routers: ReadonlySet<string>;
  /** The name of the root module of NestJS. */
  readonly root: string;
}

/** `guardModule`: also puts the guard into the application that this file creates. */
function edit(
  { path, text }: Source,
  routes: readonly FoundRoute[],
  application: Application,
  guardModule: GuardModule | undefined,
): Edited {
  const { framework } = application;
  const isNest = framework === 'nestjs';
  const inModule = isNest && guardModule !== undefined ? withModule(text, guardModule.root) : text;
  const changed = routes.reduceRight((result, route) => insertPermit(result, route, framework), inModule);
  const isModule = /^import\s/m.test(text) || (application.esm && !/\brequire\(/.test(text));
  const [guardName, permitName] = isNest ? ['CountersignModule', 'Permit'] : ['agentAuth', 'permit'];
  const names = [...(guardModule === undefined ? [] : [guardName]), ...(routes.length === 0 ? [] : [permitName])];
  const known = text.split('\n').filter((line) => line.includes('@countersign/'));
  const missing = names.filter((name) => !known.some((line) => line.split(/\W/).includes(name)));
  const imports = missing.length === 0 ? [] : [importLine(missing, `@countersign/${framework}`, isModule)];
  if (guardModule !== undefined)
    imports.push(
      importLine([isNest ? 'createAppGuard' : 'guard'], relativeTo(path, guardModule, application), isModule),
    );
  const styled = (line: string): string => (endsLinesWithSemicolons(text) ? line : line.replace(/;(?= \/\/|$)/, ''));

  const before = text.split('\n');
  const after = changed.split('\n');
  const lines: { before: string | undefined; after: string }[] = before.map((line, at) => ({
    before: line,
    after: after[at] ?? '',
  }));
  // From the end, so that the first place stays right.
  for (const route of isNest ? routes.toReversed() : []) {
    if (!endsLine(text, route)) continue;
    const { index, indent } = lineAfter(text, route.place?.offset ?? 0);
    lines.splice(index, 0, added(indent + permitText(route, framework)));
  }
  if (guardModule !== undefined && !isNest) {
    const { end, name, indent } = creationIn(text, framework, guardModule.routers);
    lines.splice(end, 0, added(indent + styled(guardLine(name, framework, indent === '' && isModule))));
  }
  const first = before.findIndex((line) => /^(?:import\s|(?:const|let|var)\s.*\brequire\()/.test(line));
  lines.splice(
    Math.max(first, before[0]?.startsWith('#!') === true ? 1 : 0),
    0,
    ...imports.map((line) => added(styled(line))),
  );
  return { path, lines };
}

function endsLinesWithSemicolons(text: string): boolean {
  return [...text.matchAll(/;[ \t\r]*$/gm)].length > [...text.matchAll(/[)\w'"][ \t\r]*$/gm)].length / 3;
}

function added(line: string): { before: undefined; after: string } {
  return { before: undefined, after: line };
}

function insertPermit(text: string, route: FoundRoute, framework: Framework): string {
  const { place } = route;
  if (place === undefined || (place.kind === 'line' && endsLine(text, route))) return text;
  if (place.kind === 'config') {
    return `${text.slice(0, place.offset)} permit: ${permitObjectText(route, framework)},${text.slice(place.offset)}`;
  }
  const permit = permitText(route, framework);
  const inserted = { argument: `, ${permit}`, line: ` ${permit}`, spread: ` ...${permit},` }[place.kind];
  return text.slice(0, place.offset) + inserted + text.slice(place.offset);
}

/** Whether nothing follows the place: after `@Get() list() {}`, a line of its own would be above another method. */
function endsLine(text: string, { place }: FoundRoute): boolean {
  const offset = place?.offset ?? 0;
  return /^[ \t\r]*(?:\n|$)/.test(text.slice(offset));
}

/** The line after the one of an offset, with the indentation of that. */
function lineAfter(text: string, offset: number): { readonly index: number; readonly indent: string } {
  const lines = text.slice(0, offset).split('\n');
  return { index: lines.length, indent: /^\s*/.exec(lines.at(-1) ?? '')?.[0] ?? '' };
}

interface Creation {
  /** Index of the line after the statement. */
  readonly end: number;
  /** Empty in the middle of a chain of calls. */
  readonly name: string;
  readonly indent: string;
}

function creationIn(text: string, framework: Framework, routers: ReadonlySet<string>): Creation {
  const { index = 0, 0: match } = creations[framework].exec(text) ?? { 0: '' };
  const start = text.lastIndexOf('\n', index) + 1;
  const line = text.slice(start, index);
  const name = /^\s*(?:export )?(?:const|let|var) (\w+)/.exec(line)?.[1] ?? line.trim().split(/\s/).at(-1) ?? 'app';
  const created = endOfCall(text, index + match.length);
  const own = text.slice(start, skipSpace(text, start)).replaceAll('\n', '');
  const lineBehind = (place: number): number => text.slice(0, place).split('\n').length;
  if (framework !== 'koa')
    return { end: lineBehind(endOfCors(text, created, name, routers) ?? created), name, indent: own };
  const { behind, indent } = placeOnKoa(text, created, name, routers);
  return { end: lineBehind(behind), name: indent === undefined ? name : '', indent: indent ?? own };
}

/**
 * After `app.use(cors())`, because browsers sign no preflight; undefined if it is not there, or comes after anything that
 * may answer: what is not known stays behind the guard.
 */
function endOfCors(text: string, created: number, name: string, routers: ReadonlySet<string>): number | undefined {
  const call = `${name}.use(cors(`;
  const start = text.indexOf(call, created);
  if (start < 0) return undefined;
  const between = text.slice(created, start);
  const ends = [...between.matchAll(/(?<![\w.])\w+/g)]
    .filter(([word]) => word === name)
    .map(({ index }) => index + name.length);
  const uses = ends.map((end, at) => between.slice(end, ends[at + 1]));
  const end = endOfCall(text, start + name.length + '.use('.length);
  // A chain may go on with anything.
  const isChained = [between, text.slice(end, end + 100)].some((rest) => /^\)\s*\./.test(rest));
  const isCorsAlone = isOuter(text.slice(start + name.length + '.use('.length), routers);
  return !isChained && isCorsAlone && uses.every((use) => isHarmless(use, routers)) ? end : undefined;
}

function isHarmless(use: string, routers: ReadonlySet<string>): boolean {
  if (/\)\s*\./.test(use)) return false;
  return (
    /^\.(?:set|enable|disable)\(/.test(use) || (use.startsWith('.use(') && isOuter(use.slice('.use('.length), routers))
  );
}

function guardLine(name: string, framework: Framework, mayAwait: boolean): string {
  if (framework === 'fastify') return `${mayAwait ? 'await ' : ''}${name}.register(agentAuth, { guard });`;
  return `${name}.use(agentAuth(guard))${name === '' ? '' : ';'} // before any body parser`;
}

/** `names`: those of a module, or the name of its default export. */
export function importLine(names: readonly string[] | string, from: string, isModule: boolean): string {
  const list = typeof names === 'string' ? names : `{ ${names.join(', ')} }`;
  return isModule ? `import ${list} from ${quoted(from)};` : `const ${list} = require(${quoted(from)});`;
}

/** A relative import of a file. */
function importIn(text: string): string | undefined {
  return /(?:from|require\()\s?['"](\.{1,2}\/[^'"\n]+)['"]/.exec(text)?.[1];
}

/** Written as the other imports are: with an extension, also that of the source, or without. */
function relativeTo(path: string, { path: guardPath, other }: GuardModule, { esm }: Application): string {
  const target = posix.relative(posix.dirname(path), guardPath);
  const [, extension] = /\.[cm]?([jt]s)$/.exec(other ?? '') ?? [];
  const name = target.replace(/\.[jt]s$/, '');
  const written =
    extension === 'ts' ? target : extension === 'js' || (other === undefined && esm) ? `${name}.js` : name;
  return `${target.startsWith('.') ? '' : './'}${written}`;
}

function quoted(text: string): string {
  return `'${text}'`;
}
