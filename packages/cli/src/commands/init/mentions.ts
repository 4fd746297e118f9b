import {
  type Argument,
  argumentsAt,
  blankText,
  createdApplications,
  createdRouters,
  literalIn,
  ownerNames,
  ownMembers,
  type RouterCall,
  routerCalls,
  skipSpaceBefore,
  wordBefore,
} from './calls.js';
import { type Import, importedFile, importsOf } from './imports.js';
import type { Source } from './sources.js';
import { type Taker, takersIn } from './takers.js';

export interface File {
  readonly source: Source;
  /** The text without strings and comments. */
  readonly code: string;
  /** The names of what is called like a router, or created as one. */
  readonly owners: ReadonlySet<string>;
  /** The routers that it creates, each with the prefix of its options. */
  readonly created: ReadonlyMap<string, string | undefined>;
  /** Functions that get a router or an application. */
  readonly takers: readonly Taker[];
  readonly imports: readonly Import[];
  /** The names of what listens. */
  readonly listening: ReadonlySet<string>;
  /** Calls of `use` and `register`. */
  readonly uses: readonly Use[];
}

export interface Use {
  readonly call: RouterCall;
  readonly start: number;
  readonly end: number;
  readonly given: readonly Argument[];
}

/** A place that names a router, other than to give it routes or to export it. */
export interface Mention {
  /** Empty if it is the path of a file. */
  readonly name: string;
  /** The file that has the router. */
  readonly target: Source;
  readonly source: Source;
  /** Undefined if it is mounted in no way that is known here. */
  readonly mount: Mount | undefined;
}

interface Mount {
  /** What the router is mounted on, and the offset where. */
  readonly owner: string;
  readonly at: number;
  readonly madeAt?: RouterCall['madeAt'];
  /** Undefined if it cannot be read. */
  readonly path: string | undefined;
  /** Whether this is an argument of `use` or `register`. */
  readonly isUse: boolean;
}

export function fileOf(source: Source, sources: readonly Source[]): File {
  const { text } = source;
  const [calls, created, code] = [routerCalls(text), createdRouters(text), blankText(text)];
  const owners = new Set([...calls.map(({ owner }) => owner), ...created.keys(), ...createdApplications(text)]);
  return {
    source,
    code,
    owners,
    created,
    takers: takersIn(code, owners),
    imports: importsOf(source, sources),
    listening: new Set([...code.matchAll(/([\w$]{1,100})\s{0,20}\.listen\b/g)].map(([, name = '']) => name)),
    uses: calls
      .filter(({ method }) => method === 'use' || method === 'register')
      .map((call) => ({ call, ...argumentsAt(text, call.end) })),
  };
}

/** Whether a router or a function of the file has this name. */
export function isNamedIn({ owners, takers }: File, name: string): boolean {
  return owners.has(name) || takers.some((taker) => taker.name === name);
}

export function mentionsIn(file: File, files: ReadonlyMap<Source, File>): readonly Mention[] {
  const { source, code, owners, imports } = file;
  const names = [...owners, ...file.takers.map(({ name }) => name)].filter((name) => name !== '');
  const targets = new Map(names.map((name) => [name, source]));
  const hasRoutes = (target: Source | undefined): target is Source =>
    target !== undefined && (files.get(target)?.owners.size ?? 0) > 0;
  for (const { names, target } of imports) {
    if (hasRoutes(target)) for (const name of names) targets.set(name, target);
  }
  const takers = new Set([...targets].flatMap(([name, target]) => (files.get(target)?.takers.length ? [name] : [])));
  const isImport = (at: number): boolean => imports.some(({ start, end }) => at >= start && at < end);
  const named = [...code.matchAll(/(?<![\w.$])[A-Za-z_$][\w$]*/g)].flatMap(({ index, 0: name }) => {
    const target = targets.get(name);
    if (target === undefined || isImport(index)) return [];
    const behind = code.slice(index + name.length, index + name.length + 200);
    if ((target === source ? ownMember : routerMember).test(behind)) return [];
    if (target === source && (isMadeOrExported(code, index, behind) || isArgumentOf(takers, code, index))) return [];
    // A request that goes to the callback of an application of Koa has a new context there.
    const mount = behind.startsWith('.callback(') ? undefined : mountAt(file, index, index + name.length);
    // Middleware may get the application that uses it.
    return mount?.owner === name ? [] : [{ name, target, source, mount }];
  });
  const required = /\b(?:require|import)\(\s*['"]([^'"\n]+)['"]\s*\)/g;
  const inline = [...source.text.matchAll(required)].flatMap(({ index, 0: expression, 1: path = '' }) => {
    const target = importedFile(path, source, [...files.keys()]);
    if (!hasRoutes(target) || isImport(index) || code.charAt(index) === ' ') return [];
    return [{ name: '', target, source, mount: mountAt(file, index, index + expression.length) }];
  });
  return [...named, ...inline];
}

