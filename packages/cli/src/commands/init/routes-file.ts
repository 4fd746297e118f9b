import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CliError, exitCodes } from '../../cli-error.js';
import { readRoutes, type Route, scopeOf } from '../policy/routes.js';
import { type FoundRoute, shapeOf } from './find-routes.js';
import type { Source } from './sources.js';
import { type Reason, reasons, suggest } from './suggest.js';

/** The list of routes that agents may use; a person changes it and runs `init` again. */
export const routesFile = 'agent-routes.txt';

/** What `init` makes of the routes of an application. */
export interface Choice {
  /** Those that agents may use. */
  readonly routes: readonly Route[];
  /** Of these, those that the source declares once. */
  readonly declared: readonly FoundRoute[];
  /** Of these, those that the source does not declare, or in several places. */
  readonly elsewhere: readonly Route[];
  /** Places of routes that the guard does not close. */
  readonly foreign: readonly string[];
  /** The list, with the others commented out. */
  readonly text: string;
}

/** An agent may have so many scopes. */
const mostScopes = 100;

/**
 * The routes of `file`, else of the list that an earlier `init` wrote, else a suggestion.
 *
 * @throws CliError if the list cannot be read or has too many routes for one agent.
 */
export async function chooseRoutes(
  folder: string,
  file: string | undefined,
  found: readonly FoundRoute[],
  foreign: readonly string[],
  sources: readonly Source[],
): Promise<Choice> {
  const name = file ?? routesFile;
  const text = file === undefined ? await readFile(join(folder, routesFile), 'utf8').catch(() => '') : undefined;
  const listed = text === undefined ? readRoutes(await readFile(name, 'utf8'), name) : ownList(text);
  const { suggested, others } = suggest(found, sources);
  const matched = (listed ?? suggested.map((route) => ({ ...route, path: route.listed }))).map((route) => {
    const declared = declarationOf(route, found);
    // The source knows better what `/articles/:slug/comments` is about than its path alone.
    const { action, resource } = route.isNamed === true || declared === undefined ? route : declared;
    return { route: { method: route.method, path: route.path, action, resource }, declared };
  });
  const routes = matched.map(({ route }) => route);
  const declared = matched.flatMap(({ route: { action, resource }, declared: at }) =>
    at === undefined ? [] : [{ ...at, action, resource }],
  );
  const scopes = new Set(routes.map(scopeOf));
  if (scopes.size > mostScopes) {
    const advice = `an agent may have ${mostScopes}. Name the routes that this agent needs in ${name}`;
    throw new CliError(`${routes.length} routes need ${scopes.size} scopes; ${advice}`, exitCodes.usage);
  }
  return {
    routes,
    declared,
    elsewhere: matched.flatMap(({ route, declared: at }) => (at === undefined ? [route] : [])),
    foreign,
    text: `${listText(matched, declared, { ...others, more: [...others.more, ...suggested] })}${foreignText(foreign)}`,
  };
}

/** An own list may close every route; without one there is none. */
function ownList(text: string): readonly Route[] | undefined {
  if (text === '') return undefined;
  return /^[^#\s]/m.test(text) ? readRoutes(text, routesFile) : [];
}

/** The declaration that a route names, with the prefix of a mount or without; undefined if there are several or none. */
function declarationOf(route: Route, found: readonly FoundRoute[]): FoundRoute | undefined {
  const [first, second] = declarationsOf(route, found);
  return second === undefined ? first : undefined;
}

/** The declarations that a route names equally well. */
export function declarationsOf({ method, path }: Route, found: readonly FoundRoute[]): readonly FoundRoute[] {
  const wanted = shapeOf(path);
  const ranked = found
    .filter((route) => route.method === method)
    .map((route) => ({ route, rank: rankOf(route, wanted) }));
  const best = Math.max(...ranked.map(({ rank }) => rank));
  return best > 0 ? ranked.filter(({ rank }) => rank === best).map(({ route }) => route) : [];
}

/** How well a declaration matches: best by its whole path, else by as much of it as possible. */
function rankOf({ listed, own }: FoundRoute, wanted: string): number {
  if (shapeOf(listed) === wanted) return Infinity;
  return wanted.endsWith(shapeOf(own)) ? shapeOf(own).length : 0;
}

function listText(
  open: readonly { readonly route: Route; readonly declared: FoundRoute | undefined }[],
  declared: readonly FoundRoute[],
  others: Readonly<Record<Reason, readonly FoundRoute[]>>,
): string {
  const used = new Set(declared.map(keyOf));
  const groups = Object.entries(reasons).map(([reason, meaning]) => {
    const places = new Map<string, string[]>();
    for (const route of others[reason as Reason].filter((each) => !used.has(keyOf(each)))) {
      const line = lineOf({ ...route, path: route.listed });
      places.set(line, [...(places.get(line) ?? []), route.where]);
    }
    const lines = [...places].map(([line, wheres]) => `# ${line} # ${wheres.join(', ')}\n`);
    return lines.length === 0 ? '' : `\n# Closed to agents: ${meaning}.\n${lines.join('')}`;
  });
  const lines = open.map(({ route, declared: at }) => `${lineOf(route)}${at === undefined ? '' : ` # ${at.where}`}\n`);
  return `${heading}${lines.join('')}${groups.join('')}`;
}

function foreignText(foreign: readonly string[]): string {
  return foreign.length === 0 ? '' : `\n# ${notClosed}: ${foreign.join(', ')}.\n# ${closeThem}\n`;
}

export const notClosed =
  'Not closed by this guard, because they are of another framework or router, or of an application that is called by its callback()';
export const closeThem =
  'Such an application needs an agentAuth of its own adapter, with the same guard. A router without an adapter needs a permit before it, in the same use.';

const heading = `# The routes that agents may use, one a line: METHOD /path action Resource. A route that is not here stays closed.
# Change this list, run countersign init again, and apply the diff that it prints.
`;

function lineOf({ method, path, action, resource }: Route): string {
  return `${method} ${path} ${action} ${resource}`;
}

function keyOf({ file, method, path }: FoundRoute): string {
  return `${file} ${method} ${path}`;
}
