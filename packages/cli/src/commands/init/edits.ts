import { posix } from 'node:path';
import type { Application, Framework } from './application.js';
import type { Applications } from './applications.js';
import { routerNames } from './calls.js';
import { type Creation, guardPlace, type NamedCreation } from './creation.js';
import type { FoundRoute } from './find-routes.js';
import { usesGuard } from './guard-uses.js';
import { importIn, importLine, isEsModule, relativeTo } from './import-lines.js';
import { importsOf } from './imports.js';
import { findRootModule, moduleText, rootModuleName, withModule } from './nest-edits.js';
import type { Source } from './sources.js';
import { parsed } from './syntax.js';
import { type Conversions, permitObjectText, permitText } from './texts.js';
import { readHandlers } from './uses.js';

/** A file before and after, by lines. Undefined: the line is new. */
export interface Edited {
  readonly path: string;
  readonly lines: readonly { readonly before: string | undefined; readonly after: string }[];
}

/** The changes of files, and what only a person can place. */
export interface Edits {
  readonly edited: readonly Edited[];
  /** Whether a file has the guard already, or gets it here. Without it, permits would refuse people, too. */
  readonly hasGuard: boolean;
  /** Where applications are created that a person has to guard. */
  readonly unguarded: readonly Creation[];
  /** Applications that the guard of another one covers, as far as a person may not know it yet. */
  readonly mounted: Applications['mounted'];
  /** Routes whose permit a person has to write, and why, as far as that is known. */
  readonly byHand: readonly (FoundRoute & { readonly problem?: string })[];
}

/** A route that gets its permit. */
interface PermittedRoute extends FoundRoute {
  readonly conversions: Conversions;
}

/** What to change in the files: the guard where the application is created, and a permit for each of some routes. */
export function planEdits(
  sources: readonly Source[],
  found: readonly FoundRoute[],
  routes: readonly FoundRoute[],
  { application, applications, guardPath }: Target,
): Edits {
  const { framework } = application;
  const users = sources.filter(usesGuard);
  const { roots, mounted } = applications;
  const creations = [...roots, ...mounted];
  const [creation] = roots;
  const root = framework === 'nestjs' ? findRootModule(sources) : undefined;
  const isPlaced = roots.length === 1 && creation?.named !== undefined;
  const guarded = root ?? (isPlaced ? creation.source : undefined);
  const edited: Edited[] = [];
  const byHand: Edits['byHand'][number][] = routes.filter(
    ({ place, isPermitted }) => place === undefined && !isPermitted,
  );
  for (const source of sources) {
    const placed = routes.filter(({ file, place }) => file === source.path && place !== undefined);
    const idOf = placed.length === 0 ? undefined : readHandlers(source, found);
    const isOpen =
      users.length > 0 && creations.some((each) => each.source === source) && !isBelow(source, users, sources);
    const problem = isOpen ? { problem: 'that file creates an application without the guard' } : undefined;
    const named = placed.map((route) => ({ ...route, ...(problem ?? idOf?.(route)) }));
    byHand.push(...named.filter((route) => 'problem' in route));
    // The list of routes may have them in any order; each permit is put in from the end.
    const own = named
      .filter((route) => 'conversions' in route)
      .toSorted((one, other) => (one.place?.offset ?? 0) - (other.place?.offset ?? 0));
    const guards = source === guarded && users.length === 0;
    if (own.length === 0 && !guards) continue;
    const module = guards ? { ...guardModule(source, sources, guardPath), named: creation?.named } : undefined;
    const after = edit(source, own, application, module);
    if (parsed({ path: source.path, text: after.lines.map((line) => line.after).join('\n') })) edited.push(after);
    else if (guards) return withoutGuard(applications);
    else byHand.push(...own);
  }
  if (users.length === 0 && guarded === undefined) return withoutGuard(applications);
  // A guard that only a mounted application has comes behind what the other one reads.
  const isInner = users.length > 0 && users.every((user) => mounted.some(({ source }) => source === user));
  const isNew = users.length === 0;
  const unguarded =
    isInner || (!isNew && roots.length > 1) ? roots.filter(({ source }) => !users.includes(source)) : [];
  return { edited, unguarded, mounted: isNew || isInner ? mounted : [], hasGuard: true, byHand };
}