/** What is no mount of a router. What is imported may also be an object that has several. */
const ownMember = /^\s*\.(?!(?:routes|middleware|router)\b)\w/;
const routerMember = /^\s*\.(?:get|post|put|patch|delete|del|head|options|all|use|param|route|prefix|allowedMethods)\b/;

function isMadeOrExported(code: string, at: number, behind: string): boolean {
  const before = code.slice(Math.max(0, at - 500), at);
  return (
    /^\s*(?::[^=;()]{0,100})?=(?![=>])/.test(behind) ||
    /\bfunction\s+$/.test(before) ||
    /(?:\bexport default|\bexports(?:\.\w+)? ?=|\breturn)\s+$/.test(before) ||
    /(?:\bexport|\bexports ?=)\s*\{[^{}]*$/.test(before)
  );
}

/** Whether it is only given to a function that gives it routes. */
function isArgumentOf(functions: ReadonlySet<string>, code: string, at: number): boolean {
  const open = skipSpaceBefore(code, at) - 1;
  return code.charAt(open) === '(' && functions.has(wordBefore(code, open));
}

/** `start` and `end`: of the expression that names a router. */
export function mountAt({ source, code, uses, created, owners }: File, start: number, end: number): Mount | undefined {
  const use = uses.findLast((each) => start >= each.start && start < each.end);
  const argument = use?.given.find(({ start: from, text }) => start >= from && start < from + text.length);
  const before = argument === undefined ? '' : code.slice(argument.start, start);
  if (use !== undefined && argument !== undefined && !/=>|\bfunction\b/.test(before)) {
    const { owner, at, madeAt, prefix } = use.call;
    const isWhole = /^\s*(?:await\s+)?(?:new\s+)?$/.test(before);
    const path = isWhole ? join(prefix, pathOfUse(source, use, argument)) : undefined;
    return { owner, at, madeAt, path, isUse: true };
  }
  // `routes(app, options)`
  const [, list = ''] = /^\s*\(([^()]*)\)/.exec(code.slice(end, end + 300)) ?? [];
  const given = list.split(',').map((each) => each.trim());
  const [owner, other] = given.filter((each) => owners.has(each) || ownerNames.test(each));
  if (owner === undefined || other !== undefined) return undefined;
  return { owner, at: start, path: created.has(owner) ? created.get(owner) : '', isUse: false };
}

/** `router`: the argument that is one, or an inline plugin. */
export function pathOfUse({ text }: Source, { call, given }: Use, router: Argument | undefined): string | undefined {
  const [first, second] = given;
  if (call.method === 'use') return first === router ? '' : literalIn(first?.text);
  if (first !== router) return undefined;
  if (second === undefined || second.text.trim() === '') return '';
  const isObject = second.text.trimStart().startsWith('{');
  const members = isObject ? ownMembers(text, text.indexOf('{', second.start) + 1) : undefined;
  if (members === undefined || members.includes('...')) return undefined;
  const [named, value] = /\bprefix\b['"]?(?:\s*:\s*([^,\n]*))?/.exec(members) ?? [];
  return named === undefined ? '' : literalIn(value);
}

export function join(above: string | undefined, path: string | undefined): string | undefined {
  return above === undefined || path === undefined ? undefined : `${above}${path}`;
}
