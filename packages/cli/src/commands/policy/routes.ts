import { parseScope } from '@countersign/delegation';
import { CliError, exitCodes } from '../../cli-error.js';
import { namesFor } from './names.js';

/** A route of an API with the action and resource type of its permit. */
export interface Route {
  readonly method: string;
  readonly path: string;
  readonly action: string;
  /** Cedar type of the resource. */
  readonly resource: string;
  /** Whether the listing itself names the action. */
  readonly isNamed?: boolean;
}

interface Listed {
  readonly method: string;
  readonly path: string;
  readonly action?: string | undefined;
  readonly resource?: string | undefined;
  /** Line of the file, from 1. */
  readonly line: number;
}

const METHOD = /^[A-Z]+$/;
const READING_METHODS = ['GET', 'HEAD', 'QUERY'];
/** The framework answers these methods itself. */
const IGNORED_METHODS = ['OPTIONS', 'TRACE', 'CONNECT'];

export function isReading({ method }: Route): boolean {
  return READING_METHODS.includes(method);
}

/**
 * Reads a listing of routes: lines of `METHOD /path [action [Resource]]`, or the tree of Fastify's `printRoutes()`.
 *
 * @throws CliError naming the line.
 */
export function readRoutes(text: string, file: string): readonly Route[] {
  const lines = text.split(/\r?\n/);
  const isTree = lines.some((line) => /^[│ ]*[├└]── /.test(line));
  const listed = isTree ? treeRoutes(lines) : lines.flatMap((line, place) => lineRoute(line, place + 1, file));
  const wanted = listed.filter(({ method }) => !IGNORED_METHODS.includes(method));
  const routes = wanted.filter((route) => !isHeadOfGet(route, wanted)).map((route) => routeFrom(route, file));
  if (routes.length === 0)
    throw new CliError(`${file}: there is no route. Write METHOD /path in a line`, exitCodes.usage);
  return routes;
}

function lineRoute(text: string, line: number, file: string): Listed[] {
  // A comment behind a route says where it is declared.
  const words = text.replace(/ #.*/, '').trim().split(/\s+/);
  const [method = '', path = '', action, resource, ...more] = words;
  if (method === '' || method.startsWith('#')) return [];
  if (!METHOD.test(method) || !path.startsWith('/') || more.length > 0) {
    throw new CliError(`${file}:${line}: write METHOD /path [action [Resource]]`, exitCodes.usage);
  }
  return [{ method, path, action, resource, line }];
}

/** Each branch extends the path of its parent. Its methods follow in brackets. */
function treeRoutes(lines: readonly string[]): Listed[] {
  const paths: string[] = [];
  return lines.flatMap((text, place) => {
    const [, trunk, part = '', methods = ''] = /^((?:│ {3}| {4})*)[├└]── (\S*)(?: \(([A-Z, ]+)\))?/.exec(text) ?? [];
    if (trunk === undefined) return [];
    const depth = trunk.length / 4;
    paths.length = depth;
    const path = `${paths[depth - 1] ?? ''}${part === '(empty' ? '' : part}`;
    paths[depth] = path;
    const named = methods.split(', ').filter((method) => METHOD.test(method));
    return named.map((method) => ({ method, path: path === '' ? '/' : path, line: place + 1 }));
  });
}

function isHeadOfGet({ method, path }: Listed, others: readonly Listed[]): boolean {
  return method === 'HEAD' && others.some((other) => other.method === 'GET' && other.path === path);
}

function routeFrom({ method, path, action, resource, line }: Listed, file: string): Route {
  const named = namesFor(method, path);
  const route = {
    method,
    path,
    action: action ?? named.action,
    resource: resource ?? named.resource,
    isNamed: action !== undefined,
  };
  if (!/^[A-Za-z][\w.-]*$/.test(route.action) || !parseScope(scopeOf(route)).ok) {
    throw new CliError(
      `${file}:${line}: '${route.action}' is no name for an action, like invoice.read`,
      exitCodes.usage,
    );
  }
  if (!/^[A-Za-z_]\w*$/.test(route.resource) || route.resource === 'Action') {
    throw new CliError(`${file}:${line}: '${route.resource}' is no name for a type, like Dataset`, exitCodes.usage);
  }
  return route;
}

/** The scope of an action: `invoice:read` for `invoice.read`. */
export function scopeOf({ action }: Pick<Route, 'action'>): string {
  return action.replaceAll('.', ':');
}