/** What gets the guard. */
interface Target {
  readonly application: Application;
  readonly applications: Applications;
  readonly guardPath: string;
}

/** Whether a file is one of these, or they import it, also through others. */
function isBelow(source: Source, users: readonly Source[], sources: readonly Source[]): boolean {
  const known = new Set(users);
  for (const file of known)
    for (const { target } of importsOf(file, sources)) if (target !== undefined) known.add(target);
  return known.has(source);
}

function withoutGuard({ roots, mounted }: Applications): Edits {
  return { edited: [], hasGuard: false, unguarded: roots, mounted, byHand: [] };
}

/** What a person writes where `init` places no guard. */
export function guardByHand(
  source: Source | undefined,
  application: Application,
  guardPath: string,
): readonly string[] {
  const { framework } = application;
  if (framework === 'nestjs') return [moduleText];
  const { path, text } = source ?? { path: '', text: '' };
  const isModule = isEsModule(text, application);
  return [
    importLine(['agentAuth'], `@countersign/${framework}`, isModule),
    importLine(['guard'], relativeTo(path, { path: guardPath, other: importIn(text) }, application), isModule),
    guardLine('app', framework, false),
  ];
}

function guardModule(source: Source, sources: readonly Source[], path: string): Omit<GuardModule, 'named'> {
  const alike = [source, ...sources.filter((each) => posix.extname(each.path) === posix.extname(source.path))];
  const other = alike.map(({ text }) => importIn(text)).find((found) => found !== undefined);
  return { path, other, routers: routerNames(source, sources), root: rootModuleName(sources) };
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
  /** The application of other frameworks. */
  readonly named: NamedCreation | undefined;
}

/** `guardModule`: also puts the guard into the application that this file creates. */
function edit(
  source: Source,
  routes: readonly PermittedRoute[],
  application: Application,
  guardModule: GuardModule | undefined,
): Edited {
  const { path, text } = source;
  const { framework } = application;
  const isNest = framework === 'nestjs';
  const inModule = isNest && guardModule !== undefined ? withModule(text, guardModule.root) : text;
  const changed = routes.reduceRight((result, route) => insertPermit(result, route, framework), inModule);
  const isModule = isEsModule(text, application);
  const [guardName, permitName] = isNest ? ['CountersignModule', 'Permit'] : ['agentAuth', 'permit'];
  const names = [...(guardModule === undefined ? [] : [guardName]), ...(routes.length === 0 ? [] : [permitName])];
  const known = text.split('\n').filter((line) => /^(?!\s*(?:\/\/|\/?\*)).*@countersign\//.test(line));
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
    lines.splice(index, 0, added(indent + permitText(route, framework, route.conversions)));
  }
  if (guardModule?.named !== undefined && !isNest) {
    // TypeScript compiles an import to CommonJS, where nothing awaits at the top.
    const mayAwait = application.esm || /\.m[jt]s$/.test(path);
    const { line, name, indent } = guardPlace(text, guardModule.named, framework, guardModule.routers);
    lines.splice(line, 0, added(indent + styled(guardLine(name, framework, indent === '' && isModule && mayAwait))));
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

function insertPermit(text: string, route: PermittedRoute, framework: Framework): string {
  const { place, conversions } = route;
  if (place === undefined || (place.kind === 'line' && endsLine(text, route))) return text;
  if (place.kind === 'config') {
    return `${text.slice(0, place.offset)} permit: ${permitObjectText(route, framework, conversions)},${text.slice(place.offset)}`;
  }
  const permit = permitText(route, framework, conversions);
  const inserted = { argument: `, ${permit}`, line: ` ${permit}`, spread: ` ...${permit},`, first: `${permit}, ` }[
    place.kind
  ];
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

function guardLine(name: string, framework: Framework, mayAwait: boolean): string {
  if (framework === 'fastify') return `${mayAwait ? 'await ' : ''}${name}.register(agentAuth, { guard });`;
  return `${name}.use(agentAuth(guard))${name === '' ? '' : ';'} // before any body parser`;
}
